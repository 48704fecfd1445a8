"""A proxy before Nomad that counts what vnode asks for, and keeps the jobs that it registers.

It stands in the way only where neither time nor CPU is measured.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from tests.bench import nomad
from tests.bench.requests import Requests, nomad_kind
from tests.e2e.bed.bed import Bed

_REGISTER = "PUT /v1/jobs"
# Connections are between neighbours, and aiohttp frames its own bodies.
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
_SHUTDOWN_SECONDS = 1.0
_LONGEST_BODY = 4 * 1024 * 1024


class Recorder:
    """What has gone through since it began."""

    def __init__(self, address: str, upstream: aiohttp.ClientSession) -> None:
        self.address = address
        self.requests: Requests = Counter()
        self.registrations: list[bytes] = []
        self._upstream = upstream

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, and its answer back as it arrives."""
        body = await request.read()
        kind = nomad_kind(request.method, request.path)
        self.requests[kind] += 1
        if kind == _REGISTER:
            self.registrations.append(body)
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP]
        async with self._upstream.request(
            request.method, request.rel_url, data=body or None, headers=headers, skip_auto_headers=("User-Agent",)
        ) as answer:
            response = web.StreamResponse(status=answer.status)
            response.headers.extend(
                (name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP
            )
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response


@asynccontextmanager
async def record(bed: Bed) -> AsyncIterator[Recorder]:
    """Run the proxy; what vnode says about its identity goes through, TLS is the proxy's own."""
    port = bed.free_port()
    connector = aiohttp.TCPConnector(limit=0, ssl=nomad.tls(bed) or True)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        bed.nomad.address, connector=connector, timeout=timeout, auto_decompress=False, trust_env=False
    ) as upstream:
        recorder = Recorder(f"http://127.0.0.1:{port}", upstream)
        application = web.Application(client_max_size=_LONGEST_BODY)
        application.router.add_route("*", "/{path:.*}", recorder.forward)
        runner = web.AppRunner(application, access_log=None, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=_SHUTDOWN_SECONDS).start()
            yield recorder
        finally:
            async with asyncio.timeout(10 * _SHUTDOWN_SECONDS):
                await runner.cleanup()
