"""The three paths."""

import json
from collections.abc import Callable, Iterable

from aiohttp import web
from prometheus_client.core import Metric

from vnode.kubelet.stats import cadvisor_metrics, resource_metrics
from vnode.kubelet.stats.exposition import CONTENT_TYPE, text
from vnode.kubelet.stats.measurements import Measurements
from vnode.kubelet.stats.summary import summary
from vnode.kubelet.stats.usage import Snapshot


class Statistics:
    """Answers with the newest snapshot; metrics say of themselves when it is not whole."""

    def __init__(self, node_name: str, measurements: Measurements) -> None:
        self._node_name = node_name
        self._measurements = measurements

    async def resource(self, request: web.Request) -> web.StreamResponse:
        """/metrics/resource."""
        return await self._metrics(request, resource_metrics.families)

    async def cadvisor(self, request: web.Request) -> web.StreamResponse:
        """/metrics/cadvisor."""
        return await self._metrics(request, cadvisor_metrics.families)

    async def summary(self, request: web.Request) -> web.Response:
        """/stats/summary; an error, as from a kubelet, while nothing at all can be measured."""
        snapshot = await self._measurements.current()
        if snapshot.problem and not snapshot.pods and snapshot.node is None:
            return web.Response(status=500, text=f"Internal Error: {snapshot.problem}")
        only_cpu_and_memory = request.query.get("only_cpu_and_memory") == "true"
        body = summary(self._node_name, snapshot, only_cpu_and_memory=only_cpu_and_memory)
        return web.json_response(body, dumps=lambda value: json.dumps(value, separators=(",", ":")))

    async def _metrics(
        self, request: web.Request, families: Callable[[Snapshot], Iterable[Metric]]
    ) -> web.StreamResponse:
        snapshot = await self._measurements.current()
        response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
        await response.prepare(request)
        async for lines in text(families(snapshot)):
            await response.write(lines)
        return response
