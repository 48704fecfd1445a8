"""Three servers of Nomad, of which any one may die: no error reaches a user, and no allocation changes."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.nomad import Server
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest, pod
from tests.e2e.namespace import LATER, SOON, Namespace, condition

_NODE = "steadfast"
_REFRESH_SECONDS = 0.5


@pytest.mark.timeout(300, func_only=True)
def test_the_leader_and_then_each_server_dies_and_comes_back(bed: Bed, namespaces: Namespaces) -> None:
    with (
        bed.nomad.with_three_servers() as servers,
        _vnode(bed, servers) as vnode,
        namespaces() as namespace,
        _watched(bed) as reachable,
    ):
        namespace.create(*(pod(f"steady-{number}", "echo here; sleep 3600", node=_NODE) for number in range(5)))
        steady = [namespace.wait_ready(f"steady-{number}") for number in range(5)]
        numbers = itertools.count(1)
        for dies in _leader_first(bed, servers):
            vnode.child.must_live()
            dies.child.kill()
            _use(namespace, next(numbers))
            dies.child.start()
            bed.nomad.wait_healthy(servers)
        for before in steady:
            after = namespace.pod(before["metadata"]["name"])
            assert after["status"] == before["status"]
            assert len(namespace.allocations(after)) == 1
        warnings = [event for event in _events(bed, namespace) if event["type"] == "Warning"]
        # The scheduler's own are about a Node that it has not seen Ready yet.
        warnings = [event for event in warnings if event["source"].get("component") == "vnode"]
        assert [(event["reason"], event["message"]) for event in warnings] == []
        assert reachable == {"True"}
    bed.kubectl("delete", "node", _NODE)


@contextmanager
def _vnode(bed: Bed, servers: list[Server]) -> Iterator[VnodeProcess]:
    # The first address is among the flags of every bed.
    others = [f"--nomad-address={server.address}" for server in servers[1:]]
    with bed.vnode("--node-pool=all", *others, node_name=_NODE) as process:
        yield process


def _leader_first(bed: Bed, servers: list[Server]) -> Iterator[Server]:
    leader = bed.nomad.leader(servers[0])
    yield from sorted(servers, key=lambda server: server.rpc != leader)


def _use(namespace: Namespace, number: int) -> None:
    """What a user does all day, with a server missing."""
    name = f"new-{number}"
    namespace.create(pod(name, "echo here; sleep 3600", node=_NODE))
    namespace.wait_ready(name, within=LATER)
    wait_until("its log", lambda: namespace.logs(name) == "here\n", within=SOON)
    namespace.delete(name, grace=1)
    namespace.wait_gone(name)


@contextmanager
def _watched(bed: Bed) -> Iterator[set[str]]:
    """What the Node says of Nomad, all the while."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(_REFRESH_SECONDS):
            node = bed.control_plane.api(f"/api/v1/nodes/{_NODE}")
            seen.add(str(condition(node, "NomadReachable").get("status")))

    wait_until("the Node to reach Nomad", partial(_is_reachable, bed), within=SOON)
    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()


def _is_reachable(bed: Bed) -> bool:
    node = bed.control_plane.api(f"/api/v1/nodes/{_NODE}")
    return condition(node, "NomadReachable").get("status") == "True"


def _events(bed: Bed, namespace: Namespace) -> list[Manifest]:
    return list(bed.control_plane.api(f"/api/v1/namespaces/{namespace.name}/events")["items"])
