"""Scenes 1 and 4: twelve pings. From nothing to twelve Pods on five machines and back; vnode dies and comes back."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import pytest
import yaml

from tests.e2e import kubelet_api
from tests.e2e.bed import audit
from tests.e2e.bed.bed import REPOSITORY, VNODE_USER, Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest
from tests.e2e.namespace import SOON, Namespace, is_ready

_EXAMPLES = REPOSITORY / "deploy" / "examples"
_PINGS = 12


@pytest.fixture(scope="module")
def pings(vnode: VnodeProcess, namespaces: Namespaces) -> Iterator[Namespace]:
    """Twelve running pings; every test leaves twelve behind."""
    vnode.child.must_live()
    with namespaces() as namespace:
        manifest = yaml.safe_load((_EXAMPLES / "ping.yaml").read_text())
        namespace.apply({**manifest, "spec": {**manifest["spec"], "replicas": 0}})
        _scale(namespace, _PINGS)
        yield namespace


def test_twelve_are_running_and_ready_on_all_five_clients(bed: Bed, pings: Namespace) -> None:
    pods = pings.pods("ping")
    assert [is_ready(pod) for pod in pods] == [True] * _PINGS
    places = Counter(allocation["NodeName"] for pod in pods for allocation in pings.allocations(pod))
    assert set(places) == set(bed.nomad.clients)
    assert places.total() == _PINGS
    assert {job["ID"] for job in pings.nomad_jobs()} == {f"vk-{pod['metadata']['uid']}" for pod in pods}


def test_each_has_its_own_address_of_a_client(bed: Bed, pings: Namespace) -> None:
    addresses = {client.name: client.address for client in bed.nomad.clients.values()}
    for pod in pings.pods("ping"):
        (allocation,) = pings.allocations(pod)
        assert pod["status"]["podIP"] == pod["status"]["hostIP"] == addresses[allocation["NodeName"]]


def test_each_has_its_own_log(pings: Namespace) -> None:
    names = {pod["metadata"]["name"] for pod in pings.pods("ping")}
    first = {pings.logs(name).splitlines()[0] for name in sorted(names)[:2]}
    assert first == {f"{name} ping 1" for name in sorted(names)[:2]}
    lines = _all_logs(pings)
    assert {line.split()[1] for line in lines} == names
    for line in lines:
        prefix, name, *_ = line.split()
        assert prefix == f"[pod/{name}/ping]"


def test_vnode_killed_and_started_again_adopts_all_and_writes_nothing(
    bed: Bed, vnode: VnodeProcess, pings: Namespace
) -> None:
    pods = {pod["metadata"]["name"]: pod for pod in pings.pods("ping")}
    places = {name: _places(pings, pod) for name, pod in pods.items()}
    node = _transitions(bed)
    vnode.kill()
    killed = datetime.now(UTC)
    vnode.start()
    with kubelet_api.client(bed, vnode, pair=bed.control_plane.admin) as api:
        rounds = partial(kubelet_api.metric, api, "vnode_rounds_total")
        wait_until("vnode to have looked at every Pod", lambda: rounds() >= _PINGS, within=SOON)
    assert {pod["metadata"]["name"]: pod for pod in pings.pods("ping")} == pods
    assert {name: _places(pings, pod) for name, pod in pods.items()} == places
    assert _transitions(bed) == node
    writes = audit.writes(bed.audit_log, VNODE_USER, killed)
    assert not [write for write in writes if " pods" in write]
    assert not [write for write in writes if write.startswith(("create nodes", "delete"))]
    name = next(iter(pods))
    assert pings.logs(name, "--limit-bytes=7") == f"{name} ping 1"[:7]


def test_a_rolling_update_replaces_all_and_leaves_twelve_jobs(pings: Namespace) -> None:
    old = {pod["metadata"]["uid"] for pod in pings.pods("ping")}
    pings.kubectl("set", "env", "deployment/ping", "WORD=pong")
    pings.kubectl("rollout", "status", "deployment/ping", "--timeout=100s")
    wait_until("the old Pods to leave", lambda: len(pings.pods("ping")) == _PINGS, within=SOON)
    pods = pings.pods("ping")
    new = {pod["metadata"]["uid"] for pod in pods}
    assert len(new) == _PINGS
    assert not new & old
    wait_until("their jobs to leave Nomad", lambda: len(pings.nomad_jobs()) == _PINGS, within=SOON)
    assert {job["ID"] for job in pings.nomad_jobs()} == {f"vk-{uid}" for uid in new}
    assert {line.split()[2] for line in _all_logs(pings)} == {"pong"}
    pings.kubectl("rollout", "undo", "deployment/ping")
    pings.kubectl("rollout", "status", "deployment/ping", "--timeout=100s")


def test_scaled_to_nothing_leaves_no_job_in_nomad(pings: Namespace) -> None:
    _scale(pings, 0)
    wait_until("the Pods to leave", lambda: not pings.pods("ping"), within=SOON)
    pings.wait_until_nomad_is_empty()
    _scale(pings, _PINGS)


@pytest.mark.parametrize("driver", ["exec", "docker"])
def test_the_same_by_other_drivers(namespace: Namespace, driver: str) -> None:
    app = f"ping-{driver}"
    manifest = yaml.safe_load((_EXAMPLES / f"{app}.yaml").read_text())
    # A shell that is process 1 ignores SIGTERM, and the end of its grace is not what is tested.
    manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1
    namespace.apply(manifest)
    namespace.kubectl("rollout", "status", f"deployment/{app}", "--timeout=100s")
    pods = namespace.pods(app)
    assert {job["ID"] for job in namespace.nomad_jobs()} == {f"vk-{pod['metadata']['uid']}" for pod in pods}
    for pod in pods:
        name = pod["metadata"]["name"]
        wait_until("its log", partial(_begins_with, namespace, name, f"{name} ping 1\n"), within=SOON)
    namespace.kubectl("scale", f"deployment/{app}", "--replicas=0")
    namespace.wait_until_nomad_is_empty()


def _begins_with(namespace: Namespace, name: str, text: str) -> bool:
    return namespace.logs(name).startswith(text)


def _places(namespace: Namespace, pod: Manifest) -> list[tuple[str, str]]:
    """The allocations of a Pod, and when each began to run."""
    return [(one["ID"], one["TaskStates"]["ping"]["StartedAt"]) for one in namespace.allocations(pod)]


def _transitions(bed: Bed) -> tuple[Manifest, list[Manifest]]:
    """What a Node that flaps would show: times of its conditions, and taints."""
    node = bed.control_plane.api("/api/v1/nodes/nomad")
    times = {each["type"]: (each["status"], each["lastTransitionTime"]) for each in node["status"]["conditions"]}
    return times, node["spec"]["taints"]


def _scale(namespace: Namespace, replicas: int) -> None:
    namespace.kubectl("scale", "deployment/ping", f"--replicas={replicas}")
    namespace.kubectl("rollout", "status", "deployment/ping", "--timeout=100s")


def _all_logs(namespace: Namespace) -> list[str]:
    return namespace.logs("--selector=app=ping", "--prefix", "--tail=-1", f"--max-log-requests={_PINGS}").splitlines()
