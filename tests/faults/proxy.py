"""A reverse proxy that does to each request what the director says."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import aiohttp
from aiohttp import web

from tests.faults.director import Director
from tests.faults.disturbance import Disturbance, extended
from tests.faults.faults import (
    Answered,
    Cut,
    Delayed,
    Disorder,
    Disturbed,
    Extended,
    Fault,
    Garbled,
    Killed,
    Silent,
    Throttled,
    Truncated,
)
from tests.faults.routes import Kind, Peer, Route, route_of

# Connections are between neighbours, and aiohttp frames its own bodies.
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
_NOT_OURS = ("User-Agent", "Accept-Encoding")
_LARGEST_BODY = 8 * 2**20
_SHUTDOWN_SECONDS = 0.2
_PIECES_PER_SECOND = 10
#: Of a slow answer: vnode bears one of any length, and a test does not.
_MOST_PIECES = 100
#: Closing then resets the connection.
_NO_LINGER = struct.pack("ii", 1, 0)


class Proxy:
    """Stands before one peer."""

    def __init__(self, peer: Peer, upstream: aiohttp.ClientSession, director: Director) -> None:
        self._peer = peer
        self._upstream = upstream
        self._director = director
        self._streams: set[asyncio.Transport] = set()
        self.application = web.Application(client_max_size=_LARGEST_BODY)
        self.application.router.add_route("*", "/{path:.*}", self._handle)
        self.runner = web.AppRunner(self.application, access_log=None, handler_cancellation=True)

    def cut_streams(self) -> None:
        """Reset every stream that is open now."""
        for transport in tuple(self._streams):
            _reset(transport)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        route = route_of(self._peer, request.method, request.path, request.query)
        if self._is_full():
            self._director.refused += 1
            return web.Response(status=429, text="Too Many Requests", headers={"Connection": "close"})
        fault = self._director.next(route)
        match fault:
            case Answered(status, answer, retry_after):
                headers = {"Retry-After": retry_after} if retry_after else {}
                return web.Response(status=status, body=answer, content_type="application/json", headers=headers)
            case Cut(after_effect=False) | Killed(after_effect=False):
                return self._cut(request, fault)
            case Silent(seconds, after_effect=False):
                await asyncio.sleep(seconds)
                return self._cut(request, fault)
            case Delayed(seconds):
                await asyncio.sleep(seconds)
        try:
            return await self._forward(request, route, body, fault)
        except aiohttp.ClientError:
            # The server itself is away.
            return self._cut(request, fault)

    def _is_full(self) -> bool:
        server = self.runner.server
        return server is not None and len(server.connections) > self._director.cap

    async def _forward(
        self, request: web.Request, route: Route, body: bytes, fault: Fault | None
    ) -> web.StreamResponse:
        withheld = {*_HOP_BY_HOP, "accept-encoding"} if isinstance(fault, Extended) else _HOP_BY_HOP
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in withheld]
        async with self._upstream.request(
            request.method, request.rel_url, data=body or None, headers=headers, skip_auto_headers=_NOT_OURS
        ) as answer:
            if route.kind is Kind.STREAM and answer.ok and not isinstance(fault, Garbled):
                return await self._stream(request, answer, fault)
            if isinstance(fault, Garbled):
                return web.Response(body=fault.body, content_type="application/json")
            return await self._reply(request, answer, await answer.read(), fault)

    async def _reply(
        self, request: web.Request, answer: aiohttp.ClientResponse, content: bytes, fault: Fault | None
    ) -> web.StreamResponse:
        match fault:
            case Cut() | Killed():
                return self._cut(request, fault)
            case Silent(seconds):
                await asyncio.sleep(seconds)
                return self._cut(request, fault)
            case Extended() if answer.ok and answer.headers.get("Content-Encoding", "") != "gzip":
                content = extended(content)
        response = _like(answer)
        response.content_length = len(content)
        await response.prepare(request)
        match fault:
            case Truncated(share):
                await response.write(content[: int(len(content) * share)])
                return self._cut(request, fault, response)
            case Throttled(speed):
                piece = max(1, speed // _PIECES_PER_SECOND, len(content) // _MOST_PIECES)
                for start in range(0, len(content), piece):
                    await response.write(content[start : start + piece])
                    await asyncio.sleep(1 / _PIECES_PER_SECOND)
            case _:
                await response.write(content)
        await response.write_eof()
        return response

    async def _stream(
        self, request: web.Request, answer: aiohttp.ClientResponse, fault: Fault | None
    ) -> web.StreamResponse:
        response = _like(answer)
        await response.prepare(request)
        transport = request.transport
        if transport is None:
            return response
        self._streams.add(transport)
        try:
            if isinstance(fault, Disturbed):
                return await self._disturbed(request, answer, fault, response)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
        finally:
            self._streams.discard(transport)
            # A stream has no end to wait for, and TLS would wait for one.
            if answer.connection is not None and answer.connection.transport is not None:
                answer.connection.transport.abort()
        return response

    async def _disturbed(
        self, request: web.Request, answer: aiohttp.ClientResponse, fault: Disturbed, response: web.StreamResponse
    ) -> web.StreamResponse:
        disturbance = Disturbance(fault)
        async with aclosing(_lines(answer.content)) as lines:
            async for line in lines:
                await response.write(disturbance.feed(line))
                if disturbance.ended is not None:
                    break
        if disturbance.ended is Disorder.SILENT:
            await asyncio.sleep(fault.seconds)
        if disturbance.ended in {Disorder.SILENT, Disorder.CUT}:
            return self._cut(request, fault, response)
        await response.write_eof()
        return response

    def _cut(
        self, request: web.Request, fault: Fault | None, response: web.StreamResponse | None = None
    ) -> web.StreamResponse:
        if isinstance(fault, Killed):
            self._director.carry_out(fault)
        if request.transport is not None:
            _reset(request.transport)
        return response or web.Response()


@asynccontextmanager
async def serving(proxy: Proxy, host: str, port: int, tls: ssl.SSLContext | None) -> AsyncIterator[None]:
    """Serve until the block ends."""
    await proxy.runner.setup()
    try:
        site = web.TCPSite(proxy.runner, host, port, ssl_context=tls)
        await site.start()
        yield
    finally:
        await proxy.runner.cleanup()


def _like(answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status)
    response.headers.extend((name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP)
    return response


def _reset(transport: asyncio.BaseTransport) -> None:
    if isinstance(transport, asyncio.Transport) and not transport.is_closing():
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()


async def _lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    rest = b""
    async for chunk in content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line
