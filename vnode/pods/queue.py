"""A queue of keys that want to be looked at.

Every event about a Pod only says "look at this UID again". The queue makes that cheap and safe: a key waits
at most once, is worked by one round at a time, and comes back later with a growing delay when its round failed.
The semantics are those of client-go's workqueue (util/workqueue/queue.go), without its global rate limit:
what limits us is the number of requests in flight at each peer.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=str)

#: The first delay after a failure and the longest one, seconds.
FIRST_DELAY = 0.5
LONGEST_DELAY = 300.0


class KeyedQueue(Generic[Key]):
    """Keys to be worked, each at most once at a time.

    `clock` is monotonic, seconds. All methods but `get` are synchronous and belong to the event loop's thread.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ready: deque[Key] = deque()
        self._waiting: set[Key] = set()
        self._working: set[Key] = set()
        self._dirty: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._tickets = itertools.count()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """The number of keys that wait to be worked now."""
        return len(self._ready)

    @property
    def due(self) -> int:
        """The number of keys that wait for a later time."""
        return len(self._due)

    def add(self, key: Key) -> None:
        """Ask for a round over `key` as soon as a worker is free."""
        if key in self._working:
            self._dirty.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)
            self._wake.set()

    def add_after(self, key: Key, delay: float) -> None:
        """Ask for a round in `delay` seconds; of several such wishes the earliest counts."""
        due = self._clock() + max(delay, 0.0)
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._heap, (due, next(self._tickets), key))
            self._wake.set()

    def forget_due(self, key: Key) -> None:
        """Withdraw an earlier wish for a later round: the round that begins now says anew when to look again."""
        self._due.pop(key, None)

    def failed(self, key: Key, *, at_least: float = 0.0) -> float:
        """Ask for another round after a growing delay, which is returned in seconds.

        `at_least` is the peer's wish; one beyond our own longest delay is not granted.
        """
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        delay = min(LONGEST_DELAY, max(at_least, FIRST_DELAY * 2.0 ** min(count, 16)))
        self.add_after(key, delay)
        return delay

    def failures(self, key: Key) -> int:
        """How many rounds over `key` failed, one after the other."""
        return self._failures.get(key, 0)

    def succeeded(self, key: Key) -> None:
        """Forget the failures of `key`."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """Wait for a key; it must be given back with `done`."""
        while True:
            self._release_due()
            if self._ready:
                break
            self._wake.clear()
            await self._wait_for_more()
        key = self._ready.popleft()
        self._waiting.discard(key)
        self._working.add(key)
        if self._ready:
            self._wake.set()
        return key

    def done(self, key: Key) -> None:
        """End the round over `key`; if something happened to it meanwhile, it is ready again."""
        self._working.discard(key)
        if key in self._dirty:
            self._dirty.discard(key)
            self.add(key)

    def _release_due(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)

    async def _wait_for_more(self) -> None:
        if not self._heap:
            await self._wake.wait()
            return
        try:
            async with asyncio.timeout(max(0.0, self._heap[0][0] - self._clock())):
                await self._wake.wait()
        except TimeoutError:
            return
