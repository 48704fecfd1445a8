"""What an administrator's monitoring asks of vnode itself: /metrics, /healthz and /readyz on a port of their own.

It listens on loopback, for it asks nobody who they are; the same series are on the kubelet API for those who may.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

_GRACE = 1.0
_LOOPBACK = "127.0.0.1"


@asynccontextmanager
async def monitoring(port: int, registry: CollectorRegistry, not_ready: Callable[[], str]) -> AsyncIterator[None]:
    """Serve while the context lasts; port 0 serves nothing. `not_ready` says why we are not, or nothing.

    Raises OSError when the port is taken.
    """
    if not port:
        yield
        return
    runner = web.AppRunner(_application(registry, not_ready), access_log=None, shutdown_timeout=_GRACE)
    await runner.setup()
    try:
        await web.TCPSite(runner, _LOOPBACK, port).start()
        yield
    finally:
        await runner.cleanup()


def _application(registry: CollectorRegistry, not_ready: Callable[[], str]) -> web.Application:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(_: web.Request) -> web.Response:
        problem = not_ready()
        return web.Response(status=503 if problem else 200, text=problem or "ok")

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    return application
