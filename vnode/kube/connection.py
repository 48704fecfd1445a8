"""The connection to the API server: TLS, timeouts, and its refusals as our errors.

The requests are our own, for the client of kubernetes_asyncio resolves proxies in a thread for every request, has no
timeouts, and logs bodies at DEBUG. Nothing here logs a body or a header. Requests, watches and signs of life have a
connector each, so that none starves the others. Writes stand behind a fence (`vnode.fence`).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from vnode import __version__
from vnode.breaker import Breaker
from vnode.errors import NoAnswer
from vnode.fence import OPEN, Fence, demand
from vnode.kube.answers import failure
from vnode.kube.api import JSON
from vnode.kube.credentials import Credentials
from vnode.kube.errors import Silent
from vnode.last_look import last_look
from vnode.throttle import Throttle

_READS = frozenset({"GET", "HEAD"})
_CONNECT_SECONDS = 5.0
_FIRST_BYTE_SECONDS = 30.0
# The API server sends a bookmark about once a minute; two missing ones mean that nobody is there.
_SILENCE_SECONDS = 130.0
# Below the 90 s after which the API server closes an idle connection, so that we never write into a closing one.
_KEEPALIVE_SECONDS = 60.0
# The Leases and the status of the Node: a flood of patches must not make the Node, or the leader, look dead.
_VITAL_REQUESTS = 4
# The greatest object that etcd takes by default is 1.5 MiB; a line that outgrows this is not an object.
_LINE_LIMIT = 16 * 2**20


class Connection:
    """Requests and watches to one API server; made by `connect`.

    Writes are sent only while the fence allows it. `unfenced` is the same connection without a fence, for what changes
    nothing (reviews) and for the election itself; `vital` is one with sockets of its own, for signs of life.
    """

    def __init__(
        self,
        credentials: Credentials,
        sessions: "_Sessions",
        watch_silence: float,
        fence: Fence,
        breaker: Breaker,
    ) -> None:
        self._credentials = credentials
        self._sessions = sessions
        self._watch_silence = watch_silence
        self._fence = fence
        self.breaker = breaker

    @property
    def unfenced(self) -> "Connection":
        """The same, for requests that may be sent at any time."""
        return Connection(self._credentials, self._sessions, self._watch_silence, OPEN, self.breaker)

    @property
    def vital(self) -> "Connection":
        """The same, with requests that wait for no others."""
        own = self._sessions
        sessions = replace(own, requests=own.vital, throttle=own.vital_throttle)
        return Connection(self._credentials, sessions, self._watch_silence, self._fence, self.breaker)

    async def lull(self, within: float) -> None:
        """Wait until no request is in flight, at most `within` seconds."""
        await self._sessions.throttle.lull(within)

    @property
    def open_watches(self) -> int:
        """How many watches are open now, for metrics: each holds a socket."""
        return self._sessions.watches.open

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
        """Send one request and return the body of its answer.

        `path` is ready for the wire (quoted); `within` bounds the whole in seconds, the wait for a free connection
        included. Raises Denied, NotFound, Conflict, Rejected and their subclasses of `vnode.kube.errors` for what the
        server says, and Unavailable when it says nothing or is not well; whether a write was applied is then unknown.
        Withheld: the write was not sent.
        """
        if self._sessions.requests is not self._sessions.vital:
            self.breaker.ask()
        headers = await self._headers(content_type if body is not None else None)
        fence = OPEN if method in _READS else self._fence
        within = min(within, demand(fence))
        timeout = aiohttp.ClientTimeout(
            total=within, sock_connect=_CONNECT_SECONDS, sock_read=min(within, _FIRST_BYTE_SECONDS)
        )
        try:
            async with asyncio.timeout(within), self._sessions.throttle.request():
                async with self._sessions.requests.request(
                    method,
                    self._url(path, query),
                    data=body,
                    headers=headers,
                    timeout=timeout,
                    trace_request_ctx=fence,
                    **self._options,
                ) as response:
                    answer = await response.read()
                self.breaker.answered()
                self._judge(method, path, response, answer)
                return answer
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            error = _unavailable(method, path, problem)
            self.breaker.failed(error)
            raise error from problem

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """Yield the lines of a watch, without their line ends, until the server ends it.

        Raises as `request`; Silent when nothing came for 130 s, Unavailable when the stream breaks or ends within a
        line.
        """
        headers = await self._headers(None)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=self._watch_silence)
        self._sessions.watches.open += 1
        try:
            async with asyncio.timeout(_FIRST_BYTE_SECONDS):
                response = await self._sessions.watches.session.get(
                    self._url(path, query), headers=headers, timeout=timeout, **self._options
                )
            self.breaker.answered()
            async with response:
                if response.status >= 300:  # noqa: PLR2004 - HTTP: everything above 2xx is no answer
                    self._judge("WATCH", path, response, await response.read())
                async for line in _lines(response.content):
                    yield line
        except aiohttp.SocketTimeoutError as problem:
            raise Silent(f"WATCH {path}: nothing came for {self._watch_silence:g} s") from problem
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise _unavailable("WATCH", path, problem) from problem
        finally:
            self._sessions.watches.open -= 1

    async def _headers(self, content_type: str | None) -> dict[str, str]:
        headers = {} if content_type is None else {"Content-Type": content_type}
        authorization = await self._credentials.authorization()
        if authorization:
            headers["Authorization"] = authorization
        return headers

    def _url(self, path: str, query: Mapping[str, str] | None) -> URL:
        target = f"{self._credentials.host}{path}"
        return URL(f"{target}?{urlencode(query)}" if query else target, encoded=True)

    @property
    def _options(self) -> dict[str, Any]:
        return self._credentials.options

    def _judge(self, method: str, path: str, response: aiohttp.ClientResponse, answer: bytes) -> None:
        if response.status < 300:  # noqa: PLR2004 - HTTP: 2xx
            return
        if response.status == 401:  # noqa: PLR2004 - HTTP: Unauthorized
            # A certificate is presented once per connection: without this one the next attempt shows the new one.
            response.close()
            self._credentials.refused()
        raise failure(method, path, response.status, answer, response.headers.get("Retry-After"))


@asynccontextmanager
async def connect(
    kubeconfig: str | None,
    *,
    context: str | None = None,
    max_requests: int = 32,
    watch_silence: float = _SILENCE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    fence: Fence = OPEN,
) -> AsyncIterator[Connection]:
    """Open a connection as the user of a kubeconfig (a path, or several joined as in `KUBECONFIG`).

    Without one: as the ServiceAccount of the Pod that we run in. `max_requests` bounds the requests in flight; watches
    are not bounded. Nothing is sent yet. Raises Denied when the credentials cannot be read.
    """
    credentials = Credentials(kubeconfig, context, clock)
    await credentials.load()
    async with (
        _session(credentials, max_requests, fence) as requests,
        _session(credentials, _VITAL_REQUESTS, fence) as vital,
        _session(credentials, 0, OPEN) as watches,
    ):
        sessions = _Sessions(requests, Throttle(max_requests), vital, Throttle(_VITAL_REQUESTS), _Watches(watches))
        yield Connection(credentials, sessions, watch_silence, fence, Breaker("Kubernetes", clock))


@dataclass(frozen=True, slots=True)
class _Sessions:
    """What requests are sent with: each session has a pool of sockets."""

    requests: aiohttp.ClientSession
    throttle: Throttle
    vital: aiohttp.ClientSession
    vital_throttle: Throttle
    watches: "_Watches"


class _Watches:
    """The session of watches, and how many of them are open."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.open = 0


