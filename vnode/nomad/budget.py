"""How many connections to Nomad we hold at once, and who goes first.

Nomad allows one address 100 connections (`limits.http_max_conns_per_client`) and closes the next one, whatever it
was for. So we stay below it ourselves: 24 requests, of which ordinary ones leave 8 free for control traffic (stop,
status, variables); 48 for logs and exec; the rest is left to the event streams and to a second replica's start.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from vnode.nomad.errors import TooManyStreams

REQUESTS = 24
RESERVED_FOR_CONTROL = 8
STREAMS = 48


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
