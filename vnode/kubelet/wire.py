"""The bytes of a connection that has left HTTP, with back-pressure in both directions."""

import asyncio
import select
from collections.abc import Callable, Iterable
from typing import Protocol

from aiohttp import web

#: Bytes that wait in the transport before whoever writes has to wait.
HIGH_WATER = 256 * 1024

#: Bytes that wait in the transport before we stop to listen too: only answers to pings and the like get past the
#: writers' mark, and a peer that asks for them without reading them gets no more.
_DEAF_ABOVE = 4 * HIGH_WATER

#: Seconds that a closed connection gets to send what was written before.
_CLOSED_WITHIN = 10.0

#: Seconds without reading after which a peer's end is looked for in another way.
_WATCHED_AFTER = 0.5


class Receiver(Protocol):
    """Who is told what happens on the wire; neither method may raise."""

    def received(self, data: bytes) -> None:
        """Bytes came."""
        ...

    def lost(self) -> None:
        """The peer has closed or lost the connection; no more bytes will come."""
        ...


class Wire(asyncio.Protocol):
    """Takes an HTTP connection over after its 101, for aiohttp's parser would read on as HTTP.

    aiohttp's own handler learns of the connection's end when the wire is released, so that it ends its accounts
    then and does not cancel us before.
    """

    def __init__(self, transport: asyncio.Transport, http: asyncio.BaseProtocol) -> None:
        self._transport = transport
        self._http = http
        self._receiver: Receiver | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone = asyncio.Event()
        self._released = False
        self._error: Exception | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._held = False
        self._deaf = False
        self._hang_up = _HangUp(transport, self._hung_up)

    @classmethod
    def take_over(cls, request: web.Request) -> "Wire":
        """The wire of a request whose 101 has been sent."""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        wire = cls(transport, transport.get_protocol())
        transport.resume_reading()
        transport.set_write_buffer_limits(high=HIGH_WATER)
        transport.set_protocol(wire)
        return wire

    def attach(self, receiver: Receiver) -> None:
        """Tell this one from now on."""
        self._receiver = receiver
        if self._gone.is_set():
            receiver.lost()

    @property
    def gone(self) -> bool:
        """The connection is closed."""
        return self._gone.is_set()

    def write(self, pieces: Iterable[bytes | memoryview]) -> None:
        """Send, without waiting; nothing happens when the connection is closed."""
        data = b"".join(pieces)
        if not data or self._transport.is_closing():
            return
        self._transport.write(data)
        if not self._deaf and self._transport.get_write_buffer_size() > _DEAF_ABOVE:
            self._deaf = True
            self._listen()

    async def drain(self) -> None:
        """Wait until the peer has read enough, and let others run. Raises ConnectionResetError when it went away."""
        await asyncio.sleep(0)
        await self._writable.wait()
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")

    def hold(self, *, held: bool) -> None:
        """Stop to read, or go on: whoever the bytes are for does not take them."""
        if self._held is not held:
            self._held = held
            self._listen()

    async def wait_gone(self) -> None:
        """Return when the connection is closed."""
        await self._gone.wait()

    def close(self) -> None:
        """Close after what was written, as far as the peer reads it soon."""
        if not self._transport.is_closing():
            self._transport.close()
            self._deadline = asyncio.get_running_loop().call_later(_CLOSED_WITHIN, self._transport.abort)

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def release(self) -> None:
        """Give the connection's end back to aiohttp; the last call."""
        self._receiver = None
        self._released = True
        if self._gone.is_set():
            asyncio.get_running_loop().call_soon(self._http.connection_lost, self._error)

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        if self._receiver is not None:
            self._receiver.received(data)

    def pause_writing(self) -> None:
        """Called by the transport."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Called by the transport."""
        self._writable.set()
        if self._deaf:
            self._deaf = False
            self._listen()

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the transport."""
        self._error = error
        self._hang_up.stop()
        if self._deadline is not None:
            self._deadline.cancel()
        self._gone.set()
        self._writable.set()
        if self._receiver is not None:
            self._receiver.lost()
        if self._released:
            self._http.connection_lost(error)

    def _listen(self) -> None:
        if self._gone.is_set():
            return
        if self._held or self._deaf:
            self._transport.pause_reading()
            self._hang_up.start()
        else:
            self._hang_up.stop()
            self._transport.resume_reading()

    def _hung_up(self) -> None:
        self._transport.abort()


class _HangUp:
    """Sees a peer's end while nothing is read: the loop looks only at descriptors that it reads or writes.

    An epoll of its own reports that the peer closed its half, behind however many unread bytes.
    """

    def __init__(self, transport: asyncio.Transport, then: Callable[[], None]) -> None:
        self._socket = transport.get_extra_info("socket")
        self._then = then
        self._soon: asyncio.TimerHandle | None = None
        self._poll: select.epoll | None = None

    def start(self) -> None:
        """Watch, unless reading goes on soon: most pauses are short and should cost nothing."""
        if self._soon is None and self._poll is None:
            self._soon = asyncio.get_running_loop().call_later(_WATCHED_AFTER, self._watch)

    def _watch(self) -> None:
        self._soon = None
        if self._socket is not None and self._socket.fileno() >= 0:
            self._poll = select.epoll()
            self._poll.register(self._socket.fileno(), select.EPOLLRDHUP | select.EPOLLONESHOT)
            asyncio.get_running_loop().add_reader(self._poll.fileno(), self._happened)

    def stop(self) -> None:
        """Watch no more."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._poll is not None:
            asyncio.get_running_loop().remove_reader(self._poll.fileno())
            self._poll.close()
            self._poll = None

    def _happened(self) -> None:
        self.stop()
        self._then()
