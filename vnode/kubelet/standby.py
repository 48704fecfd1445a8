"""What a replica that stands by answers: about itself all, about Pods that another one knows them."""

import re
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_ABOUT_ITSELF = re.compile(r"/healthz(/.*)?|/metrics|/configz")


def only_while_leading(standby: Callable[[], str]) -> Middleware:
    """A middleware that answers 503 with the reason, where there is one."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        reason = standby()
        if reason and not _ABOUT_ITSELF.fullmatch(request.path):
            return web.Response(status=503, text=reason)
        return await handler(request)

    return check
