import asyncio
import hashlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from tests.unit.kubelet.api import Everything, running_pod
from tests.unit.kubelet.upgraded import SpdyPeer, served, spdy_peer
from tests.unit.streaming.spdy_client import StrictSpdyClient
from translators.port_addresses import Endpoint
from translators.records.pods import Pod
from vnode.kubelet.forward_session import ForwardedConnectionsOpener
from vnode.kubelet.forwarded_connections import ByteStream
from vnode.kubelet.port_forward import PortForward
from vnode.kubelet.tcp import connected

Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PROTOCOL = "portforward.k8s.io"
PATH = "/portForward/default/shop"


class LoopbackDialer:
    """Reaches every port of the Pod on loopback."""

    @asynccontextmanager
    async def dial(self, pod: Pod, port: int) -> AsyncIterator[ByteStream]:
        assert pod.metadata.name == "shop"
        async with connected((Endpoint("127.0.0.1", port),)) as stream:
            yield stream


@asynccontextmanager
async def forwarding(
    idle_limit: float = 60, most_connections: int = 100, most_forwards: int = 10
) -> AsyncIterator[int]:
    everything = Everything({"shop": running_pod()})
    forward = PortForward(
        everything,
        ForwardedConnectionsOpener(idle_limit),
        LoopbackDialer(),
        most_connections=most_connections,
        most_forwards=most_forwards,
    )

    async def handle(request: web.Request) -> web.StreamResponse:
        _, _, namespace, pod, *uid = request.path.split("/")
        request.match_info.update({"namespace": namespace, "pod": pod, **({"uid": uid[0]} if uid else {})})
        return await forward.handle(request)

    async with served(handle) as port:
        yield port


