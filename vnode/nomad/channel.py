"""The connections to Nomad that show one identity: how a request looks, and what its failure means."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from vnode.errors import NoAnswer, PeerError, Unavailable
from vnode.fence import OPEN, Fence
from vnode.last_look import last_look
from vnode.nomad.budget import REQUESTS
from vnode.nomad.credentials import Identity
from vnode.nomad.errors import classify, leaderless
from vnode.nomad.websocket import WebSocket, WebSockets

#: Seconds. CONNECT is for name, TCP and TLS together. A server without a leader holds a request for 5 s before it
#: says so (RPCHoldTimeout).
CONNECT, READ, WHOLE = 5.0, 30.0, 60.0

#: Nomad keeps an idle connection for as long as we do, and one of its 100 with it.
_KEEP_ALIVE = 15.0
_LONGEST_ERROR = 64 * 1024
_UNAPPLIED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
#: A request was not sent whole, or its answer did not come whole.
_BROKEN = (aiohttp.ClientError, TimeoutError, OSError)


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

    def __init__(self, response: aiohttp.ClientResponse, address: str) -> None:
        self._response = response
        self.address = address

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes as they arrive; raises Unavailable when the connection breaks or is silent for too long."""
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except _BROKEN as error:
            raise _broken(error, self.address) from None


class Elsewhere(Exception):
    """Another server may do better; `unapplied` says that this one cannot have carried the request out."""

    def __init__(self, error: PeerError, *, unapplied: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.unapplied = unapplied


class Channel:
    """Connections with one identity, for calls that are `fenced` or none that is.

    After `retire` they are closed as soon as the last use has ended.
    """

    def __init__(self, identity: Identity, server_name: str, *, fenced: bool = False) -> None:
        self.identity = identity
        self._fenced = fenced
        self._server_name = server_name or None
        self._token = {"X-Nomad-Token": identity.token} if identity.token else {}
        self._requests = self._session(limit=REQUESTS, keepalive_timeout=_KEEP_ALIVE)
        self._streams = self._session(limit=0, force_close=True)
        self._websockets = WebSockets(identity, server_name)
        self._uses = 0
        self._retired = False

    async def exchange(self, address: str, call: Call) -> Reply:
        """One request and its whole answer; raises PeerError or Elsewhere."""
        async with self.in_use(), await self._open(self._requests, address, call, WHOLE) as response:
            try:
                body, headers = await response.read(), response.headers
            except _BROKEN as error:
                raise Elsewhere(_broken(error, address), unapplied=False) from None
            return Reply(body, headers.get("X-Nomad-NextToken", ""), _index(headers.get("X-Nomad-Index", "")))

    @asynccontextmanager
    async def stream(self, address: str, call: Call) -> AsyncIterator[Stream]:
        """A connection of its own whose answer is read while it arrives; raises PeerError or Elsewhere."""
        async with self.in_use(), await self._open(self._streams, address, call, None) as response:
            yield Stream(response, address)

    @asynccontextmanager
    async def websocket(self, address: str, target: str, *, server_name: str = "") -> AsyncIterator[WebSocket]:
        """A WebSocket of its own, where `server_name` is not ours for all; raises PeerError or Elsewhere."""
        async with self.in_use(), AsyncExitStack() as opened:
            try:
                socket = await opened.enter_async_context(self._websockets.open(address, target, server_name))
            except Unavailable as error:
                raise Elsewhere(error, unapplied=False) from None
            yield socket

    async def retire(self) -> None:
        """Close when nobody uses it any more."""
        self._retired = True
        await self._close_if_unused()

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """Keep the connections for several attempts, though the channel may be retired between them."""
        self._uses += 1
        try:
            yield
        finally:
            self._uses -= 1
            await self._close_if_unused()

    async def _close_if_unused(self) -> None:
        if self._retired and not self._uses:
            try:
                await self._requests.close()
            finally:
                try:
                    await self._streams.close()
                finally:
                    await self._websockets.aclose()

    def _session(self, **connections: Any) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(ssl=self.identity.tls, **connections)
        # Proxies of the environment, cookies and redirects have no business here.
        return aiohttp.ClientSession(
            connector=connector,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "hashinetes", **self._token},
            trace_configs=[last_look()] if self._fenced else [],
        )

    async def _open(
        self, session: aiohttp.ClientSession, address: str, call: Call, whole: float | None
    ) -> aiohttp.ClientResponse:
        try:
            response = await session.request(
                call.method,
                URL(address + call.target, encoded=True),
                data=call.body or None,
                headers=_COMPRESSED if call.compressed else _PLAIN,
                timeout=aiohttp.ClientTimeout(total=whole, connect=CONNECT, sock_read=call.read),
                allow_redirects=False,
                middlewares=() if call.method == "GET" else (_once,),
                server_hostname=self._server_name,
                trace_request_ctx=call.fence,
            )
            if response.status < 300:  # noqa: PLR2004 - HTTP: 2xx
                return response
            async with response:
                raise await _refusal(response)
        except _BROKEN as error:
            raise Elsewhere(_broken(error, address), unapplied=isinstance(error, _UNAPPLIED)) from None


class _LostError(aiohttp.ClientConnectionError):
    """The connection broke with a write on it."""


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a write once.

    aiohttp repeats PUT and DELETE when the connection breaks, for HTTP calls them idempotent. Nomad's are not: a signal
    would arrive twice, and a repetition that finds nobody would pass for a write that was never applied.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _LostError(str(error)) from None


_PLAIN, _COMPRESSED = {"Accept-Encoding": "identity"}, {"Accept-Encoding": "gzip"}


async def _refusal(response: aiohttp.ClientResponse) -> Exception:
    status, text = response.status, await _text(response)
    error = classify(status, text, _seconds(response.headers.get("Retry-After", "")))
    unapplied = leaderless(status, text)
    if unapplied or (status >= 500 and isinstance(error, Unavailable)):  # noqa: PLR2004 - server errors
        return Elsewhere(error, unapplied=unapplied)
    return error


async def _text(response: aiohttp.ClientResponse) -> str:
    text = bytearray()
    async for chunk in response.content.iter_any():
        text += chunk
        if len(text) >= _LONGEST_ERROR:
            # What is left unread is not worth a connection.
            response.close()
            break
    return text[:_LONGEST_ERROR].decode(errors="replace")


def _index(told: str) -> int:
    return int(told) if told.isascii() and told.isdigit() else 0


def _seconds(retry_after: str) -> float | None:
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None


def _broken(error: Exception, address: str) -> NoAnswer:
    return NoAnswer(f"Nomad at {address}: {_said(error)}")


#: Words that are the same each time, for they end in Events; the library quotes whole URLs and objects.
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (ConnectionRefusedError, "connection refused"),
    (aiohttp.ConnectionTimeoutError, "no connection in time"),
    (TimeoutError, "no answer in time"),
    (aiohttp.ClientPayloadError, "the answer broke off"),
    (aiohttp.ClientResponseError, "what answers there does not speak HTTP"),
)


def _said(error: Exception) -> str:
    cause = _cause(error)
    return next((words for kind, words in _WORDS if isinstance(cause, kind)), str(cause) or type(cause).__name__)


def _cause(error: Exception) -> Exception:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return error.certificate_error
    return error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
