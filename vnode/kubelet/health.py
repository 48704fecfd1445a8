"""GET /healthz and its parts, /configz, /metrics: what the node says about itself."""

import json
from collections.abc import Callable, Mapping

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest


class Introspection:
    """Answers about ourselves.

    `trouble` says in a sentence why Pods are not being looked after, empty while they are; `configuration`
    is shown to callers and must hold no secret.
    """

    def __init__(
        self,
        *,
        registry: CollectorRegistry,
        configuration: Mapping[str, object],
        trouble: Callable[[], str] = str,
    ) -> None:
        self._registry = registry
        self._configuration = configuration
        self._trouble = trouble

    async def ping(self, _: web.Request) -> web.Response:
        """Alive: this very answer is the proof."""
        return web.Response(text="ok")

    async def healthz(self, _: web.Request) -> web.Response:
        """Alive and at work."""
        if trouble := self._trouble():
            return web.Response(status=500, text=f"[-]syncloop failed: {trouble}\nhealthz check failed\n")
        return web.Response(text="ok")

    async def configz(self, _: web.Request) -> web.Response:
        """The settings in force."""
        return web.json_response(
            {"kubeletconfig": dict(self._configuration)}, dumps=lambda value: json.dumps(value, default=str)
        )

    async def metrics(self, _: web.Request) -> web.Response:
        """Our own metrics, Prometheus text."""
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
