"""From the API server's refusals (HTTP status, `Status` object) to kinds of error.

Source: apimachinery/pkg/api/errors and metav1.Status; runs against kube-apiserver 1.36. A 401, 403, 500 or 504 may be
over in a moment: for some 0.1 s after an API server opened its port a valid ServiceAccount gets 403.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic_core import from_json

from vnode.errors import Busy, Conflict, Denied, NotFound, PeerError, Rejected, Unavailable
from vnode.kube.errors import Cause, Gone, Invalid, NamespaceTerminating, Replaced

_MESSAGE_LIMIT = 1000
# What was sent or asked for there is secret, and a validation message may quote it.
_PRIVATE = ("/secrets", "/token", "/tokenreviews")
_KINDS: dict[int, type[PeerError]] = {
    HTTPStatus.UNAUTHORIZED: Denied,
    HTTPStatus.FORBIDDEN: Denied,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.GONE: Gone,
}


def failure(method: str, path: str, code: int, body: bytes, retry_after: str | None = None) -> PeerError:
    """The error for an answer with status `code` >= 300.

    Only the message of a `Status` object is quoted, never any other body, and none where secrets are at stake.
    """
    return status_failure(f"{method} {path}", _status_object(body), code=code, retry_after=retry_after)


def status_failure(what: str, status: Mapping[str, Any], *, code: int = 0, retry_after: str | None = None) -> PeerError:
    """The error for a `Status` object, as an answer or as the ERROR event of a watch; `what` says what was tried."""
    code = code or _number(status.get("code")) or HTTPStatus.INTERNAL_SERVER_ERROR
    text = _text(what, status, code)
    causes = _causes(status)
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        return Busy(text, retry_after=_wish(status, retry_after))
    if code == HTTPStatus.REQUEST_TIMEOUT or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unavailable(text, retry_after=_wish(status, retry_after))
    if code == HTTPStatus.FORBIDDEN and any(cause.reason == "NamespaceTerminating" for cause in causes):
        return NamespaceTerminating(text)
    if code == HTTPStatus.UNPROCESSABLE_ENTITY:
        replaced = any(cause.field == "metadata.uid" for cause in causes)
        return Replaced(text) if replaced else Invalid(text, causes)
    return _KINDS.get(code, Rejected)(text)


def _text(what: str, status: Mapping[str, Any], code: int) -> str:
    reason = status.get("reason") or _phrase(code)
    path = what.partition("?")[0]
    private = any(path.endswith(ending) or f"{ending}/" in path for ending in _PRIVATE)
    message = "" if private else str(status.get("message") or "")[:_MESSAGE_LIMIT]
    return f"{what}: {code} {reason}" + (f": {message}" if message else "")


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return "unknown status"


def _status_object(body: bytes) -> Mapping[str, Any]:
    try:
        value = from_json(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) and value.get("kind") == "Status" else {}


def _details(status: Mapping[str, Any]) -> Mapping[str, Any]:
    details = status.get("details")
    return details if isinstance(details, dict) else {}


def _causes(status: Mapping[str, Any]) -> tuple[Cause, ...]:
    return tuple(
        Cause(str(cause.get("field") or ""), str(cause.get("reason") or ""), str(cause.get("message") or ""))
        for cause in _details(status).get("causes") or ()
    )


def _wish(status: Mapping[str, Any], header: str | None) -> float | None:
    return _number(header) or _number(_details(status).get("retryAfterSeconds")) or None


def _number(value: object) -> int:
    """A count or a status code; 0 for an HTTP date and for nonsense, which nobody here sends."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else 0
