"""Replicas: one looks after the Node, the others stand by; a change of leader changes nothing for Pods.

Each replica has a token of its own, by which the audit log tells them apart.
"""

import contextlib
import datetime as dt
import json
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.e2e import kubelet_api
from tests.e2e.bed import audit
from tests.e2e.bed.bed import VNODE_USER, Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest, container, pod, settings
from tests.e2e.namespace import LATER, SOON, Namespace, is_ready

_NODE = "replicated"
_LEASE = f"/apis/coordination.k8s.io/v1/namespaces/vnode/leases/vnode-{_NODE}"
#: Seconds within which another replica leads after a crash.
_TAKEOVER = 20.0
#: Pods that run on while replicas come and go.
_QUIET = 200
_TICKS = "n=0; while true; do n=$((n+1)); echo tick $n; sleep 0.2; done"


class Replica:
    """One `vnode run` among several, and the token by which it is known."""

    def __init__(self, bed: Bed, name: str, process: VnodeProcess, token: str) -> None:
        self.name = name
        self.process = process
        self._bed = bed
        self._credential = audit.credential(token)

    def writes(self, after: dt.datetime) -> list[str]:
        """What it wrote in Kubernetes since then, the election aside, and questions about callers."""
        return [
            found
            for found in audit.writes(self._bed.audit_log, VNODE_USER, after, credential=self._credential)
            if "leases vnode-" not in found and "reviews" not in found
        ]


@pytest.fixture(scope="module")
def replicas(bed: Bed) -> Iterator[tuple[Replica, Replica]]:
    """Two of them; the first one leads."""
    if bed.profile != "secured":
        pytest.skip("replicas are told apart by their tokens")
    with _replica(bed, "first") as first, _replica(bed, "second") as second:
        assert _lease(bed)["holderIdentity"] == "first"
        yield first, second
    bed.kubectl("delete", "node", _NODE)
    bed.control_plane.api(_LEASE, "DELETE")


@contextlib.contextmanager
def _replica(bed: Bed, name: str) -> Iterator[Replica]:
    kubeconfig, token = bed.vnode_identity(name)
    flags = ("--node-pool=all", "--leader-elect", "--leader-elect-namespace=vnode", f"--leader-identity={name}")
    with bed.vnode(f"--kubeconfig={kubeconfig}", *flags, node_name=_NODE) as process:
        yield Replica(bed, name, process, token)


def test_a_standby_says_who_knows_more(bed: Bed, replicas: tuple[Replica, Replica]) -> None:
    first, second = replicas
    admin = bed.control_plane.admin
    with kubelet_api.client(bed, second.process, pair=admin) as api:
        answer = api.get("/containerLogs/default/any/main")
        assert answer.status_code == 503
        assert "first looks after the Node" in answer.text
        assert api.get("/healthz").text == "ok"
        assert kubelet_api.metric(api, "vnode_leader") == 0
    with kubelet_api.client(bed, first.process, pair=admin) as api:
        assert kubelet_api.metric(api, "vnode_leader") == 1


@pytest.mark.timeout(400, func_only=True)
def test_the_lead_moves_and_pods_do_not_notice(
    bed: Bed, replicas: tuple[Replica, Replica], namespaces: Namespaces
) -> None:
    first, second = replicas
    with namespaces() as namespace:
        namespace.create(pod("ticks", _TICKS, node=_NODE), *map(_quiet, range(_QUIET)))
        wait_until("all Pods to be Ready", lambda: _all_ready(namespace), within=2 * LATER, of=[first.process.child])
        _follows(bed, namespace, first)
        running = {each["metadata"]["name"]: each for each in namespace.pods()}
        assert second.writes(dt.datetime.min.replace(tzinfo=dt.UTC)) == []

        _after_a_crash(bed, first, second)
        _follows(bed, namespace, second)
        first.process.start()

        _after_an_orderly_end(bed, second, first)
        _follows(bed, namespace, first)
        second.process.start()

        _after_a_pause(bed, first, second, namespace)
        _follows(bed, namespace, second)

        _nothing_happened(namespace, running)


