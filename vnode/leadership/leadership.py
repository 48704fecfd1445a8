"""The election as it goes: stand by, take the Lease, keep it, hand it on.

Who leads renews; who stands by watches. What makes it safe is not this loop but the fence at every write: it is shut
before anybody else may take the Lease, whether this loop runs, hangs or is stopped.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

import structlog

from vnode.errors import Conflict, NotFound, PeerError
from vnode.kube.leases import Lease, LeaseClient
from vnode.kube.reflector import Sink
from vnode.leadership import election
from vnode.leadership.clock import Instant
from vnode.leadership.election import RENEWED_EVERY, RETRIED_AFTER, Rival
from vnode.leadership.term import Term

_log = structlog.get_logger(__name__)


class Follow(Protocol):
    """Follows the Lease for a sink until it is cancelled."""

    def __call__(self, sink: Sink[Lease], /) -> Awaitable[None]:
        """Keep telling."""
        ...


class Leadership:
    """One candidate. `now` is the time of day, `clock` monotonic seconds, `read` both in a form that never stalls."""

    def __init__(
        self,
        leases: LeaseClient,
        follow: Follow,
        identity: str,
        term: Term,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        read: Callable[[], Instant],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.identity = identity
        self._leases = leases
        self._follow = follow
        self._term = term
        self._now = now
        self._clock = clock
        self._read = read
        self._sleep = sleep
        self._lease: Lease | None = None
        self._rival: Rival | None = None
        self._seen = asyncio.Event()
        self._problem: PeerError | None = None

    @property
    def holder(self) -> str:
        """Who leads, as far as we know; empty for nobody."""
        return self._lease.holder if self._lease is not None else ""

    @asynccontextmanager
    async def held(self, regained: Callable[[], None]) -> AsyncIterator[asyncio.Event]:
        """Wait until we are elected; the event is set when somebody else was.

        `regained` is called when writes are possible again after a time in which they were not. The Lease is released
        at the end, when nothing of ours writes any more.
        """
        await self._elected()
        _log.info("leads", identity=self.identity)
        lost = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(self._keep(lost, regained))
                try:
                    yield lost
                finally:
                    keeping.cancel()
        finally:
            if not lost.is_set():
                self._term.end("this replica of vnode leads no more")
                await self._release()

    def replace(self, leases: list[Lease], /) -> None:
        """From the reflector: the Lease, or nothing."""
        self._see(leases[0] if leases else None)

    def apply(self, lease: Lease, /) -> None:
        """From the reflector: taken, renewed or released."""
        self._see(lease)

    def remove(self, _: Lease, /) -> None:
        """From the reflector: deleted by hand."""
        self._see(None)

    async def _elected(self) -> None:
        """Wait until the Lease is ours; the first look costs no watch."""
        while not await self._look():
            await self._sleep(RETRIED_AFTER)
        if not self._patience() and await self._take():
            return
        if self._patience():
            _log.info("stands by", holder=self.holder, identity=self.identity)
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(self._followed())
            while True:
                await self._waited()
                if await self._take():
                    break
            following.cancel()

    async def _waited(self) -> None:
        """Wait until nobody is known to hold the Lease any more."""
        while patience := self._patience():
            self._seen.clear()
            sooner = asyncio.create_task(self._seen.wait())
            alarm = asyncio.create_task(self._alarm(patience))
            try:
                await asyncio.wait((sooner, alarm), return_when=asyncio.FIRST_COMPLETED)
            finally:
                sooner.cancel()
                alarm.cancel()

    async def _alarm(self, seconds: float) -> None:
        await self._sleep(seconds)

    async def _followed(self) -> None:
        await self._follow(self)

    async def _look(self) -> bool:
        try:
            self._see(await self._current())
        except PeerError as problem:
            self._tell(problem)
            return False
        return True

    async def _take(self) -> bool:
        sent = self._read()
        try:
            self._lease = await self._write(election.claim(self._lease, self.identity, self._now()))
        except Conflict:
            # Somebody was faster, or it is gone: a PUT on what is not there is a conflict, too.
            if not await self._look():
                await self._sleep(RETRIED_AFTER)
            return False
        except PeerError as problem:
            self._tell(problem)
            await self._sleep(RETRIED_AFTER)
            return False
        self._tell(None)
        self._rival = None
        self._term.renewed(sent)
        return True

    async def _keep(self, lost: asyncio.Event, regained: Callable[[], None]) -> None:
        while True:
            await self._sleep(RETRIED_AFTER if self._problem else RENEWED_EVERY)
            sent = self._read()
            try:
                kept = await self._renewed()
            except PeerError as problem:
                self._tell(problem)
                continue
            self._tell(None)
            if not kept:
                self._term.end(f"another replica of vnode, {self.holder}, looks after the Node")
                _log.warning("leads no more", holder=self.holder, identity=self.identity)
                lost.set()
                return
            was_shut = self._term.left() <= 0
            self._term.renewed(sent)
            if was_shut:
                _log.info("may write again", identity=self.identity)
                regained()

    async def _renewed(self) -> bool:
        """Whether the Lease is ours still; a conflict may be of our own making, by an answer that was lost."""
        try:
            self._lease = await self._write(election.claim(self._lease, self.identity, self._now()))
        except (Conflict, NotFound):
            self._see(await self._current())
            if self.holder not in {"", self.identity}:
                return False
            self._lease = await self._write(election.claim(self._lease, self.identity, self._now()))
        return True

    async def _release(self) -> None:
        if self._lease is None:
            return
        try:
            await self._leases.update(election.release(self._lease, self._now()))
        except PeerError as problem:
            _log.warning("the Lease was not released; others wait until it ends", problem=str(problem))
        else:
            _log.info("released the Lease", identity=self.identity)

    async def _write(self, lease: Lease) -> Lease:
        return await (self._leases.update(lease) if lease.version else self._leases.create(lease))

    async def _current(self) -> Lease | None:
        try:
            return await self._leases.read()
        except NotFound:
            return None

    def _see(self, lease: Lease | None) -> None:
        self._lease = lease
        self._rival = election.sighted(lease, self.identity, self._rival, self._clock())
        self._seen.set()

    def _patience(self) -> float:
        return election.patience(self._lease, self._rival, self._clock())

    def _tell(self, problem: PeerError | None) -> None:
        """Log changes only."""
        before, self._problem = self._problem, problem
        if problem is not None and type(problem) is not type(before):
            _log.warning("the Lease of the election is not written or read", problem=str(problem))
