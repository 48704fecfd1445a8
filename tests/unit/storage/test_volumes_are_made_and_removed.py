"""The provisioner, with both sides as lists in memory."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.unit.translators.claims import HOST, claim, storage_class, volume
from translators.provisioning import Home
from translators.records.allocations import Client
from translators.records.storage import HostVolume, HostVolumeStub, PersistentVolume, StorageClass
from vnode.errors import Denied, PeerError, Unavailable, Withheld
from vnode.kube.events import Note, Regarding
from vnode.storage.provisioner import Provisioner
from vnode.view.claims import ClaimStore

SELECTED = {"volume.kubernetes.io/storage-provisioner": HOST, "volume.kubernetes.io/selected-node": "nomad"}
NEW = claim(phase="Pending", volumeName="", annotations=SELECTED)
LEFT = volume(
    phase="Released",
    annotations={"pv.kubernetes.io/provisioned-by": HOST},
    attributes={"cluster": "c1", "node": "nomad", "namespace": "k8s-team-a", "id": "h1"},
)
READY = (Client(id="n1", status="ready", attributes={"plugins.host_volume.mkdir.version": "1"}),)
_VOLUME = TypeAdapter(PersistentVolume)


@dataclass
class Kubernetes:
    bodies: list[Mapping[str, Any]] = field(default_factory=list)
    current: PersistentVolume | None = None
    deleted: list[tuple[str, str]] = field(default_factory=list)

    async def storage_class(self, name: str) -> StorageClass:
        assert name == "nomad"
        return storage_class()

    async def get(self, name: str) -> PersistentVolume | None:
        assert name == "v1"
        return self.current

    async def create(self, body: Mapping[str, Any]) -> None:
        self.bodies.append(body)

    async def delete(self, name: str, uid: str) -> None:
        self.deleted.append((name, uid))


@dataclass
class Nomad:
    held: list[HostVolumeStub] = field(default_factory=list)
    state: str = "ready"
    problem: PeerError | None = None
    deleted: list[tuple[str, str]] = field(default_factory=list)

    async def named(self, namespace: str, name: str) -> list[HostVolumeStub]:
        assert namespace == "k8s-team-a"
        return [replace(each, state=self.state) for each in self.held if each.name == name]

    async def create(self, volume: HostVolume) -> HostVolumeStub:
        made = HostVolumeStub(id="h1", name=volume.name, node_id=volume.node_id, state=self.state)
        self.held.append(made)
        if self.problem is not None:
            raise self.problem
        return made

    async def delete(self, namespace: str, volume_id: str) -> None:
        if self.problem is not None:
            raise self.problem
        self.deleted.append((namespace, volume_id))


@dataclass
class Queue:
    keys: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)

    def add(self, key: str) -> None:
        if key not in self.keys:
            self.keys.append(key)

    async def get(self) -> str:
        if not self.keys:
            raise asyncio.CancelledError
        return self.keys.pop(0)

    def done(self, key: str) -> None:
        assert key not in self.keys

    def failed(self, key: str) -> float:
        self.again.append(key)
        return 0.5

    def succeeded(self, key: str) -> None:
        assert key not in self.again


@dataclass
class World:
    kubernetes: Kubernetes = field(default_factory=Kubernetes)
    nomad: Nomad = field(default_factory=Nomad)
    queue: Queue = field(default_factory=Queue)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    clients: tuple[Client, ...] | None = READY
    store: ClaimStore = field(default_factory=lambda: ClaimStore(lambda _: None))

    def __post_init__(self) -> None:
        self.provisioner = Provisioner(
            Home(cluster="c1", node="nomad"),
            self.store,
            self.queue,
            self.kubernetes,
            self.nomad,
            self,
            namespace=lambda name: f"k8s-{name}",
            clients=lambda: self.clients,
        )

    def record(self, regarding: Regarding, note: Note) -> None:
        self.told.append((regarding.kind, note.reason, note.message))

    async def work(self) -> None:
        """What is to be done now, and what was put off."""
        self.queue.keys += self.queue.again
        self.queue.again.clear()
        with suppress(asyncio.CancelledError):
            await self.provisioner.work()


@pytest.fixture
def world() -> World:
    return World()


async def test_a_claim_gets_its_volume_once(world: World) -> None:
    world.store.claims.apply(NEW)
    world.store.claims.apply(NEW)
    await world.work()
    assert [(each.name, each.node_id) for each in world.nomad.held] == [("pvc-0a1b", "n1")]
    assert {body["metadata"]["name"] for body in world.kubernetes.bodies} == {"pvc-0a1b"}
    assert ("PersistentVolumeClaim", "ProvisioningSucceeded") in {each[:2] for each in world.told}
    world.store.claims.apply(claim(annotations=SELECTED))
    assert world.queue.keys == []


async def test_an_attempt_whose_answer_was_lost_is_gone_on_with(world: World) -> None:
    world.nomad.problem = Unavailable("no answer")
    world.store.claims.apply(NEW)
    await world.work()
    assert world.kubernetes.bodies == []
    assert world.told == [("PersistentVolumeClaim", "ProvisioningFailed", "no answer")]
    world.nomad.problem = None
    await world.work()
    assert len(world.nomad.held) == 1
    assert len(world.kubernetes.bodies) == 1


async def test_kubernetes_hears_of_a_volume_when_jobs_can_be_placed_where_it_is(world: World) -> None:
    world.nomad.state = "pending"
    world.store.claims.apply(NEW)
    await world.work()
    await world.work()
    assert (world.kubernetes.bodies, world.told) == ([], [])
    world.nomad.state = "ready"
    await world.work()
    assert len(world.kubernetes.bodies) == 1
    assert len(world.nomad.held) == 1


async def test_clients_that_are_not_known_yet_are_waited_for_in_silence(world: World) -> None:
    world.clients = None
    world.store.claims.apply(NEW)
    await world.work()
    assert (world.told, world.queue.again) == ([], ["team-a/data"])
    world.clients = ()
    await world.work()
    assert "no Nomad client of the Node is ready" in world.told[0][2]


async def test_of_two_attempts_the_first_one_counts(world: World) -> None:
    world.nomad.held = [HostVolumeStub(id=name, name="pvc-0a1b", node_id="n1") for name in ("h1", "h2")]
    world.store.claims.apply(NEW)
    await world.work()
    assert world.nomad.deleted == [("k8s-team-a", "h2")]
    [body] = world.kubernetes.bodies
    assert body["spec"]["csi"]["volumeAttributes"]["id"] == "h1"


async def test_a_right_that_is_missing_is_told_with_the_way_out(world: World) -> None:
    world.nomad.problem = Denied("Nomad: Permission denied")
    world.store.claims.apply(NEW)
    await world.work()
    assert "deploy/components/persistent-volumes" in world.told[0][2]


async def test_a_claim_of_a_class_that_does_not_wait_is_told_so(world: World) -> None:
    unplaced = claim(phase="Pending", volumeName="", annotations={"volume.kubernetes.io/storage-provisioner": HOST})
    world.store.claims.apply(unplaced)
    await world.work()
    assert world.nomad.held == []
    [(_, reason, message)] = world.told
    assert (reason, "WaitForFirstConsumer" in message) == ("ProvisioningFailed", True)


async def test_a_claim_that_went_meanwhile_gets_nothing(world: World) -> None:
    world.store.claims.apply(NEW)
    world.store.claims.remove(NEW)
    await world.work()
    assert world.nomad.held == []


async def test_a_volume_that_is_left_is_removed_on_both_sides(world: World) -> None:
    world.kubernetes.current = LEFT
    world.store.volumes.apply(LEFT)
    await world.work()
    assert world.nomad.deleted == [("k8s-team-a", "h1")]
    assert world.kubernetes.deleted == [("v1", "u1")]


@pytest.mark.parametrize(
    "now", [None, replace(LEFT, spec=replace(LEFT.spec, persistent_volume_reclaim_policy="Retain"))]
)
async def test_what_was_decided_meanwhile_counts(world: World, now: PersistentVolume | None) -> None:
    world.kubernetes.current = now
    world.store.volumes.apply(LEFT)
    await world.work()
    assert (world.nomad.deleted, world.kubernetes.deleted) == ([], [])


async def test_a_volume_that_is_in_use_stays_and_is_asked_for_again(world: World) -> None:
    world.kubernetes.current = LEFT
    world.nomad.problem = Unavailable("in use by allocations")
    world.store.volumes.apply(LEFT)
    await world.work()
    assert world.kubernetes.deleted == []
    assert world.told == [("PersistentVolume", "VolumeFailedDelete", "in use by allocations")]
    world.nomad.problem = None
    await world.work()
    assert world.kubernetes.deleted == [("v1", "u1")]


async def test_who_may_not_write_any_more_leaves_it_to_the_next(world: World) -> None:
    world.kubernetes.current = LEFT
    world.nomad.problem = Withheld("another replica leads")
    world.store.volumes.apply(LEFT)
    await world.work()
    assert (world.told, world.queue.again) == ([], [])
