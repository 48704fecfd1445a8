"""How many connections to Nomad we hold at once, and who goes first.

Nomad allows one address 100 connections (`limits.http_max_conns_per_client`) and closes the next one, whatever it
was for. So we stay below it ourselves: 24 requests, of which ordinary ones leave 8 free for control traffic (stop,
status, variables); 48 for logs and exec; the rest is left to the event streams and to a second replica's start.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from vnode.nomad.errors import TooManyStreams

REQUESTS = 24
RESERVED_FOR_CONTROL = 8
STREAMS = 48

_Waiters = deque[asyncio.Future[None]]


class RequestBudget:
    """Bounds the requests in flight; control traffic is served first and always finds its reserve.

    Those who wait are as many as there are callers: the reconciler's workers and a few loops.
    """

    def __init__(self, total: int = REQUESTS, reserved: int = RESERVED_FOR_CONTROL) -> None:
        self._free = total
        self._reserved = reserved
        self._control: _Waiters = deque()
        self._ordinary: _Waiters = deque()

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self._control) + len(self._ordinary)

    @asynccontextmanager
    async def request(self, *, control: bool) -> AsyncIterator[None]:
        """Hold one request; waits until there is room for its kind."""
        await self._acquire(control=control)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, *, control: bool) -> None:
        waiters = self._control if control else self._ordinary
        if self._room(control=control) and not waiters:
            self._free -= 1
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
        return self._free > (0 if control else self._reserved)

    def _release(self) -> None:
        self._free += 1
        for waiters, control in ((self._control, True), (self._ordinary, False)):
            while waiters and self._room(control=control):
                turn = waiters.popleft()
                if not turn.done():
                    self._free -= 1
                    turn.set_result(None)


class StreamBudget:
    """Bounds the logs and exec sessions; whoever comes too late is told so at once instead of hanging."""

    def __init__(self, total: int = STREAMS) -> None:
        self._total = total
        self._open = 0

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Hold one stream; raises TooManyStreams when all are taken."""
        if self._open >= self._total:
            raise TooManyStreams(
                f"{self._total} logs and exec sessions are open, as many as this node keeps with Nomad, which bounds"
                " the connections of one address (limits.http_max_conns_per_client): end one and try again, or raise"
                " that limit and vnode's --nomad-streams"
            )
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
