"""The agents of Nomad's clients, which carry out what others are asked for.

A server hands the streams of a command on in frames of a kilobyte, each unpacked and packed again. To ask the client's
own agent, as Nomad's command line does (api/allocations_exec.go), doubles what gets through and spares the servers. Not
everybody reaches the clients: where that fails, the servers are the way.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from vnode.errors import PeerError
from vnode.nomad.client import NomadClient
from vnode.nomad.transport import Query, Transport
from vnode.nomad.websocket import WebSocket

#: Seconds for an agent to answer, and for how long one that did not is not asked again.
_WITHIN, _SHUNNED = 2.0, 300.0

_log = structlog.get_logger(__name__)


class ClientAgents:
    """The shortest way to a client; `clock` is monotonic, seconds."""

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._client = NomadClient(transport)
        self._clock = clock
        self._shunned: dict[str, float] = {}

    @asynccontextmanager
    async def websocket(self, client: str, path: str, query: Query) -> AsyncIterator[WebSocket]:
        """A WebSocket to a client's agent, or through the servers, always so for `client` "". Raises PeerError."""
        async with AsyncExitStack() as opened:
            socket = await self._directly(opened, client, path, query)
            if socket is None:
                socket = await opened.enter_async_context(self._transport.websocket(path, query))
            yield socket

    async def _directly(self, opened: AsyncExitStack, client: str, path: str, query: Query) -> WebSocket | None:
        if not client or self._clock() < self._shunned.get(client, 0.0):
            return None
        try:
            async with asyncio.timeout(_WITHIN):
                agent = (await self._client.client(client)).http_addr
                return await opened.enter_async_context(self._transport.websocket(path, query, agent=agent))
        except (PeerError, TimeoutError) as error:
            _log.info("commands go through the servers", client=client, reason=str(error) or "no answer in time")
            self._shun(client)
            return None

    def _shun(self, client: str) -> None:
        now = self._clock()
        self._shunned = {each: until for each, until in self._shunned.items() if now < until}
        self._shunned[client] = now + _SHUNNED
