"""Ends a block when the client that it works for goes away, or nothing moves for too long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ClientGone(Exception):
    """The client has closed the connection, or said that it will send and read no more."""


class Idle(ClientGone):
    """Nothing was sent in either direction for as long as the node allows."""


class Lifeline:
    """Holds a block; the client's end of it is pulled from callbacks."""

    def __init__(self, scope: asyncio.Timeout, idle_limit: float) -> None:
        self._scope = scope
        self._idle_limit = idle_limit
        self._loop = asyncio.get_running_loop()
        self._moved = self._loop.time()
        self._untied = False
        self.reason: ClientGone | None = None

    def moved(self) -> None:
        """Something was sent; it counts when it is noticeably later than the last time."""
        now = self._loop.time()
        if self._holds and now - self._moved > self._idle_limit / 100:
            self._moved = now
            self._scope.reschedule(now + self._idle_limit)

    def cut(self, reason: ClientGone) -> None:
        """The client went away: the block is cancelled now."""
        if self._holds:
            self.reason = reason
            self._scope.reschedule(self._loop.time())

    def untie(self) -> None:
        """From now on the block ends by itself only."""
        if self._holds:
            self._scope.reschedule(None)
        self._untied = True

    @property
    def _holds(self) -> bool:
        return not (self._untied or self._scope.expired() or self.reason is not None)


@asynccontextmanager
async def lifeline(idle_limit: float) -> AsyncIterator[Lifeline]:
    """Run a block that ends with ClientGone as soon as its lifeline is cut, and with Idle after the limit."""
    try:
        async with asyncio.timeout(idle_limit) as scope:
            line = Lifeline(scope, idle_limit)
            try:
                yield line
            finally:
                line.untie()
    except TimeoutError:
        if scope.expired():
            raise line.reason or Idle(f"nothing was sent for {idle_limit:g} s") from None
        raise
    except BaseExceptionGroup as group:
        gone, rest = group.split(ClientGone)
        if rest is None and gone is not None:
            raise line.reason or ClientGone("the client has gone") from None
        raise
