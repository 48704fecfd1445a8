"""The clock of vnode's machine is set by an hour, forward and back: nothing is killed, doubled or kept waiting."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.bed import audit
from tests.e2e.bed.bed import VNODE_USER, Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest, container, pod
from tests.e2e.namespace import LATER, SOON, Namespace, condition
from tests.faults.clock import ShiftedClock

_NODE = "astray"
_AHEAD, _BEHIND = 3600, -3000
_GRACE = 12
_ASKS = "create serviceaccounts/token default"
_LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/{}"

pytestmark = pytest.mark.timeout(300, func_only=True)


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """A folder in which tasks count their runs."""
    return tmp_path


def test_a_clock_that_is_set_harms_nobody(bed: Bed, namespaces: Namespaces, ran: Path) -> None:
    clock, began = ShiftedClock(ran), datetime.now(UTC)
    elected = ("--leader-elect", "--leader-elect-namespace=vnode", "--leader-identity=astray")
    with (
        bed.vnode("--node-pool=all", *elected, node_name=_NODE, environment=clock.environment) as vnode,
        namespaces() as namespace,
    ):
        namespace.create(
            pod("steady", _alone("steady", ran), node=_NODE),
            _with_token("token", ran),
            pod("once", _alone("once", ran), node=_NODE, restart="Never"),
            pod("limited", _alone("limited", ran), node=_NODE, activeDeadlineSeconds=2 * _AHEAD),
            pod("ends", _deaf("ends", ran), node=_NODE, terminationGracePeriodSeconds=120),
            pod("ends-too", _deaf("ends-too", ran), node=_NODE, terminationGracePeriodSeconds=120),
        )
        before = {name: namespace.wait_ready(name, within=LATER) for name in ("steady", "token", "once", "limited")}
        for name in ("ends", "ends-too"):
            namespace.wait_ready(name)
        node = _since_when_ready(bed)
        _set(bed, vnode, clock, namespace, ran, "ends", _AHEAD)
        _use(namespace, "ahead")
        _set(bed, vnode, clock, namespace, ran, "ends-too", _BEHIND)
        _use(namespace, "behind")
        clock.set(0)
        _use(namespace, "right")
        for name, found in before.items():
            assert namespace.pod(name)["status"] == found["status"]
            assert len(namespace.allocations(found)) == 1
        assert [_lines(ran / name) for name in ("steady", "token", "once", "limited", "overlaps")] == [1, 1, 1, 1, 0]
        assert _since_when_ready(bed) == node
        # It lives for less than the clock was wrong by.
        written = audit.writes(bed.audit_log, VNODE_USER, began)
        assert written.count(_ASKS) == (1 if bed.profile == "secured" else 0)
    bed.kubectl("delete", "node", _NODE)
    bed.control_plane.api(_LEASES.format("vnode", f"vnode-{_NODE}"), "DELETE")


def _set(
    bed: Bed, vnode: VnodeProcess, clock: ShiftedClock, namespace: Namespace, ran: Path, leaving: str, seconds: int
) -> None:
    """Set the clock while a Pod is in its grace period, which is neither shortened nor prolonged."""
    namespace.delete(leaving, grace=_GRACE)
    wait_until(f"{leaving} to be asked to end", (ran / f"{leaving}-asked").exists, within=SOON)
    steps, renewed = _steps(vnode), _renewals(bed)
    clock.set(seconds)
    namespace.wait_gone(leaving, within=_GRACE + 30)
    asked, lived = (float((ran / f"{leaving}-{what}").read_text().split()[-1]) for what in ("asked", "lives"))
    assert _GRACE - 2 <= lived - asked <= _GRACE + 15
    assert _steps(vnode) == steps + 1
    wait_until("the Node's Lease to be renewed", lambda: _renewals(bed)[0] != renewed[0], within=SOON)
    wait_until("the Lease of the election to be renewed", lambda: _renewals(bed)[1] != renewed[1], within=SOON)


def _use(namespace: Namespace, name: str) -> None:
    """A Pod comes and goes as ever."""
    namespace.create(pod(name, "sleep 3600", node=_NODE, terminationGracePeriodSeconds=1))
    namespace.wait_ready(name)
    namespace.delete(name)
    namespace.wait_gone(name)


def _alone(name: str, ran: Path) -> str:
    return (
        f"echo run >>{ran}/{name}; exec 9>>{ran}/{name}-lock; flock -n 9 || echo two >>{ran}/overlaps; exec sleep 3600"
    )


def _with_token(name: str, ran: Path) -> Manifest:
    token = {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}}
    mounts = [{"name": "token", "mountPath": "/token"}]
    volumes = [{"name": "token", "projected": {"sources": [token]}}]
    return pod(name, container(_alone(name, ran), volumeMounts=mounts), node=_NODE, volumes=volumes)


def _deaf(name: str, ran: Path) -> str:
    """Tells when it was asked to end, and until when it lived all the same."""
    return f"trap 'date +%s >{ran}/{name}-asked' TERM; while true; do date +%s >>{ran}/{name}-lives; sleep 0.2; done"


def _steps(vnode: VnodeProcess) -> int:
    return vnode.log.read_text().count("the time of day was set")


def _lines(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0


def _since_when_ready(bed: Bed) -> tuple[str, str]:
    node: Manifest = bed.control_plane.api(f"/api/v1/nodes/{_NODE}")
    found = condition(node, "Ready")
    return found["status"], found["lastTransitionTime"]


def _renewals(bed: Bed) -> list[str]:
    paths = (_LEASES.format("kube-node-lease", _NODE), _LEASES.format("vnode", f"vnode-{_NODE}"))
    return [str(bed.control_plane.api(path)["spec"]["renewTime"]) for path in paths]
