"""What the modules of this package need of a connection: requests and watches, nothing of HTTP libraries."""

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Protocol, TypeVar

from pydantic_core import from_json, to_json

from vnode.errors import Unavailable

T = TypeVar("T")

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"


class Requests(Protocol):
    """One request, one answer."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        within: float = 60.0,
    ) -> bytes:
        """Send a request and return the body of its answer; raises `vnode.errors.PeerError`.

        `within` is the time in seconds after which the whole request is given up as Unavailable.
        """
        ...


class Watches(Requests, Protocol):
    """Requests, and streams of lines."""

    def watch(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """Yield the lines of a watch until the server ends it; raises `vnode.errors.PeerError`.

        Close it (`contextlib.aclosing`) when done with it early, for it holds a socket.
        """
        ...


def encode(body: Mapping[str, Any]) -> bytes:
    """JSON for a request; datetimes become RFC 3339."""
    return to_json(body)


def decode_object(body: bytes) -> dict[str, Any]:
    """The JSON object in an answer.

    Raises Unavailable for anything else: the API server answers in JSON, so a gateway spoke in its place.
    """
    try:
        value = from_json(body)
    except ValueError as problem:
        raise Unavailable("the answer is not JSON: something other than the API server sent it") from problem
    if not isinstance(value, dict):
        raise Unavailable("the answer is not a JSON object: something other than the API server sent it")
    return value


def decode_as(what: str, decode: Callable[[Mapping[str, Any]], T], body: bytes) -> T:
    """The object in an answer, as a record; `what` names its kind.

    Raises Unavailable for what is no such object: a write may have been applied all the same.
    """
    raw = decode_object(body)
    try:
        return decode(raw)
    except (LookupError, TypeError, ValueError, AttributeError):
        # Not quoted: a Pod holds what users wrote.
        raise Unavailable(f"the answer is not a {what}: something other than the API server sent it") from None
