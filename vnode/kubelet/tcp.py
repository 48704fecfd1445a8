"""TCP connections to the ports of a Pod, as `ByteStream`s with back-pressure in both directions."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

from translators.port_addresses import Endpoint
from vnode.kubelet.forwarded_connections import ConnectionReset, PortUnreachable
from vnode.kubelet.inbox import Inbox

#: Seconds for one address to answer.
CONNECTED_WITHIN = 10.0


class TcpStream(asyncio.Protocol):
    """One TCP connection."""

    def __init__(self) -> None:
        self._inbox = Inbox(self._inbox_changed)
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None

    async def read(self) -> bytes:
        """The next piece of what the Pod sends."""
        return await self._inbox.get()

    async def write(self, data: bytes) -> None:
        """Send to the Pod."""
        transport = self._open_transport()
        transport.write(data)
        await asyncio.sleep(0)
        await self._writable.wait()
        self._open_transport()

    async def write_eof(self) -> None:
        """Close our half."""
        transport = self._open_transport()
        if transport.can_write_eof():
            transport.write_eof()

    def close(self) -> None:
        """Close after what was written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Reset the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the transport, which need not be asyncio's own: uvloop's is no subclass."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        self._inbox.put(data)

    def eof_received(self) -> bool:
        """Called by the transport; our half stays open."""
        self._inbox.end()
        return True

    def pause_writing(self) -> None:
        """Called by the transport."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Called by the transport."""
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the transport."""
        if error is None:
            self._inbox.end()
        else:
            self._inbox.fail(ConnectionReset(str(error)))
        self._writable.set()

    def _open_transport(self) -> asyncio.Transport:
        if self._transport is None or self._transport.is_closing():
            raise ConnectionReset("the Pod has broken off the connection")
        return self._transport

    def _inbox_changed(self, inbox: Inbox) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if inbox.full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()


@asynccontextmanager
async def connected(endpoints: Sequence[Endpoint]) -> AsyncIterator[TcpStream]:
    """A connection to the first address that answers; one that broke is reset, not closed, towards the Pod.

    Raises PortUnreachable with the last address's reason.
    """
    stream = await _connect(endpoints)
    try:
        yield stream
    except BaseException:
        stream.abort()
        raise
    finally:
        stream.close()


async def _connect(endpoints: Sequence[Endpoint]) -> TcpStream:
    reason = "no address is known"
    loop = asyncio.get_running_loop()
    for endpoint in endpoints:
        try:
            async with asyncio.timeout(CONNECTED_WITHIN):
                _, stream = await loop.create_connection(TcpStream, endpoint.host, endpoint.port)
        except TimeoutError:
            reason = f"dial tcp {endpoint}: no answer within {CONNECTED_WITHIN:g} s"
        except OSError as error:
            cause = os.strerror(error.errno).lower() if error.errno else "no address"
            reason = f"dial tcp {endpoint}: {cause}"
        else:
            return stream
    raise PortUnreachable(reason)
