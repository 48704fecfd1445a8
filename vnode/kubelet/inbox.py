"""Bytes that came for one reader, and whether it takes them."""

import asyncio
from collections import deque
from collections.abc import Callable

#: Bytes that wait for a reader before its connection is not read any more.
FULL = 256 * 1024


class Inbox:
    """Bounded by its connection: it says when it is full and when it is not any more."""

    def __init__(self, changed: Callable[["Inbox"], None], *, size: int = FULL) -> None:
        self._changed = changed
        self._size = size
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._ended = False
        self._error: Exception | None = None
        self._news = asyncio.Event()

    @property
    def full(self) -> bool:
        """So much waits that no more should come."""
        return self._waiting >= self._size and self._error is None

    def put(self, data: bytes) -> None:
        """Bytes came; after the end they are dropped."""
        if self._ended or self._error is not None:
            return
        was_full = self.full
        self._pieces.append(data)
        self._waiting += len(data)
        self._news.set()
        if self.full is not was_full:
            self._changed(self)

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._news.set()

    def fail(self, error: Exception) -> None:
        """Whoever reads gets this error, and what waits is dropped."""
        if self._error is None:
            was_full = self.full
            self._error = error
            self._pieces.clear()
            self._news.set()
            if was_full:
                self._changed(self)

    def discard(self) -> None:
        """Nobody reads any more: what waits and what comes is dropped, and a reader finds the end."""
        was_full = self.full
        self._pieces.clear()
        self._waiting = 0
        self.end()
        if was_full:
            self._changed(self)

    async def get(self) -> bytes:
        """The next bytes; empty at the end. Raises what `fail` was told."""
        await self._news.wait()
        if self._error is not None:
            raise self._error
        if not self._pieces:
            return b""
        was_full = self.full
        data = self._next()
        self._waiting -= len(data)
        if not self._pieces and not self._ended:
            self._news.clear()
        if self.full is not was_full:
            self._changed(self)
        return data

    def _next(self) -> bytes:
        """Small pieces in one, a large one alone."""
        taken = [self._pieces.popleft()]
        length = len(taken[0])
        while self._pieces and length + len(self._pieces[0]) <= self._size:
            taken.append(self._pieces.popleft())
            length += len(taken[-1])
        return b"".join(taken) if len(taken) > 1 else taken[0]
