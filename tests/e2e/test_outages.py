"""Outages of Nomad's servers, of the API server and of both, and either restored from the past: workloads run on.

Pods tolerate a Node that is not ready or unreachable for 5 s only, where the API server gives them 300 s, and an outage
lasts 20 s, or as HASHINETES_OUTAGE_SECONDS says: what an eviction would take minutes for would show.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest, pod
from tests.e2e.namespace import LATER, SOON, Namespace, condition, container_status, is_ready, phase, terminated

_NODE = "enduring"
_OUTAGE_SECONDS = float(os.environ.get("HASHINETES_OUTAGE_SECONDS", "20"))
#: A Node that said nothing for longer is taken for lost, and its Pods are marked not ready, even where nobody could
#: have heard it: kube-controller-manager --node-monitor-grace-period.
_GRACE_SECONDS = 40.0
_TWICE = 2
_LOOK_SECONDS = 0.5
_STEADY = "echo here; sleep 3600"
_IMPATIENT = [
    {"key": "virtual-kubelet.io/provider", "operator": "Equal", "value": "nomad", "effect": "NoSchedule"},
    *(
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
        for key in ("not-ready", "unreachable")
    ),
]

pytestmark = pytest.mark.timeout(220 + _OUTAGE_SECONDS, func_only=True)


@pytest.fixture(scope="module")
def enduring(bed: Bed) -> Iterator[VnodeProcess]:
    with bed.vnode("--node-pool=all", node_name=_NODE) as process:
        yield process
    bed.kubectl("delete", "node", _NODE)


@pytest.fixture
def scene(enduring: VnodeProcess, namespaces: Namespaces) -> Iterator[Namespace]:
    enduring.child.must_live()
    with namespaces() as created:
        yield created


def _pod(name: str, script: str = _STEADY, **fields: object) -> Manifest:
    return pod(name, script, node=_NODE, tolerations=_IMPATIENT, **fields)  # type: ignore[arg-type]


def test_without_nomads_servers_nobody_loses_a_pod_and_what_was_asked_for_is_done_afterwards(
    bed: Bed, scene: Namespace
) -> None:
    scene.create(_pod("steady", labels={"app": "served"}), _pod("unwanted"))
    scene.kubectl("expose", "pod", "steady", "--name=served", "--port=80")
    steady = scene.wait_ready("steady")
    scene.wait_ready("unwanted")
    served = wait_until("an endpoint", lambda: _endpoints(scene), within=SOON)
    bed.nomad.server.kill()
    try:
        wait_until("NomadReachable=False", lambda: _node_says(bed, "NomadReachable", "False"), within=SOON)
        scene.create(_pod("scheduled-later"), _pod("bound", nodeName=_NODE))
        scene.delete("unwanted", grace=1)
        scene.wait_event("bound", "NomadUnavailable")

        def unharmed() -> None:
            assert _node_says(bed, "Ready", "True")
            assert is_ready(scene.pod("steady"))
            assert "deletionTimestamp" not in scene.pod("steady")["metadata"]
            assert scene.holds("unwanted")
            assert _endpoints(scene) == served

        _hold(unharmed)
        assert {phase(scene.pod(name)) for name in ("bound", "scheduled-later")} == {"Pending"}
    finally:
        bed.nomad.start_server()
        bed.nomad.wait_leader()
    back = time.monotonic()
    scene.wait_gone("unwanted", within=LATER)
    scene.wait_ready("bound", within=LATER)
    scene.wait_ready("scheduled-later", within=LATER)
    print(f"what was asked for meanwhile was done {time.monotonic() - back:.1f} s after Nomad was back")
    _is_the_same(scene, steady)


def test_without_the_api_server_pods_run_on_and_their_statuses_are_right_afterwards(
    bed: Bed, scene: Namespace, tmp_path: Path
) -> None:
    steady, once, restarted = _start_three(scene, tmp_path)
    with bed.control_plane.away():
        _end_two(tmp_path)
        time.sleep(_OUTAGE_SECONDS)
    back = time.monotonic()
    _have_ended_once(scene, once, restarted, tmp_path)
    print(f"statuses were right {time.monotonic() - back:.1f} s after the API server was ready")
    _is_the_same(scene, steady)


def test_without_both_pods_run_on(bed: Bed, scene: Namespace, tmp_path: Path) -> None:
    steady, once, restarted = _start_three(scene, tmp_path)
    with bed.control_plane.away():
        bed.nomad.server.kill()
        back = time.monotonic() + _OUTAGE_SECONDS
        _end_two(tmp_path)
        # The clients alone know of the ends, and what is to run again does so without asking anybody.
        wait_until("the second run", lambda: _runs(tmp_path / "again.runs") == _TWICE, within=LATER)
        time.sleep(max(0.0, back - time.monotonic()))
        bed.nomad.start_server()
    bed.nomad.wait_leader()
    _have_ended_once(scene, once, restarted, tmp_path)
    _is_the_same(scene, steady)


def test_an_etcd_restored_from_a_snapshot_doubles_nothing_and_leaves_nothing_behind(bed: Bed, scene: Namespace) -> None:
    scene.create(_pod("steady"), _pod("deleted-since", terminationGracePeriodSeconds=1), _pod("once", restart="Never"))
    steady = scene.wait_ready("steady")
    deleted = scene.wait_ready("deleted-since")
    once = scene.wait_ready("once")
    copy = bed.control_plane.snapshot(scene.name)
    scene.delete("deleted-since")
    scene.delete("once", grace=1)
    scene.create(_pod("created-since"))
    scene.wait_ready("created-since", within=LATER)
    for name in ("deleted-since", "once"):
        scene.wait_gone(name)
    wait_until("their jobs to go", lambda: _jobs(scene) == {"steady", "created-since"}, within=SOON)
    bed.control_plane.restore(copy)
    back = time.monotonic()
    # It is back in the API, and was submitted before: once more for what runs always, never again for what runs once.
    scene.wait("once", "to have failed", lambda found: phase(found) == "Failed", within=LATER)
    wait_until("jobs to follow Pods", lambda: _jobs(scene) == {"steady", "deleted-since"}, within=LATER)
    print(f"all was as the snapshot wants it {time.monotonic() - back:.1f} s after the API server was ready")
    again = scene.wait_ready("deleted-since", within=LATER)
    assert again["metadata"]["uid"] == deleted["metadata"]["uid"]
    assert scene.pod("once")["metadata"]["uid"] == once["metadata"]["uid"]
    _is_the_same(scene, steady)


def test_a_nomad_restored_from_a_snapshot_doubles_nothing_and_leaves_nothing_behind(
    bed: Bed, scene: Namespace, tmp_path: Path
) -> None:
    """What Nomad has forgotten its clients end; what it remembers too well is collected."""
    tmp_path.chmod(0o755)
    once = f"echo ran >>{tmp_path}/{{0}}; until test -e {tmp_path}/{{1}}; do sleep 0.1; done"
    scene.create(
        _pod("steady"),
        _pod("deleted-since", terminationGracePeriodSeconds=1),
        _pod("ended-since", once.format("ended", "end"), restart="Never", terminationGracePeriodSeconds=1),
    )
    steady = scene.wait_ready("steady")
    for name in ("deleted-since", "ended-since"):
        scene.wait_ready(name)
    snapshot = bed.nomad.snapshot()
    _end_two(tmp_path)
    (ended,) = scene.allocations(scene.wait_phase("ended-since", "Succeeded"))
    scene.delete("deleted-since")
    scene.create(
        _pod("created-since", terminationGracePeriodSeconds=1),
        _pod("once-since", once.format("once", "never"), restart="Never", terminationGracePeriodSeconds=1),
    )
    scene.wait_gone("deleted-since")
    for name in ("created-since", "once-since"):
        scene.wait_ready(name)
    since = {"created-since", "once-since"}
    wait_until("the job of a Pod to go", lambda: _jobs(scene) == {"steady", "ended-since", *since}, within=SOON)
    bed.nomad.restore(snapshot)
    back = time.monotonic()
    failed = scene.wait_phase("once-since", "Failed", within=LATER)
    assert terminated(failed)["reason"] == "ContainerStatusUnknown"
    scene.wait(
        "created-since",
        "to run again",
        lambda found: is_ready(found) and container_status(found)["restartCount"] == 1,
        within=LATER,
    )
    wait_until("jobs to follow Pods", lambda: _jobs(scene) == {"steady", "ended-since", "created-since"}, within=LATER)
    print(f"all was as Kubernetes wants it {time.monotonic() - back:.1f} s after Nomad was restored")
    # What ended since no client tells a second time: Nomad believes that it runs, until somebody removes its job.
    assert bed.nomad.api(f"/v1/allocation/{ended['ID']}")["ClientStatus"] == "running"
    bed.nomad.api(f"/v1/job/{ended['JobID']}?purge=true", "DELETE")
    assert phase(scene.pod("ended-since")) == "Succeeded"
    assert [(tmp_path / name).read_text() for name in ("ended", "once")] == ["ran\n", "ran\n"]
    _is_the_same(scene, steady)


def _start_three(scene: Namespace, folder: Path) -> tuple[Manifest, Manifest, Manifest]:
    """One that runs, one that runs once until it is told to end, one that is restarted when it is told to end."""
    folder.chmod(0o755)
    once = f"echo ran >>{folder}/once.runs; until test -e {folder}/end; do sleep 0.1; done"
    again = f"n=$(cat {folder}/again.runs 2>/dev/null | wc -l); echo ran >>{folder}/again.runs; "
    again += f"until test -e {folder}/end -a $n = 0; do sleep 0.1; done; exit 3"
    scene.create(_pod("steady"), _pod("once", once, restart="Never"), _pod("restarted", again))
    first, second, third = (scene.wait_ready(name) for name in ("steady", "once", "restarted"))
    return first, second, third


def _end_two(folder: Path) -> None:
    (folder / "end").touch()


def _have_ended_once(scene: Namespace, once: Manifest, restarted: Manifest, folder: Path) -> None:
    ended = scene.wait_phase("once", "Succeeded", within=LATER)
    assert terminated(ended)["exitCode"] == 0
    scene.wait(
        "restarted", "to have restarted", lambda found: container_status(found)["restartCount"] == 1, within=LATER
    )
    assert (folder / "once.runs").read_text() == "ran\n"
    assert _runs(folder / "again.runs") == _TWICE
    for before in (once, restarted):
        assert len(scene.allocations(before)) == 1


def _runs(trace: Path) -> int:
    return len(trace.read_text().splitlines())


def _is_the_same(scene: Namespace, before: Manifest) -> None:
    """No run of it ended, nothing about it was written, or it was put right after kube-controller-manager wrote it."""
    name, expected = before["metadata"]["name"], _told(before)
    after = scene.wait(name, "to have the status that it had", lambda found: _told(found) == expected, within=SOON)
    if _OUTAGE_SECONDS < _GRACE_SECONDS:
        assert after["status"] == before["status"]
    assert len(scene.allocations(after)) == 1


def _told(found: Manifest) -> Manifest:
    """Its status, without since when each condition is as it is."""
    conditions = [{**each, "lastTransitionTime": None} for each in found["status"]["conditions"]]
    return {**found["status"], "conditions": conditions}


def _hold(unharmed: Callable[[], None], seconds: float = _OUTAGE_SECONDS) -> None:
    """Something stays true for a while."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        unharmed()
        time.sleep(_LOOK_SECONDS)


def _node_says(bed: Bed, kind: str, status: str) -> bool:
    node = bed.control_plane.api(f"/api/v1/nodes/{_NODE}")
    return condition(node, kind).get("status") == status


def _endpoints(scene: Namespace) -> list[tuple[str, bool]]:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{scene.name}/endpointslices"
    slices = scene.bed.control_plane.api(path)["items"]
    return [
        (str(endpoint["addresses"]), bool(endpoint["conditions"].get("ready")))
        for each in slices
        for endpoint in each.get("endpoints") or ()
    ]


def _jobs(scene: Namespace) -> set[str]:
    """The Pods of which Nomad holds a job."""
    try:
        return {str(job["Meta"]["vk_pod"]) for job in scene.nomad_jobs()}
    except BedError:
        return set()
