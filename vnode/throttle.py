"""How many requests to a peer are in flight at once, and who goes first.

A peer that has no room for a request says so without looking at it (429): Nomad by the connections of one address, the
API server by its flow control. To ask again as often as before would only be refused again, so the number is halved at
a refusal and grows by one with each round of answers, as TCP shares a line (RFC 5681).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from vnode.errors import Busy

_Waiters = deque[asyncio.Future[None]]


class Throttle:
    """Bounds the requests in flight by `total`; control traffic is served first and always finds its `reserved`.

    Those who wait are as many as there are callers: the reconciler's workers and a few loops.
    """

    def __init__(self, total: int, reserved: int = 0) -> None:
        self._total = total
        self._share = (total - reserved) / total
        self._limit = float(total)
        self._in_flight = 0
        self._begun = 0
        self._narrowed = 0
        self._control: _Waiters = deque()
        self._ordinary: _Waiters = deque()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self._control) + len(self._ordinary)

    async def lull(self, within: float) -> None:
        """Wait until nothing is in flight, at most `within` seconds: for what is worth less than all else."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._idle.wait()

    @asynccontextmanager
    async def request(self, *, control: bool = False) -> AsyncIterator[None]:
        """Hold one request; waits until there is room for its kind. A Busy of the block narrows the room."""
        await self._acquire(control=control)
        self._begun += 1
        number = self._begun
        try:
            yield
        except Busy:
            self._narrow(number)
            raise
        else:
            self._limit = min(self._total, self._limit + 1 / self._limit)
        finally:
            self._release()

    def _narrow(self, number: int) -> None:
        """Once for all that were in flight together: a refusal of one that began before tells nothing new."""
        if number > self._narrowed:
            self._limit = max(1.0, self._limit / 2)
            self._narrowed = self._begun

    async def _acquire(self, *, control: bool) -> None:
        waiters = self._control if control else self._ordinary
        if self._room(control=control) and not waiters:
            self._in_flight += 1
            self._idle.clear()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._release()
            elif turn in waiters:
                waiters.remove(turn)
            raise

    def _room(self, *, control: bool) -> bool:
        limit = self._limit if control else max(1.0, self._limit * self._share)
        return self._in_flight + 1 <= limit

    def _release(self) -> None:
        self._in_flight -= 1
        for waiters, control in ((self._control, True), (self._ordinary, False)):
            while waiters and self._room(control=control):
                turn = waiters.popleft()
                if not turn.done():
                    self._in_flight += 1
                    turn.set_result(None)
        if not self._in_flight:
            self._idle.set()
