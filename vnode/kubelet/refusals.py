"""Refusals of exec, attach and port-forward, as a client of the Kubernetes API reads them.

client-go tries to decode the body of an answer that is no upgrade as a metav1.Status, YAML included. Until 1.35 it
takes any text that happens to be a YAML mapping, as `container is not running: it has ended` is, for a Status that
says nothing, and kubectl prints `Error from server: `. So these answers are a Status. Source: client-go
transport/spdy (Negotiate), apimachinery pkg/util/httpstream/spdy/roundtripper.go.
"""

from aiohttp import web
from aiohttp.typedefs import Handler

_UPGRADED = ("/exec/", "/attach/", "/portForward/")
_FIRST_FAILURE = 400
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


@web.middleware
async def refuse_by_status(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say by a Status what is refused with a text behind the gate; other paths keep their texts."""
    answer = await handler(request)
    if not (request.path.startswith(_UPGRADED) and isinstance(answer, web.Response)):
        return answer
    if answer.prepared or answer.status < _FIRST_FAILURE or answer.content_type != "text/plain":
        return answer
    status: dict[str, object] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": answer.text,
        "reason": _REASONS.get(answer.status, ""),
        "code": answer.status,
    }
    headers = {name: value for name, value in answer.headers.items() if not name.startswith("Content-")}
    return web.json_response(status, status=answer.status, headers=headers)