@asynccontextmanager
async def listening(connected: Connected) -> AsyncIterator[int]:
    """A program in the Pod."""
    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def digest(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers only after the client has closed its half."""
    writer.write(hashlib.sha256(await reader.read()).digest())
    writer.close()


async def connect(peer: SpdyPeer, port: int, request: str) -> tuple[int, int]:
    """The streams of one connection, as kubectl opens them."""
    error = await peer.open(streamtype="error", port=str(port), requestid=request)
    peer.writer.write(peer.codec.data(error, b"", fin=True))
    return error, await peer.open(streamtype="data", port=str(port), requestid=request)


async def test_bytes_go_both_ways() -> None:
    async with listening(echo) as inside, forwarding() as port, spdy_peer(port, PATH, PROTOCOL) as peer:
        error, data = await connect(peer, inside, "0")
        sent = bytes(range(256)) * 8192
        peer.writer.write(peer.codec.data(data, sent))
        await peer.until(lambda: len(peer.received(data)) == len(sent))
        assert peer.received(data) == sent
        peer.writer.write(peer.codec.data(data, b"", fin=True))
        await peer.until(lambda: peer.ended(data) and peer.ended(error))
        assert peer.received(error) == b""


async def test_a_half_closed_connection_still_answers() -> None:
    async with listening(digest) as inside, forwarding() as port, spdy_peer(port, PATH, PROTOCOL) as peer:
        _, data = await connect(peer, inside, "0")
        peer.writer.write(peer.codec.data(data, b"x" * 1_000_000, fin=True))
        await peer.until(lambda: peer.ended(data))
        assert peer.received(data) == hashlib.sha256(b"x" * 1_000_000).digest()


async def test_many_connections_live_at_once_and_outlive_each_other() -> None:
    async with listening(echo) as inside, forwarding() as port, spdy_peer(port, PATH, PROTOCOL) as peer:
        ids = [(await connect(peer, inside, str(number)))[1] for number in range(20)]
        for number, data in enumerate(ids):
            peer.writer.write(peer.codec.data(data, b"%d" % number))
        await peer.until(lambda: all(peer.received(data) for data in ids))
        for data in ids[::2]:
            peer.writer.write(peer.codec.reset(data))
        for data in ids[1::2]:
            peer.writer.write(peer.codec.data(data, b"!", fin=True))
        await peer.until(lambda: all(peer.ended(data) for data in ids[1::2]))
        assert [peer.received(data) for data in ids[1::2]] == [b"%d!" % number for number in range(1, 20, 2)]


async def test_a_port_where_nobody_listens_is_told_on_the_error_stream_and_spares_the_others() -> None:
    async with listening(echo) as inside, forwarding() as port, spdy_peer(port, PATH, PROTOCOL) as peer:
        error, data = await connect(peer, 1, "0")
        await peer.until(lambda: peer.ended(error) and peer.ended(data))
        assert peer.received(error) == (
            b"error forwarding port 1 to pod shop, uid uid-shop: dial tcp 127.0.0.1:1: connection refused"
        )
        _, data = await connect(peer, inside, "1")
        peer.writer.write(peer.codec.data(data, b"hello"))
        await peer.until(lambda: peer.received(data) == b"hello")


async def test_too_many_connections_are_told_so() -> None:
    async with (
        listening(echo) as inside,
        forwarding(most_connections=1) as port,
        spdy_peer(port, PATH, PROTOCOL) as peer,
    ):
        await connect(peer, inside, "0")
        error, _ = await connect(peer, inside, "1")
        await peer.until(lambda: peer.ended(error))
        assert peer.received(error).endswith(b"this node carries 1 forwarded connections already")


async def test_a_program_that_breaks_off_ends_its_connection_only() -> None:
    async def break_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with listening(break_off) as inside, forwarding() as port, spdy_peer(port, PATH, PROTOCOL) as peer:
        error, data = await connect(peer, inside, "0")
        await peer.until(lambda: peer.ended(error) and peer.ended(data))
        assert peer.received(error) == b""
        peer.writer.write(peer.codec.ping(1))
        await peer.until(lambda: peer.codec.pings == [1])


async def test_a_client_that_leaves_closes_the_connections_in_the_pod() -> None:
    over = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        except ConnectionError:
            pass
        finally:
            over.set()
            writer.close()

    async with listening(wait) as inside, forwarding() as port, spdy_peer(port, PATH, PROTOCOL) as peer:
        _, data = await connect(peer, inside, "0")
        peer.writer.write(peer.codec.data(data, b"hello") + peer.codec.go_away())
        await peer.closed()
        async with asyncio.timeout(5):
            await over.wait()


@pytest.mark.parametrize(
    "headers",
    [
        {"streamtype": "data"},
        {"streamtype": "data", "port": "0"},
        {"streamtype": "data", "port": "65536"},
        {"streamtype": "data", "port": "http"},
        {"streamtype": "stdin", "port": "80"},
        {"port": "80"},
    ],
)
async def test_streams_that_name_no_port_or_kind_are_refused(headers: dict[str, str]) -> None:
    async with forwarding() as port, spdy_peer(port, PATH, PROTOCOL) as peer:
        assert peer.refused(await peer.open(**headers))


async def test_ancient_clients_pair_their_streams_by_number() -> None:
    async with listening(echo) as inside, forwarding() as port, spdy_peer(port, PATH, PROTOCOL) as peer:
        error = await peer.open(streamtype="error", port=str(inside))
        data = await peer.open(streamtype="data", port=str(inside))
        peer.writer.write(peer.codec.data(data, b"hello", fin=True))
        await peer.until(lambda: peer.ended(data) and peer.ended(error))
        assert peer.received(data) == b"hello"


async def test_an_idle_forward_ends() -> None:
    async with (
        listening(echo) as inside,
        forwarding(idle_limit=0.2) as port,
        spdy_peer(port, PATH, PROTOCOL) as peer,
    ):
        await connect(peer, inside, "0")
        await peer.closed()
        assert peer.codec.gone_away is not None


async def test_the_tunnel_carries_the_same_in_a_websocket() -> None:
    codec = StrictSpdyClient()
    async with listening(echo) as inside, forwarding() as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}{PATH}"
        async with session.ws_connect(url, protocols=("SPDY/3.1+portforward.k8s.io",)) as channel:
            assert channel.protocol == "SPDY/3.1+portforward.k8s.io"
            headers = {"port": str(inside), "requestid": "0"}
            error, opened = codec.open({"streamtype": "error", **headers}, fin=True)
            data, more = codec.open({"streamtype": "data", **headers})
            opened += more + codec.data(data, b"hello" * 100_000, fin=True)
            for start in range(0, len(opened), 1000):
                await channel.send_bytes(opened[start : start + 1000])
            while not codec.streams[error].ended:
                codec.receive(await channel.receive_bytes(timeout=5))
            assert bytes(codec.streams[data].received) == b"hello" * 100_000


async def test_the_old_websocket_protocol_has_two_channels_for_each_port() -> None:
    async with listening(echo) as inside, forwarding() as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}{PATH}?port={inside},1"
        async with session.ws_connect(url, protocols=("v4.channel.k8s.io",)) as channel:
            number = inside.to_bytes(2, "little")
            assert [await channel.receive_bytes(timeout=5) for _ in range(4)] == [
                b"\x00" + number,
                b"\x01" + number,
                b"\x02\x01\x00",
                b"\x03\x01\x00",
            ]
            assert (await channel.receive_bytes(timeout=5)).startswith(b"\x03error forwarding port 1 to pod shop")
            await channel.send_bytes(b"\x00hello")
            assert await channel.receive_bytes(timeout=5) == b"\x00hello"


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/portForward/default/nope", 404, 'pod "nope" does not exist'),
        (PATH + "/another-uid", 404, 'pod "shop" does not exist'),
        (PATH, 400, "unable to upgrade: header X-Stream-Protocol-Version does not exist in request"),
    ],
)
async def test_what_cannot_be_forwarded_is_refused_before_the_upgrade(path: str, status: int, text: str) -> None:
    async with (
        forwarding() as port,
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        assert (answer.status, await answer.text()) == (status, text)


async def test_more_clients_than_allowed_are_sent_away() -> None:
    async with (
        forwarding(most_forwards=1) as port,
        spdy_peer(port, PATH, PROTOCOL),
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}{PATH}") as answer,
    ):
        assert answer.status == 429