def _after_a_crash(bed: Bed, crashed: Replica, standby: Replica) -> None:
    began = time.monotonic()
    crashed.process.kill()
    wait_until(f"{standby.name} to lead", lambda: _leads(bed, standby), within=_TAKEOVER, of=[standby.process.child])
    print(f"after a crash {standby.name} led within {time.monotonic() - began:.1f} s")


def _after_an_orderly_end(bed: Bed, ended: Replica, standby: Replica) -> None:
    began = time.monotonic()
    ended.process.stop()
    stopped = time.monotonic()
    wait_until(f"{standby.name} to lead", lambda: _leads(bed, standby), within=5, of=[standby.process.child])
    print(f"it ended in {stopped - began:.1f} s; {standby.name} led {time.monotonic() - stopped:.1f} s later")


def _after_a_pause(bed: Bed, paused: Replica, standby: Replica, namespace: Namespace) -> None:
    """The leader is stopped in the middle of its work and wakes up when another one leads."""
    namespace.create(*(pod(f"late-{number}", "sleep 600", node=_NODE) for number in range(5)))
    paused.process.child.signal(signal.SIGSTOP)
    try:
        wait_until(f"{standby.name} to lead", lambda: _leads(bed, standby), within=_TAKEOVER)
        for number in range(5):
            namespace.wait_ready(f"late-{number}")
        woken = dt.datetime.now(dt.UTC)
    finally:
        paused.process.child.signal(signal.SIGCONT)
    log = paused.process.log
    wait_until(f"{paused.name} to step down", lambda: "leads no more" in log.read_text(), within=SOON)
    # All that it meant to write when it was stopped would have been written by now.
    namespace.create(pod("latest", "sleep 600", node=_NODE))
    namespace.wait_ready("latest")
    assert paused.writes(woken) == []
    for number in range(5):
        assert len(namespace.allocations(namespace.pod(f"late-{number}"))) == 1


def _follows(bed: Bed, namespace: Namespace, leader: Replica) -> None:
    """Logs come from the leader."""
    assert _leads(bed, leader)
    log = wait_until("a log", lambda: namespace.logs("ticks", "--tail=1"), within=SOON)
    assert log.startswith("tick ")


def _quiet(number: int) -> Manifest:
    """A Pod that costs its client nothing, bound straight to the Node."""
    runs = settings("mock_driver", task_config=json.dumps({"run_for": "6h"}))
    found = pod(f"quiet-{number}", container(), driver="mock_driver", annotations=runs, nodeName=_NODE)
    del found["spec"]["nodeSelector"]
    return found


def _all_ready(namespace: Namespace) -> bool:
    return sum(map(is_ready, namespace.pods())) == _QUIET + 1


def _nothing_happened(namespace: Namespace, running: Mapping[str, Manifest]) -> None:
    """No write about any of them, and no other run."""
    after = {each["metadata"]["name"]: each for each in namespace.pods()}
    assert {name: after[name]["metadata"]["resourceVersion"] for name in running} == {
        name: before["metadata"]["resourceVersion"] for name, before in running.items()
    }
    assert {name: after[name]["status"] for name in running} == {
        name: before["status"] for name, before in running.items()
    }
    allocations = Counter(each["JobID"] for each in namespace.bed.nomad.api("/v1/allocations?namespace=*"))
    assert {allocations[f"vk-{before['metadata']['uid']}"] for before in running.values()} == {1}


def _leads(bed: Bed, replica: Replica) -> bool:
    """It has the Lease, and callers of the Node are sent to it."""
    if _lease(bed).get("holderIdentity") != replica.name:
        return False
    node = bed.control_plane.api(f"/api/v1/nodes/{_NODE}")
    return bool(node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] == replica.process.kubelet_address[1])


def _lease(bed: Bed) -> dict[str, Any]:
    return dict(bed.control_plane.api(_LEASE)["spec"])
