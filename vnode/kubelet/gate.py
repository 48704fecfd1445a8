"""The gate before every handler: nobody learns anything, not even which paths exist, without the right to."""

import ssl
from collections.abc import Mapping

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from vnode.errors import PeerError
from vnode.kubelet.authentication import Authenticator, Caller
from vnode.kubelet.authorization import Access, Authorizer, needed_access

_log = structlog.get_logger(__name__)

#: Who calls, for handlers and the access log.
CALLER = web.RequestKey("caller", Caller)


def gate(authenticator: Authenticator, authorizer: Authorizer) -> Middleware:
    """A middleware that lets a request through only for a known caller with the needed right."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            caller = await authenticator.authenticate(_certificate(request), request.headers.get("Authorization"))
        except PeerError as error:
            _log.warning("cannot authenticate a caller", error=str(error))
            return web.Response(status=503, text="The Kubernetes API cannot be asked who is calling; try again.")
        if caller is None:
            return web.Response(status=401, text="Unauthorized")
        request[CALLER] = caller
        access = needed_access(request.method, request.path)
        try:
            allowed = await authorizer.allows(caller, access)
        except PeerError as error:
            _log.warning("cannot authorize a caller", caller=caller.name, error=str(error))
            return web.Response(status=500, text=_verdict("Authorization error", caller, access))
        if not allowed:
            return web.Response(status=403, text=_verdict("Forbidden", caller, access))
        return await handler(request)

    return check


def _certificate(request: web.Request) -> Mapping[str, object] | None:
    connection = request.get_extra_info("ssl_object")
    if not isinstance(connection, ssl.SSLObject) or connection.context.verify_mode is ssl.CERT_NONE:
        return None
    return connection.getpeercert()


def _verdict(word: str, caller: Caller, access: Access) -> str:
    rights = " ".join(access.subresources)
    return f"{word} (user={caller.name}, verb={access.verb}, resource=nodes, subresource(s)=[{rights}])"
