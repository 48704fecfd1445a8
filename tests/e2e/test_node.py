"""The Node: what it stands for follows Nomad's clients, it comes back when it is deleted, and it never flaps."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.manifests import Manifest, pod
from tests.e2e.namespace import LATER, SOON, Namespace, condition

_NODE = "edge-node"
_POOL = "edge"
_CORES_OF_A_CLIENT = 2


@pytest.fixture(scope="module")
def edge(bed: Bed) -> Iterator[VnodeProcess]:
    """A Node of its own for the two clients of pool edge."""
    with bed.vnode(f"--node-pool={_POOL}", node_name=_NODE) as process:
        yield process


def test_it_registers_with_address_capacity_labels_and_taint(bed: Bed, edge: VnodeProcess) -> None:
    edge.child.must_live()

    def runtime() -> str:
        return str(_node(bed)["status"]["nodeInfo"]["containerRuntimeVersion"])

    wait_until("the Node to know its clients", lambda: runtime().startswith("nomad://1."), within=SOON)
    node = _node(bed)
    assert node["status"]["addresses"] == [{"type": "InternalIP", "address": bed.node_address}]
    assert node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] == edge.kubelet_address[1]
    assert int(node["status"]["capacity"]["cpu"]) == 2 * _CORES_OF_A_CLIENT
    assert node["metadata"]["labels"]["type"] == "virtual-kubelet"
    assert node["metadata"]["labels"]["topology.kubernetes.io/zone"] == f"global-{_POOL}"
    assert {"key": "virtual-kubelet.io/provider", "value": "nomad", "effect": "NoSchedule"} in node["spec"]["taints"]
    assert _condition(node, "Ready") == "True"
    assert _condition(node, "NomadReachable") == "True"


def test_capacity_follows_clients_that_join_drain_and_die(bed: Bed, edge: VnodeProcess) -> None:
    edge.child.must_live()
    before = wait_until("the Node to know its clients", lambda: _cores(bed), within=SOON)
    with bed.nomad.joined(_POOL) as joined:
        _wait_for_cores(bed, before + _CORES_OF_A_CLIENT, "after a client joined")
        joined.drain(deadline=1)
        _wait_for_cores(bed, before, "while a client is drained")
        joined.undrain()
        _wait_for_cores(bed, before + _CORES_OF_A_CLIENT, "after the drain was ended")
        joined.kill()
        _wait_for_cores(bed, before, "after a client died")
    assert _condition(_node(bed), "Ready") == "True"


def test_it_comes_back_when_it_is_deleted_and_its_pods_stay(bed: Bed, edge: VnodeProcess, namespace: Namespace) -> None:
    edge.child.must_live()
    namespace.create(pod("stays", "sleep 600", node=_NODE))
    running = namespace.wait_ready("stays")
    old = _node(bed)["metadata"]["uid"]
    bed.kubectl("delete", "node", _NODE)

    def back() -> bool:
        found = [node for node in _nodes(bed) if node["metadata"]["uid"] != old]
        return bool(found) and _condition(found[0], "Ready") == "True"

    wait_until(f"Node {_NODE} to come back", back, within=SOON)
    lease = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{_NODE}"

    def leased() -> bool:
        owners = bed.control_plane.api(lease)["metadata"]["ownerReferences"]
        return bool(owners[0]["uid"] != old)

    wait_until("the Lease of the new Node", leased, within=SOON)
    assert namespace.pod("stays")["metadata"]["uid"] == running["metadata"]["uid"]
    assert len(namespace.allocations(running)) == 1

    def told() -> bool:
        return "NodeRegisteredAgain" in bed.kubectl("describe", "node", _NODE).stdout

    wait_until("an Event that explains it", told, within=SOON)


def test_a_restart_of_vnode_does_not_make_it_flap(bed: Bed, edge: VnodeProcess) -> None:
    before = _transitions(_node(bed))
    edge.stop()
    edge.start()
    after = _node(bed)
    assert _transitions(after) == before
    assert not [taint for taint in after["spec"]["taints"] if taint["key"].startswith("node.kubernetes.io/")]


def test_an_unreachable_nomad_is_a_condition_and_a_taint_and_no_broken_node(bed: Bed, edge: VnodeProcess) -> None:
    edge.child.must_live()
    ready_since = _transition(_node(bed), "Ready")
    bed.nomad.server.kill()
    try:
        _wait_for(bed, "NomadReachable", "False")
        node = _node(bed)
        assert _condition(node, "Ready") == "True"
        assert _transition(node, "Ready") == ready_since
        assert "nomad.hashinetes.io/unreachable" in {taint["key"] for taint in node["spec"]["taints"]}
    finally:
        bed.nomad.start_server()
        bed.nomad.wait_leader()
    _wait_for(bed, "NomadReachable", "True")
    taints = {taint["key"] for taint in _node(bed)["spec"]["taints"]}
    assert "nomad.hashinetes.io/unreachable" not in taints


def test_a_pod_no_client_can_take_says_so_with_nomads_numbers(vnode: VnodeProcess, namespace: Namespace) -> None:
    vnode.child.must_live()
    demand = {"nomad.hashinetes.io/constraints": "${node.class} = e2e-late"}
    namespace.create(pod("picky", "sleep 600", annotations=demand))
    waiting = namespace.wait(
        "picky",
        "to say that it has no place",
        lambda found: condition(found, "nomad.hashinetes.io/Placed").get("status") == "False",
    )
    placed = condition(waiting, "nomad.hashinetes.io/Placed")
    assert placed["reason"] == "Unschedulable"
    assert "${node.class} = e2e-late" in placed["message"]
    namespace.wait_event("picky", "Unschedulable", "${node.class} = e2e-late")
    namespace.delete("picky")
    namespace.wait_gone("picky")


def _nodes(bed: Bed) -> list[Manifest]:
    items = bed.control_plane.api(f"/api/v1/nodes?fieldSelector=metadata.name%3D{_NODE}")["items"]
    return list(items)


def _node(bed: Bed) -> Manifest:
    return dict(bed.control_plane.api(f"/api/v1/nodes/{_NODE}"))


def _cores(bed: Bed) -> int:
    return int(_node(bed)["status"]["capacity"]["cpu"])


def _wait_for_cores(bed: Bed, cores: int, when: str) -> None:
    wait_until(f"a capacity of {cores} CPUs {when}", lambda: _cores(bed) == cores, within=LATER)


def _wait_for(bed: Bed, kind: str, status: str) -> None:
    def check() -> bool:
        return _condition(_node(bed), kind) == status

    try:
        wait_until(f"condition {kind} to be {status}", check, within=LATER)
    except Exception as problem:
        problem.add_note(json.dumps(_node(bed)["status"]["conditions"]))
        raise


def _condition(node: Manifest, kind: str) -> str:
    return str(condition(node, kind).get("status", ""))


def _transition(node: Manifest, kind: str) -> str:
    return str(condition(node, kind)["lastTransitionTime"])


def _transitions(node: Manifest) -> dict[str, str]:
    return {each["type"]: each["lastTransitionTime"] for each in node["status"]["conditions"]}
