"""`ForwardedConnections` over a connection that was upgraded."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from vnode.kubelet.command_session import IDLE_LIMIT
from vnode.kubelet.forwarded_connections import ConnectionReset
from vnode.kubelet.inbox import Inbox
from vnode.kubelet.lifeline import ClientGone, Lifeline, lifeline
from vnode.kubelet.upgrade import Agreement, UpgradeRefused, agree
from vnode.kubelet.wire import Wire
from vnode.streaming.commands import ClientLeft
from vnode.streaming.errors import RemoteProtocolError
from vnode.streaming.forwarding import (
    BytesEnded,
    BytesReceived,
    ConnectionBroken,
    ConnectionRequested,
    ForwardCodec,
    ForwardEvent,
)
from vnode.streaming.spdy.port_forward import PROTOCOLS as SPDY_PROTOCOLS
from vnode.streaming.spdy.port_forward import SpdyPortForward
from vnode.streaming.websocket.port_forward import PROTOCOLS as WEBSOCKET_PROTOCOLS
from vnode.streaming.websocket.port_forward import WebSocketPortForward
from vnode.streaming.websocket.tunnel import PROTOCOL as TUNNEL_PROTOCOL
from vnode.streaming.websocket.tunnel import TunnelledPortForward

_log = structlog.get_logger(__name__)

_LARGEST_PORT = 65535
#: Ports of one request: two channels each, and a channel is a byte.
_MOST_PORTS = 100


class Forwarded:
    """A `ForwardedConnection`: the client's end of one."""

    def __init__(self, session: "ForwardSession", key: int, port: int, changed: Callable[[Inbox], None]) -> None:
        self.port = port
        self.inbox = Inbox(changed)
        self._session = session
        self._key = key

    async def read(self) -> bytes:
        """The next piece of what the client sends."""
        return await self.inbox.get()

    async def write(self, data: bytes) -> None:
        """Send what the Pod said."""
        await self._session.send(self._key, data)

    async def write_eof(self) -> None:
        """Say that the Pod will send no more."""
        self._session.end(self._key)

    async def fail(self, message: str) -> None:
        """Tell the client why there is no connection."""
        self._session.finish(self._key, message)

    async def close(self) -> None:
        """End it; the second time nothing happens."""
        self._session.finish(self._key)


class ForwardSession:
    """One client of port-forward; it is the wire's receiver."""

    def __init__(self, wire: Wire, codec: ForwardCodec, line: Lifeline, response: web.StreamResponse) -> None:
        self.response = response
        self._wire = wire
        self._codec = codec
        self._line = line
        self._connections: dict[int, Forwarded] = {}
        self._full: set[Inbox] = set()
        #: As many as a codec lets in.
        self._new: asyncio.Queue[Forwarded] = asyncio.Queue()
        self._take(codec.open())
        self._flush()
        wire.attach(self)

    async def __aiter__(self) -> AsyncIterator[Forwarded]:
        """The connections as they are asked for; the block ends with the client."""
        while True:
            yield await self._new.get()

    async def send(self, key: int, data: bytes) -> None:
        """Bytes for the client; waits while it does not read. Raises ConnectionReset."""
        if key not in self._connections:
            raise ConnectionReset("the client has broken off the connection")
        self._codec.send(key, data)
        self._flush()
        self._line.moved()
        try:
            await self._wire.drain()
        except ConnectionResetError:
            raise ConnectionReset("the client has gone") from None

    def end(self, key: int) -> None:
        """The Pod will send no more on this connection."""
        self._codec.end(key)
        self._flush()

    def finish(self, key: int, problem: str = "") -> None:
        """This connection is over."""
        connection = self._connections.pop(key, None)
        if connection is not None:
            connection.inbox.discard()
        self._codec.finish(key, problem)
        self._flush()

    def close(self) -> None:
        """End all connections."""
        self._codec.close()
        self._flush()
        self._wire.close()

    def received(self, data: bytes) -> None:
        """Called by the wire."""
        try:
            events = self._codec.receive_data(data)
        except RemoteProtocolError as error:
            _log.info("a client of port-forward broke its protocol", error=str(error))
            self._flush()
            self._leave(ClientGone(f"the client broke its protocol: {error}"))
            return
        self._flush()
        self._take(events)
        self._flush()

    def lost(self) -> None:
        """Called by the wire."""
        self._leave(ClientGone("the client has gone"))

    def _flush(self) -> None:
        self._wire.write(self._codec.data_to_send())

    def _take(self, events: list[ForwardEvent]) -> None:
        for event in events:
            match event:
                case ConnectionRequested(key, port):
                    connection = self._connections[key] = Forwarded(self, key, port, self._inbox_changed)
                    self._new.put_nowait(connection)
                case BytesReceived(key, data) if key in self._connections:
                    self._line.moved()
                    self._connections[key].inbox.put(data)
                case BytesEnded(key) if key in self._connections:
                    self._connections[key].inbox.end()
                case ConnectionBroken(key) if key in self._connections:
                    self._connections.pop(key).inbox.fail(ConnectionReset("the client has broken off the connection"))
                    self._codec.finish(key)
                case ClientLeft():
                    self._leave(ClientGone("the client has left"))
                case _:
                    pass

    def _inbox_changed(self, inbox: Inbox) -> None:
        (self._full.add if inbox.full else self._full.discard)(inbox)
        self._wire.hold(held=bool(self._full))

    def _leave(self, reason: ClientGone) -> None:
        for connection in self._connections.values():
            connection.inbox.fail(ConnectionReset(str(reason)))
        self._line.cut(reason)
        self._wire.close()


