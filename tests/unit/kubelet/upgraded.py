"""A plain HTTP server whose handlers leave HTTP, and a SPDY client that reads only when it is told to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from tests.unit.streaming.spdy_client import StrictSpdyClient

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[int]:
    """The port of a server whose every path is this handler's."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class SpdyPeer:
    """A client at its end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.codec = StrictSpdyClient()
        self.reader = reader
        self.writer = writer

    async def open(self, **headers: str) -> int:
        stream_id, data = self.codec.open(headers)
        self.writer.write(data)
        await self.until(lambda: self.codec.streams[stream_id].replied or self.refused(stream_id))
        return stream_id

    def refused(self, stream_id: int) -> bool:
        return self.codec.streams[stream_id].reset is not None

    def received(self, stream_id: int) -> bytes:
        return bytes(self.codec.streams[stream_id].received)

    def ended(self, stream_id: int) -> bool:
        return self.codec.streams[stream_id].ended

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                data = await self.reader.read(1 << 20)
                assert data, "the server has closed the connection"
                self.codec.receive(data)

    async def closed(self) -> None:
        """Read until the server has closed."""
        async with asyncio.timeout(10):
            while data := await self.reader.read(1 << 20):
                self.codec.receive(data)


@asynccontextmanager
async def spdy_peer(port: int, path: str, *protocols: str) -> AsyncIterator[SpdyPeer]:
    """A client whose request was upgraded."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = [f"POST {path} HTTP/1.1", "Host: node", "Connection: Upgrade", "Upgrade: SPDY/3.1", "Content-Length: 0"]
        lines += [f"X-Stream-Protocol-Version: {protocol}" for protocol in protocols]
        writer.write("\r\n".join((*lines, "", "")).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 101 "), head
        yield SpdyPeer(reader, writer)
    finally:
        writer.close()
