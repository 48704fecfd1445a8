"""Candidates with one Lease between them, in a time that only sleeping moves."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vnode.errors import Conflict, NotFound, Unavailable
from vnode.kube.leases import Lease, LeaseClient
from vnode.kube.reflector import Sink
from vnode.leadership.clock import Instant
from vnode.leadership.election import DEADLINE, DURATION
from vnode.leadership.leadership import Leadership
from vnode.leadership.term import Term


class Time:
    """A clock that tests move; sleepers wake when their time has come."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def read(self) -> Instant:
        return Instant(self.seconds, self.seconds)

    async def sleep(self, seconds: float) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.seconds + seconds, turn))
        await turn

    async def passes(self, seconds: float, step: float = 0.5) -> None:
        until = self.seconds + seconds
        while self.seconds < until:
            self.seconds += step
            for due, turn in tuple(self._sleepers):
                if due <= self.seconds and not turn.done():
                    turn.set_result(None)
            await settle()


class Server(LeaseClient):
    """One Lease in memory, with resource versions; `down` is an outage, `lose_reply` applies a write and hides it."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self.version = 0
        self.down = False
        self.lose_reply = False
        self.sinks: list[Sink[Lease]] = []
        self.writes: list[str] = []

    async def read(self) -> Lease:
        self._answer()
        if self.lease is None:
            raise NotFound("no Lease")
        return self.lease

    async def create(self, lease: Lease) -> Lease:
        self._answer()
        if self.lease is not None:
            raise Conflict("it is there")
        return self._store(lease)

    async def update(self, lease: Lease) -> Lease:
        self._answer()
        if self.lease is None or lease.version != self.lease.version:
            raise Conflict("changed, or gone")
        return self._store(lease)

    def restore(self, lease: Lease | None) -> None:
        """As etcd, from a snapshot: revisions go back, too."""
        assert lease is not None
        self.lease, self.version = lease, lease.version
        for sink in self.sinks:
            sink.replace([lease])

    def delete(self) -> None:
        gone, self.lease = self.lease, None
        if gone is not None:
            for sink in self.sinks:
                sink.remove(gone)

    async def follow(self, sink: Sink[Lease]) -> None:
        self.sinks.append(sink)
        try:
            await asyncio.Event().wait()
        finally:
            self.sinks.remove(sink)

    def _answer(self) -> None:
        if self.down:
            raise Unavailable("down")

    def _store(self, lease: Lease) -> Lease:
        self.version += 1
        self.lease = replace(lease, metadata={"resourceVersion": str(self.version)})
        self.writes.append(self.lease.holder)
        for sink in self.sinks:
            sink.apply(self.lease)
        if self.lose_reply:
            self.lose_reply = False
            raise Unavailable("the answer was lost")
        return self.lease


class Candidate:
    """A process that wants to lead, for as long as its task runs."""

    def __init__(self, name: str, server: Server, time: Time) -> None:
        self.term = Term(time.read, DEADLINE)
        self.leadership = Leadership(
            server,
            server.follow,
            name,
            self.term,
            now=time.now,
            clock=time.monotonic,
            read=time.read,
            sleep=self._sleep,
        )
        self._time = time
        self._awake = asyncio.Event()
        self._awake.set()
        self.leads = False
        self.regained = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._live())

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    def hang(self) -> None:
        """Go silent, as one that is stopped, or dead."""
        self._awake.clear()

    def wake(self) -> None:
        self._awake.set()

    async def _sleep(self, seconds: float) -> None:
        await self._time.sleep(seconds)
        await self._awake.wait()

    async def _live(self) -> None:
        while True:
            async with self.leadership.held(self._regain) as lost:
                self.leads = True
                try:
                    await lost.wait()
                finally:
                    self.leads = False

    def _regain(self) -> None:
        self.regained += 1


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class World:
    def __init__(self) -> None:
        self.time = Time()
        self.server = Server()
        self._candidates: list[Candidate] = []

    def candidate(self, name: str) -> Candidate:
        found = Candidate(name, self.server, self.time)
        self._candidates.append(found)
        found.start()
        return found

    async def end(self) -> None:
        for each in self._candidates:
            await each.stop()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.end()


async def test_the_first_candidate_leads_at_once(world: World) -> None:
    first = world.candidate("first")
    await settle()
    assert first.leads
    assert first.term.left() == DEADLINE


async def test_one_who_comes_second_stands_by_as_long_as_the_lease_is_renewed(world: World) -> None:
    first = world.candidate("first")
    await settle()
    second = world.candidate("second")
    await world.time.passes(120)
    assert (first.leads, second.leads) == (True, False)
    assert second.leadership.holder == "first"
    assert second.term.left() == 0


async def test_a_clean_end_hands_on_at_once(world: World) -> None:
    first = world.candidate("first")
    await settle()
    second = world.candidate("second")
    await settle()
    await first.stop()
    await settle()
    assert second.leads
    assert first.term.left() == 0
    assert world.server.lease is not None
    assert world.server.lease.spec["leaseTransitions"] == 1


async def test_after_a_crash_the_lease_is_taken_when_its_time_is_over_and_not_before(world: World) -> None:
    first = world.candidate("first")
    await settle()
    second = world.candidate("second")
    await settle()
    first.hang()
    await world.time.passes(DURATION - 1)
    assert not second.leads
    await world.time.passes(2)
    assert second.leads


async def test_who_hangs_may_not_write_long_before_another_leads(world: World) -> None:
    first = world.candidate("first")
    await settle()
    second = world.candidate("second")
    await settle()
    first.hang()
    fell = led = 0.0
    while not led:
        await world.time.passes(0.5)
        fell = fell or (world.time.seconds if not first.term.left() else 0.0)
        led = world.time.seconds if second.leads else 0.0
    assert led - fell >= DURATION - DEADLINE - 0.5


async def test_who_wakes_up_after_another_was_elected_steps_down_and_stands_by(world: World) -> None:
    first = world.candidate("first")
    await settle()
    first.hang()
    second = world.candidate("second")
    await world.time.passes(DURATION + 1)
    assert second.leads
    first.wake()
    await world.time.passes(4)
    assert (first.leads, second.leads) == (False, True)
    assert "second" in first.term.reason
    await second.stop()
    await settle()
    assert first.leads


async def test_an_outage_of_the_api_stops_writes_and_is_no_change_of_leader(world: World) -> None:
    first = world.candidate("first")
    await settle()
    world.server.down = True
    await world.time.passes(90)
    assert first.leads
    assert first.term.left() == 0
    world.server.down = False
    await world.time.passes(2)
    assert first.leads
    assert first.term.left() > 0
    assert first.regained == 1


async def test_a_lost_answer_to_a_renewal_is_followed_by_a_look(world: World) -> None:
    first = world.candidate("first")
    await settle()
    world.server.lose_reply = True
    await world.time.passes(30)
    assert first.leads
    assert first.term.left() > 0
    assert first.regained == 0


async def test_a_lost_answer_to_the_first_claim_does_not_make_a_rival_of_ourselves(world: World) -> None:
    world.server.lose_reply = True
    first = world.candidate("first")
    await world.time.passes(3)
    assert first.leads


async def test_a_lease_deleted_by_hand_goes_back_to_its_holder(world: World) -> None:
    first = world.candidate("first")
    await settle()
    second = world.candidate("second")
    await settle()
    world.server.delete()
    await world.time.passes(60)
    assert (first.leads, second.leads) == (True, False)
    assert world.server.lease is not None
    assert world.server.lease.holder == "first"


async def test_a_lease_as_it_was_long_ago_makes_no_second_leader(world: World) -> None:
    first = world.candidate("first")
    await settle()
    second = world.candidate("second")
    await settle()
    snapshot = world.server.lease
    await first.stop()
    await settle()
    first.start()
    await world.time.passes(30)
    assert second.leads
    world.server.restore(snapshot)
    for _ in range(100):
        await world.time.passes(0.5)
        assert [each.term.left() > 0 for each in (first, second)].count(True) <= 1
    assert [first.leads, second.leads].count(True) == 1


async def test_of_many_candidates_one_leads(world: World) -> None:
    candidates = [world.candidate(f"replica-{number}") for number in range(5)]
    await world.time.passes(60)
    assert [each.leads for each in candidates].count(True) == 1
