"""How many logs may be read from Nomad at once."""

from collections.abc import Iterator
from contextlib import contextmanager

#: Nomad answers 100 connections of one address (`http_max_conns_per_client`); control traffic and exec need some.
DEFAULT_LOG_STREAMS = 40


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
                "end another `kubectl logs`, or raise that limit and the node's own."
            )
        self._taken += streams
        try:
            yield
        finally:
            self._taken -= streams
