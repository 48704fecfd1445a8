"""`CommandStreams` over a connection that was upgraded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from vnode.kubelet.command_streams import WantedStreams
from vnode.kubelet.inbox import Inbox
from vnode.kubelet.lifeline import ClientGone, Idle, Lifeline, lifeline
from vnode.kubelet.upgrade import Agreement, agree
from vnode.kubelet.wire import Wire
from vnode.streaming.commands import (
    ClientLeft,
    CommandCodec,
    CommandEvent,
    Failed,
    Outcome,
    Output,
    Resized,
    StdinEnded,
    StdinReceived,
    StreamKind,
    StreamsOpened,
    TerminalSize,
)
from vnode.streaming.errors import RemoteProtocolError
from vnode.streaming.spdy.commands import PROTOCOLS as SPDY_PROTOCOLS
from vnode.streaming.spdy.commands import SpdyCommand
from vnode.streaming.websocket.commands import PROTOCOLS as WEBSOCKET_PROTOCOLS
from vnode.streaming.websocket.commands import WebSocketCommand

_log = structlog.get_logger(__name__)

#: Seconds without a byte in either direction before a session ends, a kubelet's default.
IDLE_LIMIT = 4 * 60 * 60.0

#: Seconds that a client gets to open its streams, a kubelet's.
_OPENED_WITHIN = 30.0

#: Seconds that a client gets to read what is on its way after the end. To close earlier would lose it: what a client
#: still sends then makes the kernel reset the connection.
_READ_WITHIN = 15 * 60.0

#: Bytes that are framed before the client has to have read some.
_BATCH = 128 * 1024


class CommandSession:
    """One client of one command; it is the wire's receiver."""

    def __init__(self, wire: Wire, codec: CommandCodec, line: Lifeline, response: web.StreamResponse) -> None:
        self.response = response
        self.opened = asyncio.Event()
        self.finished = False
        self._wire = wire
        self._codec = codec
        self._line = line
        self._stdin = Inbox(lambda inbox: wire.hold(held=inbox.full))
        self._size: TerminalSize | None = None
        self._resized = asyncio.Event()
        self._take(codec.open())
        self._flush()
        wire.attach(self)

    def expect(self, wanted: WantedStreams) -> None:
        """Without stdin its end is there from the beginning."""
        if not wanted.stdin:
            self._stdin.end()

    async def read_stdin(self) -> bytes:
        """The next piece of what the client sends."""
        return await self._stdin.get()

    async def write_stdout(self, data: bytes) -> None:
        """Send what the command wrote."""
        await self._write(Output.STDOUT, data)

    async def write_stderr(self, data: bytes) -> None:
        """Send what the command wrote."""
        await self._write(Output.STDERR, data)

    async def next_size(self) -> TerminalSize:
        """The newest size that was not returned yet."""
        while self._size is None:
            await self._resized.wait()
        size, self._size = self._size, None
        self._resized.clear()
        return size

    async def finish(self, outcome: Outcome) -> None:
        """Tell how the command ended."""
        if self._line.reason is not None:
            raise self._line.reason
        self.say_end(outcome)

    def say_end(self, outcome: Outcome) -> None:
        """Send how it ended; whoever leaves the block waits until the client has read it."""
        if self.finished:
            return
        self.finished = True
        self._line.untie()
        self._stdin.discard()
        self._codec.finish(outcome)
        self._flush()

    def close(self) -> None:
        """Leave a client whose command did not end properly."""
        self._codec.close()
        self._flush()
        self._wire.close()

    def received(self, data: bytes) -> None:
        """Called by the wire."""
        try:
            events = self._codec.receive_data(data)
        except RemoteProtocolError as error:
            _log.info("a client of exec or attach broke its protocol", error=str(error))
            self._flush()
            self._leave(ClientGone(f"the client broke its protocol: {error}"))
            return
        self._flush()
        self._take(events)

    def lost(self) -> None:
        """Called by the wire."""
        self._leave(ClientGone("the client has gone"))

    async def _write(self, output: Output, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(data), _BATCH):
            if self._line.reason is not None:
                raise self._line.reason
            self._codec.send_output(output, view[start : start + _BATCH])
            self._flush()
            await self._drain()
        self._line.moved()

    async def _drain(self) -> None:
        try:
            await self._wire.drain()
        except ConnectionResetError:
            raise ClientGone("the client has gone") from None

    def _flush(self) -> None:
        self._wire.write(self._codec.data_to_send())

    def _take(self, events: list[CommandEvent]) -> None:
        for event in events:
            match event:
                case StdinReceived(data):
                    self._line.moved()
                    self._stdin.put(data)
                case StdinEnded():
                    self._stdin.end()
                case Resized(size):
                    self._size = size
                    self._resized.set()
                case StreamsOpened():
                    self.opened.set()
                case ClientLeft():
                    self._leave(ClientGone("the client has left"))

    def _leave(self, reason: ClientGone) -> None:
        self._stdin.fail(reason)
        self._line.cut(reason)
        self._wire.close()


class CommandStreamsOpener:
    """The one that is served: an `OpenCommandStreams`."""

    def __init__(self, idle_limit: float = IDLE_LIMIT) -> None:
        self._idle_limit = idle_limit

    @asynccontextmanager
    async def __call__(self, request: web.Request, wanted: WantedStreams) -> AsyncIterator[CommandSession]:
        """Upgrade the request and hold its streams."""
        agreement = agree(request, spdy=SPDY_PROTOCOLS, websocket=WEBSOCKET_PROTOCOLS)
        response = await _gone_instead(agreement, request)
        wire = Wire.take_over(request)
        try:
            async with _session(wire, _codec(agreement, wanted), self._idle_limit, response) as session:
                session.expect(wanted)
                try:
                    async with asyncio.timeout(_OPENED_WITHIN):
                        await session.opened.wait()
                except TimeoutError:
                    raise ClientGone("timed out waiting for client to create streams") from None
                yield session
            await _wait_until_read(wire)
        finally:
            wire.close()
            wire.release()


@asynccontextmanager
async def _session(
    wire: Wire, codec: CommandCodec, idle_limit: float, response: web.StreamResponse
) -> AsyncIterator[CommandSession]:
    """A session that is closed in an orderly way however its block ends."""
    session: CommandSession | None = None
    try:
        async with lifeline(idle_limit) as line:
            session = CommandSession(wire, codec, line, response)
            yield session
    except Idle as idle:
        if session is not None:
            session.say_end(Failed(f"the session was ended by the node: {idle}"))
        raise
    finally:
        if session is not None and not session.finished:
            session.close()


async def _gone_instead(agreement: Agreement, request: web.Request) -> web.StreamResponse:
    try:
        return await agreement.answer(request)
    except ConnectionError:
        raise ClientGone("the client has gone") from None


async def _wait_until_read(wire: Wire) -> None:
    try:
        async with asyncio.timeout(_READ_WITHIN):
            await wire.wait_gone()
    except TimeoutError:
        wire.abort()


def _codec(agreement: Agreement, wanted: WantedStreams) -> CommandCodec:
    flags = {
        StreamKind.STDIN: wanted.stdin,
        StreamKind.STDOUT: wanted.stdout,
        StreamKind.STDERR: wanted.stderr,
        StreamKind.RESIZE: wanted.tty,
    }
    kinds = frozenset(kind for kind, flag in flags.items() if flag)
    if agreement.websocket:
        return WebSocketCommand(agreement.protocol, kinds)
    return SpdyCommand(agreement.protocol, kinds)
