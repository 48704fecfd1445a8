"""One debug line for every request: who, what, how long; never the query, which may hold commands."""

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from vnode.kubelet.gate import CALLER

_log = structlog.get_logger(__name__)


class AccessLog(AbstractAccessLogger):
    """What aiohttp calls after every answer."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line; `time` is in seconds."""
        caller = request.get(CALLER) if isinstance(request, web.Request) else None
        _log.debug(
            "kubelet API",
            method=request.method,
            path=request.path,
            status=response.status,
            seconds=round(time, 3),
            caller=caller.name if caller is not None else None,
        )