class ForwardedConnectionsOpener:
    """The one that is served: an `OpenForwardedConnections`."""

    def __init__(self, idle_limit: float = IDLE_LIMIT) -> None:
        self._idle_limit = idle_limit

    @asynccontextmanager
    async def __call__(self, request: web.Request) -> AsyncIterator[ForwardSession]:
        """Upgrade the request and hold its connections; the block is left quietly when the client goes."""
        websocket = (TUNNEL_PROTOCOL, *WEBSOCKET_PROTOCOLS)
        agreement = agree(request, spdy=SPDY_PROTOCOLS, websocket=websocket)
        codec = _codec(agreement, request)
        try:
            response = await agreement.answer(request)
        except ConnectionError:
            raise ClientGone("the client has gone") from None
        wire = Wire.take_over(request)
        session: ForwardSession | None = None
        try:
            async with lifeline(self._idle_limit) as line:
                session = ForwardSession(wire, codec, line, response)
                yield session
        except ClientGone as gone:
            _log.debug("a port-forward has ended", reason=str(gone))
        finally:
            if session is not None:
                session.close()
            wire.release()


def _codec(agreement: Agreement, request: web.Request) -> ForwardCodec:
    if not agreement.websocket:
        return SpdyPortForward()
    if agreement.protocol == TUNNEL_PROTOCOL:
        return TunnelledPortForward()
    return WebSocketPortForward(agreement.protocol, _ports(request))


def _ports(request: web.Request) -> list[int]:
    """The ports of a request whose protocol has no other place for them, in a kubelet's words where they are wrong."""
    texts = request.query.getall("port", [])
    if not texts:
        raise UpgradeRefused(400, 'query parameter "port" is required')
    ports = []
    for text in ",".join(texts).split(","):
        if not text:
            raise UpgradeRefused(400, 'query parameter "port" cannot be empty')
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST_PORT))):
            raise UpgradeRefused(400, f'unable to parse "{text}" as a port')
        if not 0 < int(text) <= _LARGEST_PORT:
            raise UpgradeRefused(400, f'port "{text}" must be between 1 and {_LARGEST_PORT}')
        ports.append(int(text))
    if len(ports) > _MOST_PORTS:
        raise UpgradeRefused(400, f'query parameter "port" names more than {_MOST_PORTS} ports')
    return ports
