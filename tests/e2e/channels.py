"""Many WebSockets of the API server at once, in the protocol of the Python client (`v4.channel.k8s.io`)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlencode

import aiohttp

from tests.e2e.namespace import Namespace

_PROTOCOL = "v4.channel.k8s.io"
#: Handshakes at a time.
_AT_ONCE = 10

Session = aiohttp.ClientWebSocketResponse


@asynccontextmanager
async def commands(namespace: Namespace, pod: str, number: int, *command: str) -> AsyncIterator[list[Session]]:
    """So many runs of a command, which are left at the end of the block."""
    query = [*(("command", word) for word in command), ("stdout", "true"), ("stderr", "true")]
    async with _sessions(namespace, f"{pod}/exec", query, number) as opened:
        yield opened


@asynccontextmanager
async def forwards(namespace: Namespace, pod: str, number: int, port: int) -> AsyncIterator[list[Session]]:
    """So many forwards of one port, which are left at the end of the block."""
    async with _sessions(namespace, f"{pod}/portforward", [("ports", str(port))], number) as opened:
        yield opened


@asynccontextmanager
async def _sessions(
    namespace: Namespace, resource: str, query: Sequence[tuple[str, str]], number: int
) -> AsyncIterator[list[Session]]:
    plane = namespace.bed.control_plane
    context = ssl.create_default_context(cafile=str(plane.authority.certificate))
    context.load_cert_chain(plane.admin.certificate, plane.admin.key)
    url = f"{plane.address}/api/v1/namespaces/{namespace.name}/pods/{resource}?{urlencode(query)}"
    turns = asyncio.Semaphore(_AT_ONCE)
    async with AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        client = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))

        async def opened() -> Session:
            async with turns:
                return await client.ws_connect(url, protocols=(_PROTOCOL,))

        async with asyncio.TaskGroup() as tasks:
            opening = [tasks.create_task(opened()) for _ in range(number)]
        yield [task.result() for task in opening]


async def payload(session: Session) -> tuple[int, bytes]:
    """The next message that holds something: its channel and what it holds. Raises EOFError at the end."""
    async for message in session:
        if message.type is aiohttp.WSMsgType.BINARY and len(message.data) > 1:
            return message.data[0], message.data[1:]
    raise EOFError
