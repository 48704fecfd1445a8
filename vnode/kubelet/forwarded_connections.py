"""The connections that one client of port-forward asks for, whichever protocol carries them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from aiohttp import web

from translators.records.pods import Pod


class ConnectionReset(Exception):
    """One side has broken off this connection; others of the same forward go on."""


class ByteStream(Protocol):
    """One TCP connection or what stands for it: both directions end on their own."""

    async def read(self) -> bytes:
        """The next piece, at most 256 KiB; empty once the other side has closed its half. Raises ConnectionReset."""
        ...

    async def write(self, data: bytes) -> None:
        """Send a piece; waits while the other side does not read. Raises ConnectionReset."""
        ...

    async def write_eof(self) -> None:
        """Close our half; the other side may still send."""
        ...


class ForwardedConnection(ByteStream, Protocol):
    """The client's end of one forwarded connection."""

    @property
    def port(self) -> int:
        """The port in the Pod."""
        ...

    async def fail(self, message: str) -> None:
        """Tell the client why there is no connection, and end it."""
        ...

    async def close(self) -> None:
        """End it in both directions; the second time nothing happens."""
        ...


class ForwardedConnections(Protocol):
    """All that one client asks for, one after the other, for as long as it stays."""

    @property
    def response(self) -> web.StreamResponse:
        """The answer that carries them; the handler returns it after the block."""
        ...

    def __aiter__(self) -> AsyncIterator[ForwardedConnection]:
        """The connections as they are asked for; ends when the client leaves."""
        ...


#: Upgrades a request and holds the connection for the length of the block. Raises UpgradeRefused on entry, before
#: anything was sent. A client that leaves cancels the block, which then ends as if it had come to its end.
OpenForwardedConnections = Callable[[web.Request], AbstractAsyncContextManager[ForwardedConnections]]


class PortUnreachable(Exception):
    """Nothing can be reached behind a port; `str()` says why, for the person at kubectl."""


class Dialer(Protocol):
    """Opens connections to ports of a Pod: directly, or through a relay in its task."""

    def dial(self, pod: Pod, port: int) -> AbstractAsyncContextManager[ByteStream]:
        """A connection for the length of the block. Raises PortUnreachable on entry."""
        ...
