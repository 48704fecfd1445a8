"""WebSockets to Nomad with one identity, in the errors of this package."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.client_ws import ClientWSTimeout
from yarl import URL

from vnode.errors import NoAnswer
from vnode.nomad.credentials import Identity
from vnode.nomad.errors import classify

#: Seconds. Nomad ends by dropping the connection, so nobody waits long for the answer to a close.
_CONNECT, _CLOSE = 5.0, 0.5
#: Seconds after which a peer that vanished without a word is asked, seconds between questions, and questions.
_KEEP_IDLE, _KEEP_INTERVAL, _KEEP_PROBES = 20, 5, 4
#: Bytes; Nomad sends frames of a few kilobytes.
_LARGEST_MESSAGE = 1024 * 1024

_Address = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[object, ...]]


class WebSocket:
    """One open WebSocket; reading and writing may happen at the same time. All methods raise PeerError."""

    def __init__(self, response: aiohttp.ClientWebSocketResponse, address: str) -> None:
        self._response = response
        self._address = address

    async def receive(self) -> str | None:
        """The next text; None once Nomad has closed without giving a reason."""
        message = await self._response.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data)
        if message.type is aiohttp.WSMsgType.CLOSE and message.extra:
            raise classify(500, str(message.extra))
        if message.type is aiohttp.WSMsgType.ERROR:
            raise NoAnswer(f"Nomad at {self._address}: {message.data}")
        return None

    async def send(self, text: str) -> None:
        """Send a text; waits while Nomad does not read."""
        try:
            await self._response.send_str(text)
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(f"Nomad at {self._address}: {error or type(error).__name__}") from None


class WebSockets:
    """Opens WebSockets; nothing is shared between them but the identity."""

    def __init__(self, identity: Identity, server_name: str) -> None:
        self._identity = identity
        self._server_name = server_name or None
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def open(self, address: str, target: str, server_name: str = "") -> AsyncIterator[WebSocket]:
        """One WebSocket for the length of the block, to who proves to be `server_name`. Raises PeerError."""
        headers = {"X-Nomad-Token": self._identity.token} if self._identity.token else {}
        try:
            response = await self._opened().ws_connect(
                URL(address + target, encoded=True),
                headers=headers,
                server_hostname=server_name or self._server_name,
                timeout=ClientWSTimeout(ws_close=_CLOSE),
                max_msg_size=_LARGEST_MESSAGE,
            )
        except aiohttp.WSServerHandshakeError as error:
            raise classify(error.status, f"the exec session is refused with status {error.status}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoAnswer(f"Nomad at {address}: {error or type(error).__name__}") from None
        async with response:
            yield WebSocket(response, address)

    async def aclose(self) -> None:
        """Close what is still open."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._identity.tls, limit=0, socket_factory=_watched_socket)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT)
            headers = {"User-Agent": "hashinetes"}
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers)
        return self._session


def _watched_socket(address: _Address) -> socket.socket:
    """A socket whose silent end the kernel notices: a session may be idle for hours."""
    family, kind, protocol, *_ = address
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEP_IDLE)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEP_INTERVAL)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEP_PROBES)
    return opened