def _session(credentials: Credentials, limit: int, fence: Fence) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=limit, ssl=credentials.tls, keepalive_timeout=_KEEPALIVE_SECONDS)
    # trust_env makes aiohttp look for proxies in a thread, for every request; a kubeconfig's proxy-url is honoured.
    return aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        headers={"User-Agent": f"vnode/{__version__}", "Accept": JSON},
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[] if fence is OPEN else [last_look()],
    )


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Split a stream into lines; ours, for aiohttp's readline refuses lines beyond its buffer."""
    rest: list[bytes] = []
    length = 0
    async for chunk in content.iter_any():
        *whole, tail = chunk.split(b"\n")
        if whole:
            rest.append(whole[0])
            yield b"".join(rest)
            rest, length = [], 0
            for line in whole[1:]:
                yield line
        if tail:
            rest.append(tail)
            length += len(tail)
        if length > _LINE_LIMIT:
            raise aiohttp.ClientPayloadError(f"a line is longer than {_LINE_LIMIT} bytes")
    if rest:
        raise aiohttp.ClientPayloadError("the stream ended within a line")


def _unavailable(method: str, path: str, problem: Exception) -> NoAnswer:
    reason = str(problem) or type(problem).__name__
    if isinstance(problem, TimeoutError):
        reason = "no answer in time"
    return NoAnswer(f"{method} {path}: {reason}")
