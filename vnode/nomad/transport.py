"""HTTP to Nomad: one sticky server of several, a connection budget, an identity that follows its files."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from math import isfinite
from typing import TypeVar
from urllib.parse import urlencode

from vnode.breaker import Breaker
from vnode.errors import Denied, NoAnswer, PeerError
from vnode.fence import OPEN, Fence, demand
from vnode.nomad.budget import REQUESTS, RESERVED_FOR_CONTROL, StreamBudget
from vnode.nomad.channel import Call, Channel, Elsewhere, Reply, Stream
from vnode.nomad.credentials import Credentials
from vnode.nomad.settings import NomadSettings
from vnode.nomad.websocket import WebSocket
from vnode.throttle import Throttle

__all__ = ["NomadSettings", "Reply", "Stream", "Transport", "connect"]

_DEFAULT_REGION = "global"

T = TypeVar("T")
Query = Mapping[str, str | Sequence[str]]


class Transport:
    """Requests and streams to Nomad; made by `connect`.

    A server that cannot be reached or knows no leader is left for the next address, for good: whoever holds a
    stream from the server that was left sees it by `address`, and must open a new one, for a server that lost its
    cluster keeps its streams open and silent. Writes are sent only while `fence` allows it.
    """

    def __init__(
        self,
        settings: NomadSettings,
        credentials: Credentials,
        fence: Fence = OPEN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.region = settings.region
        self.streams = StreamBudget(settings.streams)
        self.breaker = Breaker("Nomad", clock)
        self._throttle = Throttle(REQUESTS, RESERVED_FOR_CONTROL)
        self._credentials = credentials
        self._fence = fence
        self._server_name = settings.tls_server_name
        self._addresses = tuple(address.rstrip("/") for address in settings.addresses)
        self._current = 0
        self._channel: Channel | None = None

    @property
    def waiting(self) -> int:
        """Requests that wait for room in the budget."""
        return self._throttle.waiting

    @property
    def address(self) -> str:
        """The server in use."""
        return self._addresses[self._current]

    async def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        *,
        body: bytes = b"",
        control: bool = False,
        compressed: bool = False,
    ) -> Reply:
        """One exchange; `path` is quoted already, empty values of `query` are left out.

        `control` traffic (stop, status, variables) never waits for other traffic. A read that fails is tried at
        every address, a write only where it cannot have been applied. Raises the kinds of `vnode.errors`.
        """
        fence = OPEN if method == "GET" else self._fence
        call = Call(method=method, target=self._target(path, query), body=body, compressed=compressed, fence=fence)

        async def exchange(channel: Channel) -> Reply:
            return await self._failing_over(lambda address: channel.exchange(address, call), repeatable=method == "GET")

        async with self._throttle.request(control=control), _permitted(fence):
            self.breaker.ask()
            return await self._with_fresh_identity(exchange)

    @asynccontextmanager
    async def stream(self, path: str, query: Query, *, silence: float | None) -> AsyncIterator[Stream]:
        """An answer that is read while it arrives; after `silence` seconds without a byte it counts as broken.

        Logs and exec sessions hold `streams.stream()` around it. Raises the kinds of `vnode.errors`.
        """
        call = Call(method="GET", target=self._target(path, query), read=silence)
        async with AsyncExitStack() as opened:

            async def open_stream(channel: Channel) -> Stream:
                return await self._failing_over(
                    lambda address: opened.enter_async_context(channel.stream(address, call)), repeatable=True
                )

            yield await self._with_fresh_identity(open_stream)

    @asynccontextmanager
    async def websocket(self, path: str, query: Query, *, agent: str = "") -> AsyncIterator[WebSocket]:
        """A WebSocket for the length of the block; sessions hold `streams.stream()` around it.

        `agent` is the host and port of the one agent that is to serve it. Raises the kinds of `vnode.errors`.
        """
        target = self._target(path, query)
        async with AsyncExitStack() as opened:

            async def open_websocket(channel: Channel) -> WebSocket:
                if agent:
                    return await opened.enter_async_context(self._agent_websocket(channel, agent, target))
                return await self._failing_over(
                    lambda address: opened.enter_async_context(channel.websocket(address, target)), repeatable=True
                )

            yield await self._with_fresh_identity(open_websocket)

    @asynccontextmanager
    async def _agent_websocket(self, channel: Channel, agent: str, target: str) -> AsyncIterator[WebSocket]:
        """What becomes of it says nothing of the servers: their breaker and the sticky address are left alone."""
        scheme = self.address.partition(":")[0]
        # The name of every client's certificate, by which Nomad's command line knows it (api/api.go).
        name = f"client.{self.region or _DEFAULT_REGION}.nomad"
        try:
            async with channel.websocket(f"{scheme}://{agent}", target, server_name=name) as socket:
                yield socket
        except Elsewhere as failure:
            raise failure.error from None

    async def aclose(self) -> None:
        """Close all connections."""
        if self._channel:
            await self._channel.retire()

    def _target(self, path: str, query: Query | None) -> str:
        given = {name: value for name, value in {"region": self.region, **(query or {})}.items() if value}
        return f"{path}?{urlencode(given, doseq=True)}" if given else path

    async def _failing_over(self, attempt: Callable[[str], Awaitable[T]], *, repeatable: bool) -> T:
        for attempts_left in reversed(range(len(self._addresses))):
            at = self._current
            try:
                answer = await attempt(self._addresses[at])
            except Elsewhere as failure:
                if self._current == at:
                    self._current = (at + 1) % len(self._addresses)
                if not attempts_left or not (repeatable or failure.unapplied):
                    self._count(failure)
                    raise failure.error from None
            except PeerError:
                self.breaker.answered()
                raise
            else:
                self.breaker.answered()
                return answer
        raise AssertionError("unreachable: settings hold at least one address")

    def _count(self, failure: Elsewhere) -> None:
        """No server serves us; a server error about the one request says nothing of others."""
        if failure.unapplied or isinstance(failure.error, NoAnswer):
            self.breaker.failed(failure.error)
        else:
            self.breaker.answered()

    async def _with_fresh_identity(self, run: Callable[[Channel], Awaitable[T]]) -> T:
        """A token or certificate may have been replaced a moment ago: look before Denied is believed."""
        channel = await self._channel_for_now()
        try:
            async with channel.in_use():
                return await run(channel)
        except Denied:
            await self._credentials.reread()
            fresh = await self._channel_for_now()
            if fresh is channel:
                raise
            async with fresh.in_use():
                return await run(fresh)

    async def _channel_for_now(self) -> Channel:
        identity = await self._credentials.identity()
        old = self._channel
        if old and old.identity is identity:
            return old
        self._channel = new = Channel(identity, self._server_name, fenced=self._fence is not OPEN)
        if old:
            await old.retire()
        return new


@asynccontextmanager
async def connect(
    settings: NomadSettings, now: Callable[[], float] = time.monotonic, fence: Fence = OPEN
) -> AsyncGenerator[Transport, None]:
    """A transport for as long as the context lasts; no request is made yet.

    Raises OSError (ssl.SSLError among them) or ValueError when token or certificate files cannot be used.
    """
    credentials = Credentials(settings, now)
    await credentials.identity()
    transport = Transport(settings, credentials, fence, now)
    try:
        yield transport
    finally:
        await transport.aclose()


@asynccontextmanager
async def _permitted(fence: Fence) -> AsyncIterator[None]:
    """A write that is not answered while the fence is open is given up; whether it was applied is unknown then."""
    left = demand(fence)
    if not isfinite(left):
        yield
        return
    try:
        async with asyncio.timeout(left):
            yield
    except TimeoutError:
        raise NoAnswer("Nomad did not answer a write as long as this process might write") from None
