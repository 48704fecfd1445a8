"""How many logs may be read from Nomad at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from vnode.nomad.budget import STREAMS


def log_streams(streams: int) -> int:
    """How many of the streams that we keep with Nomad may be logs; the others are left to exec."""
    return max(streams * 5 // 6, 2)


DEFAULT_LOG_STREAMS = log_streams(STREAMS)


class TooManyLogs(Exception):
    """All slots are taken; `str()` is the body for the caller."""


class LogSlots:
    """Counts the streams that are read from Nomad; a log of both stdout and stderr takes two."""

    def __init__(self, limit: int = DEFAULT_LOG_STREAMS) -> None:
        self._limit = limit
        self._taken = 0

    @contextmanager
    def take(self, streams: int) -> Iterator[None]:
        """Hold slots for the length of one answer. Raises TooManyLogs at once when they do not suffice."""
        if self._taken + streams > self._limit:
            raise TooManyLogs(
                f"{self._taken} of {self._limit} log streams of this node are in use and this log needs {streams}. "
                "Nomad bounds the connections of one client (limits.http_max_conns_per_client, 100 by default): "
                "end another `kubectl logs`, or raise that limit and vnode's --nomad-streams."
            )
        self._taken += streams
        try:
            yield
        finally:
            self._taken -= streams
