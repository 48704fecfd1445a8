"""Asks Nomad what everything uses, when somebody wants to know: one round for all who ask at about the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Protocol

import structlog

from translators.records.allocations import Client
from vnode.errors import NotFound, PeerError
from vnode.kubelet.directory import PodDirectory
from vnode.kubelet.stats.ledger import Answers, Ledger, allocations
from vnode.kubelet.stats.usage import HostSample, Snapshot, host_sample
from vnode.nomad.usage import AllocationUsage, ClientUsage

_log = structlog.get_logger(__name__)

#: Seconds that a snapshot is good for: less than the 10 s below which metrics-server cannot be set.
KEPT = 8.0

#: Seconds of one round, less than the 10 s that metrics-server and Prometheus wait; who is slower is left out.
_ROUND = 8.0

#: Requests at once, of the 16 that ordinary traffic has: a scrape of a full Node delays no Pod's start.
_AT_ONCE = 4


class UsageSource(Protocol):
    """The part of `vnode.nomad.client.NomadClient` that is asked here."""

    async def allocation_usage(self, allocation_id: str) -> AllocationUsage:
        """What the tasks of an allocation use. Raises vnode.errors."""
        ...

    async def client_usage(self, client_id: str) -> ClientUsage:
        """What a client's host uses. Raises vnode.errors."""
        ...


class Measurements:
    """The newest snapshot, made when it is asked for; whoever asks meanwhile waits for the same one.

    `clock` is monotonic, in seconds; `now` is ns since the epoch; a round ends `within` seconds.
    """

    def __init__(
        self,
        source: UsageSource,
        directory: PodDirectory,
        clients: Callable[[], Iterable[Client]],
        *,
        clock: Callable[[], float],
        now: Callable[[], int],
        within: float = _ROUND,
    ) -> None:
        self._source = source
        self._within = within
        self._directory = directory
        self._clients = clients
        self._clock = clock
        self._now = now
        self._ledger = Ledger(now())
        self._snapshot = Snapshot()
        self._good_until = float("-inf")
        self._measuring = asyncio.Lock()
        self._said = ""

    async def current(self) -> Snapshot:
        """The snapshot of the last eight seconds; what Nomad does not tell is missing and said in `problem`."""
        async with self._measuring:
            if self._clock() >= self._good_until:
                self._snapshot = await self._measure()
                self._good_until = self._clock() + KEPT
            return self._snapshot

    async def _measure(self) -> Snapshot:
        pods = tuple(self._directory.pods())
        clients = [client.id for client in self._clients() if client.status == "ready"]
        answers = await _Round(self._source, self._within).ask(allocations(pods), clients, self._now)
        snapshot = self._ledger.enter(pods, clients, answers)
        if snapshot.problem and snapshot.problem != self._said:
            _log.warning("not everything could be measured", problem=snapshot.problem)
        self._said = snapshot.problem
        return snapshot


class _Round:
    """One time around: every allocation and every host asked once."""

    def __init__(self, source: UsageSource, within: float) -> None:
        self._source = source
        self._within = within
        self._allocations: dict[str, AllocationUsage] = {}
        self._hosts: dict[str, HostSample] = {}
        self._problem = ""

    async def ask(self, allocation_ids: Iterable[str], client_ids: Iterable[str], now: Callable[[], int]) -> Answers:
        """Whatever is answered in time."""
        questions = self._questions(tuple(allocation_ids), tuple(client_ids))
        try:
            async with asyncio.timeout(self._within), asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(self._work(questions))
        except TimeoutError:
            self._problem = f"Nomad did not answer for everything within {self._within:g} s"
        return Answers(at=now(), allocations=self._allocations, hosts=self._hosts, problem=self._problem)

    def _questions(self, allocation_ids: Iterable[str], client_ids: Iterable[str]) -> Iterator[Awaitable[None]]:
        """Made one by one, so that none is left over, never awaited, when time is up."""
        for each in client_ids:
            yield self._host(each)
        for each in allocation_ids:
            yield self._allocation(each)

    async def _work(self, questions: Iterator[Awaitable[None]]) -> None:
        for question in questions:
            try:
                await question
            except NotFound:
                # It has gone since it was listed, or its client has: that is told where Pods and Node are followed.
                continue
            except PeerError as error:
                self._problem = str(error)

    async def _allocation(self, allocation_id: str) -> None:
        self._allocations[allocation_id] = await self._source.allocation_usage(allocation_id)

    async def _host(self, client_id: str) -> None:
        if (sample := host_sample(await self._source.client_usage(client_id))) is not None:
            self._hosts[client_id] = sample
