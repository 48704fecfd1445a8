"""The connections to Nomad that show one identity: how a request looks, and what its failure means.

httpx2's transport is used without its client: redirects, cookies, auth flows and environment proxies have no
business here, and would cost a fifth of a request's CPU.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2

from vnode.errors import NoAnswer, PeerError, Unavailable
from vnode.fence import OPEN, Fence, demand
from vnode.nomad.budget import REQUESTS
from vnode.nomad.credentials import Identity
from vnode.nomad.errors import classify, leaderless

#: Seconds. A server without a leader holds a request for 5 s before it says so (RPCHoldTimeout).
CONNECT, READ, WRITE = 5.0, 30.0, 10.0

#: Short, for httpx2 looks at every idle connection with every request.
_KEEP_ALIVE = 15.0
_LONGEST_ERROR = 64 * 1024
_UNAPPLIED = httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request, whichever server gets it; `target` is path and query, `read` seconds of silence, None for ever.

    It is sent only while `fence` allows it.
    """

    method: str
    target: str
    body: bytes = b""
    read: float | None = READ
    compressed: bool = False
    fence: Fence = OPEN


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer; `next_token` is where a list goes on, empty on its last page.

    `index` is the Raft index that a read reflects, 0 where none is told.
    """

    body: bytes
    next_token: str = ""
    index: int = 0


class Stream:
    """An answer that is read while it arrives; `address` is the server that it comes from."""

    def __init__(self, response: httpx2.Response, address: str) -> None:
        self._response = response
        self.address = address

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes as they arrive; raises Unavailable when the connection breaks or is silent for too long."""
        try:
            async for chunk in self._response.aiter_raw():
                yield chunk
        except httpx2.HTTPError as error:
            raise _broken(error, self.address) from None


class Elsewhere(Exception):
    """Another server may do better; `unapplied` says that this one cannot have carried the request out."""

    def __init__(self, error: PeerError, *, unapplied: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.unapplied = unapplied


class Channel:
    """Connections with one identity. After `retire` they are closed as soon as the last use has ended."""

    def __init__(self, identity: Identity, server_name: str) -> None:
        keep = httpx2.Limits(max_connections=REQUESTS, max_keepalive_connections=REQUESTS, keepalive_expiry=_KEEP_ALIVE)
        once = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        self.identity = identity
        self._requests = httpx2.AsyncHTTPTransport(verify=identity.tls, trust_env=False, limits=keep)
        self._streams = httpx2.AsyncHTTPTransport(verify=identity.tls, trust_env=False, limits=once)
        self._token = ((b"X-Nomad-Token", identity.token.encode()),) if identity.token else ()
        self._server_name = {"sni_hostname": server_name} if server_name else {}
        self._uses = 0
        self._retired = False

    async def exchange(self, address: str, call: Call) -> Reply:
        """One request and its whole answer; raises PeerError or Elsewhere."""
        async with self._used(), self._response(self._requests, address, call) as response:
            body, headers = await response.aread(), response.headers
            return Reply(body, headers.get("x-nomad-nexttoken", ""), int(headers.get("x-nomad-index") or 0))

    @asynccontextmanager
    async def stream(self, address: str, call: Call) -> AsyncIterator[Stream]:
        """A connection of its own whose answer is read while it arrives; raises PeerError or Elsewhere."""
        async with self._used(), self._response(self._streams, address, call) as response:
            yield Stream(response, address)

    async def retire(self) -> None:
        """Close when nobody uses it any more."""
        self._retired = True
        await self._close_if_unused()

    @asynccontextmanager
    async def _used(self) -> AsyncIterator[None]:
        self._uses += 1
        try:
            yield
        finally:
            self._uses -= 1
            await self._close_if_unused()

    async def _close_if_unused(self) -> None:
        if self._retired and not self._uses:
            await self._requests.aclose()
            await self._streams.aclose()

    @asynccontextmanager
    async def _response(
        self, transport: httpx2.AsyncHTTPTransport, address: str, call: Call
    ) -> AsyncIterator[httpx2.Response]:
        try:
            response = await transport.handle_async_request(self._request(address, call))
            try:
                if not response.is_success:
                    raise await _refusal(response)
                yield response
            finally:
                await response.aclose()
        except httpx2.HTTPError as error:
            raise Elsewhere(_broken(error, address), unapplied=isinstance(error, _UNAPPLIED)) from None

    def _request(self, address: str, call: Call) -> httpx2.Request:
        headers = [
            (b"User-Agent", b"hashinetes"),
            (b"Accept-Encoding", b"gzip" if call.compressed else b"identity"),
            *self._token,
        ]
        timeout = {"connect": CONNECT, "read": call.read, "write": WRITE, "pool": CONNECT}
        last_look = {} if call.fence is OPEN else {"trace": _asking(call.fence)}
        return httpx2.Request(
            call.method,
            address + call.target,
            headers=headers,
            content=call.body or None,
            extensions={"timeout": timeout, **self._server_name, **last_look},
        )


def _asking(fence: Fence) -> Callable[[str, object], Awaitable[None]]:
    """The last look before bytes are written: the wait for a connection may have been long."""

    async def look(moment: str, _: object) -> None:
        if moment.endswith("send_request_headers.started"):
            demand(fence)

    return look


async def _refusal(response: httpx2.Response) -> Exception:
    status, text = response.status_code, await _text(response)
    error = classify(status, text, _seconds(response.headers.get("retry-after", "")))
    unapplied = leaderless(status, text)
    if unapplied or (status >= 500 and isinstance(error, Unavailable)):  # noqa: PLR2004 - server errors
        return Elsewhere(error, unapplied=unapplied)
    return error


async def _text(response: httpx2.Response) -> str:
    text = bytearray()
    async for chunk in response.aiter_bytes():
        text += chunk
        if len(text) >= _LONGEST_ERROR:
            break
    return text[:_LONGEST_ERROR].decode(errors="replace")


def _seconds(retry_after: str) -> float | None:
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None


def _broken(error: httpx2.HTTPError, address: str) -> NoAnswer:
    # A local protocol error quotes the header that it objects to.
    quotable = not isinstance(error, httpx2.LocalProtocolError)
    said = (str(error) if quotable else "") or type(error).__name__
    return NoAnswer(f"Nomad at {address}: {said}")
