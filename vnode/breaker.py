"""A breaker for each peer: while one gives no answer, the many who want something of it do not all try in vain.

It opens after some requests in a row that nothing came back for, and lets one try at a time through, ever more seldom.
Whoever gets an answer, a stream too, closes it; and those who asked for it are told, for what was given up meanwhile
need not wait for the end of a back-off. An answer is an answer, an error no less: it says that somebody is there.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from vnode.errors import NoAnswer, PeerError

_log = structlog.get_logger(__name__)

#: Requests without an answer, one after the other, after which the peer counts as away.
OPENS_AFTER = 5
#: Seconds between two tries.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0


class Breaker:
    """Of one peer; `clock` is monotonic seconds."""

    def __init__(self, peer: str, clock: Callable[[], float]) -> None:
        self.peer = peer
        self._clock = clock
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._next_try = 0.0
        self._error = ""
        self._told: list[Callable[[], None]] = []

    @property
    def is_open(self) -> bool:
        """Whether the peer counts as away."""
        return self._failures >= OPENS_AFTER

    @contextmanager
    def telling(self, told: Callable[[], None]) -> Iterator[None]:
        """Call `told` whenever the peer is back, while the block lasts."""
        self._told.append(told)
        try:
            yield
        finally:
            self._told.remove(told)

    def ask(self) -> None:
        """Before a request: raises NoAnswer when it is not worth one."""
        if not self.is_open:
            return
        now = self._clock()
        if now < self._next_try:
            raise NoAnswer(self._error, retry_after=self._next_try - now)
        self._pause = min(LONGEST_PAUSE, self._pause * 2)
        self._next_try = now + self._pause

    def answered(self) -> None:
        """The peer said something."""
        was_open, self._failures, self._pause = self.is_open, 0, FIRST_PAUSE
        if was_open:
            _log.info("a peer answers again", peer=self.peer)
            for told in tuple(self._told):
                told()

    def failed(self, error: PeerError) -> None:
        """Nothing came back, or word that nobody is there to serve us."""
        self._failures += 1
        self._error = str(error)
        if self._failures == OPENS_AFTER:
            self._next_try = self._clock() + self._pause
            _log.warning("a peer does not answer", peer=self.peer, error=self._error)
