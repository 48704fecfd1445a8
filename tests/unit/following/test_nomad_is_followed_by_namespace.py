import asyncio
import itertools
from typing import Any, cast

import pytest

from tests.unit.view.objects import Notified, allocation, evaluation, pod, stub, view
from translators.records.allocations import (
    AllocatedCpu,
    AllocatedMemory,
    AllocatedNetwork,
    AllocatedResources,
    AllocatedSharedResources,
    AllocatedTaskResources,
    Allocation,
    Client,
    NetworkStatus,
)
from translators.records.jobs import JobStub
from translators.records.pods import PodUid
from vnode.errors import Denied, NotFound, Unavailable
from vnode.following import SECOND_LOOK, ClientsSink, Following, Link, NamespaceSink, Streams, namespaces_in_use
from vnode.nomad.client import NomadClient
from vnode.nomad.event_stream import EventStream
from vnode.nomad.variables import NomadVariables
from vnode.view.neighbours import NeighbourStore, Use
from vnode.view.view import View

U1 = PodUid("u1")


class FakeNomad:
    """The reads that following needs, answered from what a test puts in."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.listed = 0

    @property
    def client(self) -> NomadClient:
        return cast("NomadClient", self)

    @property
    def variables(self) -> NomadVariables:
        return cast("NomadVariables", self)

    async def paths(self, _: str, prefix: str) -> list[str]:
        assert prefix == "nomad/jobs/vk-"
        return list(self.answers.get("paths", []))

    async def jobs(self, namespace: str) -> list[JobStub]:
        self.listed += 1
        found = self.answers.get("jobs", [])
        return list(found[namespace] if isinstance(found, dict) else found)

    async def allocations(self, _: str, prefix: str) -> list[Allocation]:
        assert prefix == "", "the allocations of others count against the capacity"
        return list(self.answers.get("allocations", []))

    async def allocation(self, identifier: str) -> Allocation:
        self.asked.append(identifier)
        return cast("Allocation", self.answers["whole"])

    async def namespaces(self) -> list[str]:
        return list(self.answers["jobs"])

    async def clients(self) -> list[Client]:
        return list(self.answers["clients"])

    async def client_(self, identifier: str) -> Client:
        self.asked.append(identifier)
        found = self.answers["whole"]
        if isinstance(found, Exception):
            raise found
        return cast("Client", found)

    async def memory_oversubscription(self, _: str) -> bool | None:
        return cast("bool | None", self.answers.get("oversubscription"))


def used(identifier: str, *, mhz: int, status: str = "running", network: str = "host") -> Allocation:
    resources = AllocatedResources(
        tasks={"web": AllocatedTaskResources(cpu=AllocatedCpu(cpu_shares=mhz), memory=AllocatedMemory(memory_mb=64))},
        shared=AllocatedSharedResources(networks=(AllocatedNetwork(mode=network),)),
    )
    return Allocation(
        id=identifier,
        job_id="somebody-elses",
        node_id="n1",
        client_status=status,
        allocated_resources=resources,
        modify_index=1,
    )


def sink(nomad: FakeNomad, seen: View, neighbours: NeighbourStore | None = None) -> NamespaceSink:
    others = neighbours or NeighbourStore(lambda: None)
    return NamespaceSink("default", nomad.client, nomad.variables, seen, others, changed=lambda: None)


async def test_a_list_replaces_what_is_known_of_the_namespace() -> None:
    seen = view()
    seen.jobs.apply_job(stub("gone", name="other"))
    await sink(FakeNomad(jobs=[stub("u1")], allocations=[allocation("u1", "a1")]), seen).resync()
    assert seen.observation(U1).job is not None
    assert [each.id for each in seen.observation(U1).allocations] == ["a1"]
    assert seen.observation(PodUid("gone")).job is None


class Streamless:
    """Of event streams only that they do nothing."""

    def __call__(self, *_: object) -> EventStream:
        return cast("EventStream", self)

    async def run(self) -> None:
        """End at once."""


async def test_a_job_without_a_pod_that_the_first_list_lacked_is_found_by_a_second_look() -> None:
    nomad, seen, minutes = FakeNomad(jobs=[]), view(), itertools.count(1)
    looks: list[int] = []

    async def sleep(seconds: float) -> None:
        minute = next(minutes)
        if nomad.listed > len(looks):
            looks.append(minute - 1)
        if minute > 21:
            raise asyncio.CancelledError
        assert seconds == SECOND_LOOK
        nomad.answers["jobs"] = [stub("u1")]

    async with asyncio.TaskGroup() as tasks:
        following = Following(cast("Streams", Streamless()), tasks, lambda _: sink(nomad, seen))
        await following.follow("default").resync()
        looks.append(0)
        with pytest.raises(asyncio.CancelledError):
            await following.resync_slowly(sleep)
    assert seen.observation(U1).job is not None
    assert looks == [0, 1, 10, 20]


async def test_the_address_of_a_bridge_is_read_once_and_not_again() -> None:
    seen = view()
    listed = Allocation(id="a1", job_id="vk-u1", client_status="running", modify_index=3, **_bridge())
    whole = Allocation(
        id="a1",
        job_id="vk-u1",
        client_status="running",
        modify_index=3,
        network_status=NetworkStatus(address="172.26.64.3"),
        **_bridge(),
    )
    nomad = FakeNomad(jobs=[stub("u1")], allocations=[listed], whole=whole)
    follower = sink(nomad, seen)
    await follower.resync()
    await follower.resync()
    assert nomad.asked == ["a1"]
    status = seen.observation(U1).allocations[0].network_status
    assert status is not None
    assert status.address == "172.26.64.3"


def _bridge() -> dict[str, Any]:
    return {
        "allocated_resources": AllocatedResources(
            shared=AllocatedSharedResources(networks=(AllocatedNetwork(mode="bridge"),))
        )
    }


async def test_what_others_use_is_counted_until_it_ends() -> None:
    neighbours = NeighbourStore(lambda: None)
    follower = sink(FakeNomad(allocations=[used("x1", mhz=500), allocation("u1", "a1")]), view(), neighbours)
    await follower.resync()
    assert list(neighbours) == [Use(client="n1", mhz=500, mib=64)]
    follower.allocation(used("x1", mhz=500, status="complete"), 0.0)
    assert list(neighbours) == []


async def test_our_own_use_is_not_counted() -> None:
    seen, neighbours = view(), NeighbourStore(lambda: None)
    seen.pods.apply(pod("u1"))
    follower = sink(FakeNomad(), seen, neighbours)
    ours = allocation("u1", "a1")
    follower.allocation(ours, 0.0)
    assert list(neighbours) == []
    assert len(seen.observation(U1).allocations) == 1


def test_pods_are_looked_at_once_the_namespace_is_known() -> None:
    completions: list[str] = []
    follower = NamespaceSink(
        "default",
        FakeNomad().client,
        FakeNomad().variables,
        view(),
        NeighbourStore(lambda: None),
        changed=lambda: completions.append("x"),
    )
    states = [follower.synced]
    follower.connected()
    follower.disconnected(Unavailable("gone"))
    follower.connected()
    assert [*states, follower.synced] == [False, True]
    assert completions == ["x"]


def test_evaluations_reach_the_view() -> None:
    seen = view()
    seen.jobs.apply_job(stub("u1"))
    sink(FakeNomad(), seen).evaluation(evaluation("u1", status="blocked"), 0.0)
    found = seen.observation(U1).evaluation
    assert found is not None
    assert found.status == "blocked"


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def link(*, up: bool = True) -> tuple[Link, Clock, list[str]]:
    changes: list[str] = []
    clock = Clock()
    made = Link(lambda: changes.append(made.problem), clock)
    if up:
        made.up()
        changes.clear()
    return made, clock, changes


def test_a_leader_that_is_elected_anew_is_no_outage() -> None:
    nomad, clock, changes = link()
    for _ in range(5):
        nomad.down(Unavailable("No cluster leader"))
        clock.seconds += 1
    nomad.up()
    assert changes == []


def test_an_outage_is_told_when_it_lasts_and_once() -> None:
    nomad, clock, changes = link()
    for server in ("one", "two", "three", "one", "two"):
        nomad.down(Unavailable(f"{server} refuses"))
        clock.seconds += 5
    nomad.up()
    assert changes == ["three refuses", ""]


def test_an_outage_after_one_that_was_forgiven_is_forgiven_as_long() -> None:
    nomad, clock, changes = link()
    nomad.down(Unavailable("refused"))
    nomad.up()
    clock.seconds += 60
    nomad.down(Unavailable("refused"))
    assert changes == []


def test_at_a_start_the_second_attempt_in_vain_is_told() -> None:
    nomad, _, changes = link(up=False)
    asked = []
    for _ in range(2):
        nomad.down(Unavailable("refused"))
        asked.append(nomad.asked)
    assert asked == [False, True]
    assert changes == ["refused"]


def test_a_denial_is_told_at_once() -> None:
    nomad, _, changes = link()
    nomad.denied(Denied("ACL token expired"))
    assert changes == ["ACL token expired"]


def test_a_namespace_that_is_denied_says_so_until_it_is_not() -> None:
    changes: list[str] = []
    follower = NamespaceSink(
        "k8s-x",
        FakeNomad().client,
        FakeNomad().variables,
        view(),
        NeighbourStore(lambda: None),
        changed=lambda: changes.append(follower.problem),
    )
    follower.denied(Denied("Permission denied"))
    follower.connected()
    assert changes == ["Nomad namespace k8s-x: Permission denied", ""]


def test_a_denied_token_is_an_outage_for_new_pods() -> None:
    nomad, _, _ = link()
    follower = ClientsSink(FakeNomad().client, view(), nomad, node_pool="default", datacenters=("*",))
    follower.connected()
    follower.denied(Denied("ACL token expired"))
    assert nomad.problem == "ACL token expired"


@pytest.mark.parametrize(
    ("pool", "datacenters", "expected"),
    [
        ("default", ("*",), {"d1", "d2"}),
        ("edge", ("*",), {"e1"}),
        ("all", ("*",), {"d1", "d2", "e1"}),
        ("all", ("dc1",), {"d1", "e1"}),
        ("default", ("eu-*",), {"d2"}),
    ],
)
def test_only_clients_that_may_run_the_pods_count(pool: str, datacenters: tuple[str, ...], expected: set[str]) -> None:
    seen = view()
    follower = ClientsSink(FakeNomad().client, seen, link()[0], node_pool=pool, datacenters=datacenters)
    for client in (
        Client(id="d1", datacenter="dc1", modify_index=1),
        Client(id="d2", datacenter="eu-1", modify_index=1),
        Client(id="e1", datacenter="dc1", node_pool="edge", modify_index=1),
    ):
        follower.client(client, 0.0)
    assert {client.id for client in seen.clients} == expected


async def test_clients_are_read_whole_and_one_that_left_meanwhile_is_no_error() -> None:
    class Nomad(FakeNomad):
        @property
        def client(self) -> Any:
            return _Clients(self)

    class _Clients:
        def __init__(self, nomad: FakeNomad) -> None:
            self.clients = nomad.clients
            self.client = nomad.client_
            self.memory_oversubscription = nomad.memory_oversubscription

    stubs = [Client(id="n1", modify_index=1)]
    whole = Client(id="n1", modify_index=1, attributes={"unique.network.ip-address": "10.0.0.7"})
    for answer, address in ((whole, "10.0.0.7"), (NotFound("node not found"), "")):
        seen = view()
        nomad = Nomad(clients=stubs, whole=answer, oversubscription=True)
        follower = ClientsSink(nomad.client, seen, link()[0], node_pool="default", datacenters=("*",))
        await follower.resync()
        assert follower.memory_oversubscription
        assert seen.clients.address("n1") == address


async def test_only_namespaces_with_our_jobs_are_in_use() -> None:
    jobs = {"k8s-a": [stub("u1")], "k8s-b": [stub("u2", node="other")], "batch": [stub("u3")]}
    found = await namespaces_in_use(FakeNomad(jobs=jobs).client, view().is_ours, "k8s-{namespace}")
    assert found == ["k8s-a"]
    assert await namespaces_in_use(FakeNomad(jobs=jobs).client, view().is_ours, "batch") == ["batch"]


async def test_permits_are_known_and_those_of_strangers_not_looked_at() -> None:
    paths = [*(f"nomad/jobs/vk-u{number}/pod" for number in (1, 2, 3)), "nomad/jobs/vk-u4/pod/task"]
    nomad, notified = FakeNomad(jobs=[stub("u1"), stub("u2", cluster="c2")], paths=paths), Notified()
    seen = view(notified)
    seen.pods.apply(pod("u3", name="other"))
    notified.take()
    await sink(nomad, seen).resync()
    assert notified.take() == {"u1", "u3"}
    assert [bool(seen.observation(PodUid(uid)).permit) for uid in ("u1", "u3", "u4")] == [True, True, False]
