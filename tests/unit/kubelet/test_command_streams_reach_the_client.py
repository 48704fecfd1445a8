import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from tests.unit.kubelet.upgraded import SpdyPeer, served, spdy_peer
from vnode.kubelet.command_session import CommandStreamsOpener
from vnode.kubelet.command_streams import CommandStreams, WantedStreams
from vnode.kubelet.lifeline import ClientGone, Idle
from vnode.kubelet.upgrade import UpgradeRefused
from vnode.streaming.commands import Exited, TerminalSize

Body = Callable[[CommandStreams], Awaitable[None]]
V4 = "v4.channel.k8s.io"


@dataclass
class Command:
    """A handler of exec whose command is a test's function."""

    body: Body
    idle_limit: float = 60
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    error: BaseException | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            wanted = WantedStreams.parse(request.query)
            async with CommandStreamsOpener(self.idle_limit)(request, wanted) as streams:
                await self.body(streams)
        except UpgradeRefused as refused:
            return refused.response
        except ClientGone as gone:
            self.error = gone
            return web.Response()
        finally:
            self.ended.set()
        return streams.response

    async def has_ended(self) -> None:
        async with asyncio.timeout(10):
            await self.ended.wait()


@asynccontextmanager
async def attached(command: Command, query: str, *kinds: str) -> AsyncIterator[tuple[SpdyPeer, dict[str, int]]]:
    async with served(command.handle) as port, spdy_peer(port, f"/exec/a/b/c?{query}", V4) as peer:
        yield peer, {kind: await peer.open(streamtype=kind) for kind in ("error", *kinds)}


async def echo(streams: CommandStreams) -> None:
    while data := await streams.read_stdin():
        await streams.write_stdout(data)
    await streams.write_stderr(b"done")
    await streams.finish(Exited(7))


async def test_a_command_talks_to_its_client() -> None:
    command = Command(echo)
    async with attached(command, "input=1&output=1&error=1", "stdin", "stdout", "stderr") as (peer, ids):
        sent = bytes(range(256)) * 4096
        peer.writer.write(peer.codec.data(ids["stdin"], sent))
        await peer.until(lambda: len(peer.received(ids["stdout"])) == len(sent))
        assert peer.received(ids["stdout"]) == sent
        peer.writer.write(peer.codec.data(ids["stdin"], b"", fin=True))
        await peer.until(lambda: peer.ended(ids["error"]) and peer.ended(ids["stdout"]) and peer.ended(ids["stderr"]))
        assert peer.received(ids["stderr"]) == b"done"
        status = json.loads(peer.received(ids["error"]))
        assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]
        assert not command.ended.is_set(), "the client has not left: what it still reads must not be lost"
        peer.writer.write(peer.codec.go_away())
        await peer.closed()
        await command.has_ended()
    assert command.error is None


async def test_a_client_that_goes_away_cancels_its_command() -> None:
    cancelled = asyncio.Event()

    async def sleep(_: CommandStreams) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    command = Command(sleep)
    async with attached(command, "output=1", "stdout") as (peer, _):
        peer.writer.close()
        await command.has_ended()
    assert isinstance(command.error, ClientGone)
    assert cancelled.is_set()


async def test_a_client_that_goes_away_ends_even_tasks_that_write() -> None:
    async def flood(streams: CommandStreams) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(forever(streams.write_stdout))
            tasks.create_task(forever(streams.write_stderr))

    async def forever(write: Callable[[bytes], Awaitable[None]]) -> None:
        while True:
            await write(b"x" * 65536)

    command = Command(flood)
    async with attached(command, "output=1&error=1", "stdout", "stderr") as (peer, ids):
        await peer.until(lambda: len(peer.received(ids["stdout"])) > 1 << 20)
        peer.writer.transport.abort()
        await command.has_ended()
    assert isinstance(command.error, ClientGone)


async def test_a_client_that_goes_away_while_its_input_waits_is_seen() -> None:
    async def deaf(_: CommandStreams) -> None:
        await asyncio.Event().wait()

    command = Command(deaf)
    async with attached(command, "input=1", "stdin") as (peer, ids):
        peer.writer.write(peer.codec.data(ids["stdin"], b"x" * (300 * 1024)))
        await peer.writer.drain()
        await asyncio.sleep(0.05)
        peer.writer.close()
        await command.has_ended()
    assert isinstance(command.error, ClientGone)


async def test_a_command_waits_for_a_client_that_does_not_read() -> None:
    written = 0
    stuck = asyncio.Event()

    async def flood(streams: CommandStreams) -> None:
        nonlocal written
        for _ in range(400):
            watch = asyncio.get_running_loop().call_later(0.2, stuck.set)
            await streams.write_stdout(b"x" * 65536)
            watch.cancel()
            written += 65536
        await streams.finish(Exited(0))

    command = Command(flood)
    async with attached(command, "output=1", "stdout") as (peer, ids):
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(5):
            await stuck.wait()
        assert written < 16 << 20
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await peer.until(lambda: peer.ended(ids["error"]))
        assert len(peer.received(ids["stdout"])) == 400 * 65536


async def test_input_that_is_not_read_stops_at_a_bound() -> None:
    go_on = asyncio.Event()
    total = 0

    async def slow(streams: CommandStreams) -> None:
        nonlocal total
        await go_on.wait()
        while data := await streams.read_stdin():
            assert len(data) <= 256 * 1024
            total += len(data)
        await streams.finish(Exited(0))

    command = Command(slow)
    async with attached(command, "input=1", "stdin") as (peer, ids):
        sent = 64 << 20
        feeder = asyncio.create_task(feed(peer, ids["stdin"], sent))
        done, _ = await asyncio.wait([feeder], timeout=0.3)
        assert not done, "64 MiB went somewhere"
        go_on.set()
        await feeder
        await peer.until(lambda: peer.ended(ids["error"]))
    assert total == sent


async def feed(peer: SpdyPeer, stream_id: int, length: int) -> None:
    piece = peer.codec.data(stream_id, b"x" * 65536)
    for _ in range(length // 65536):
        peer.writer.write(piece)
        await peer.writer.drain()
    peer.writer.write(peer.codec.data(stream_id, b"", fin=True))


async def test_pings_are_answered_while_output_is_stuck_and_input_waits() -> None:
    async def deaf(_: CommandStreams) -> None:
        await asyncio.Event().wait()

    async with attached(Command(deaf), "input=1&output=1", "stdin", "stdout") as (peer, ids):
        peer.writer.write(peer.codec.data(ids["stdin"], b"x" * 1000) + peer.codec.ping(1) + peer.codec.ping(3))
        await peer.until(lambda: peer.codec.pings == [1, 3])


async def test_only_the_newest_size_of_the_terminal_is_told() -> None:
    sizes: list[TerminalSize] = []
    first = asyncio.Event()

    async def watch(streams: CommandStreams) -> None:
        await first.wait()
        sizes.append(await streams.next_size())
        sizes.append(await streams.next_size())
        await streams.finish(Exited(0))

    async with attached(Command(watch), "output=1&tty=1", "stdout", "resize") as (peer, ids):
        for width in (80, 100, 120):
            peer.writer.write(peer.codec.data(ids["resize"], b'{"Width":%d,"Height":24}\n' % width))
        peer.writer.write(peer.codec.ping(1))
        await peer.until(lambda: peer.codec.pings == [1])
        first.set()
        await asyncio.sleep(0)
        peer.writer.write(peer.codec.data(ids["resize"], b'{"Width":90,"Height":30}\n'))
        await peer.until(lambda: peer.ended(ids["error"]))
    assert sizes == [TerminalSize(120, 24), TerminalSize(90, 30)]


async def test_an_idle_session_ends_with_a_sentence() -> None:
    async def deaf(_: CommandStreams) -> None:
        await asyncio.Event().wait()

    command = Command(deaf, idle_limit=0.2)
    async with attached(command, "input=1&output=1", "stdin", "stdout") as (peer, ids):
        peer.writer.write(peer.codec.ping(1))
        await peer.until(lambda: peer.ended(ids["error"]))
        assert "nothing was sent for 0.2 s" in json.loads(peer.received(ids["error"]))["message"]
        peer.writer.close()
        await command.has_ended()
    assert isinstance(command.error, Idle)


async def test_a_session_in_use_is_not_idle() -> None:
    limit = 1.5
    command = Command(echo, idle_limit=limit)
    async with attached(command, "input=1&output=1", "stdin", "stdout") as (peer, ids):
        for count in range(1, 8):
            peer.writer.write(peer.codec.data(ids["stdin"], b"x"))
            await peer.until(lambda count=count: len(peer.received(ids["stdout"])) == count)  # type: ignore[misc]
            await asyncio.sleep(limit / 6)
        assert not command.ended.is_set()


async def test_a_block_that_breaks_leaves_no_half_open_connection() -> None:
    async def broken(_: CommandStreams) -> None:
        raise ClientGone("as if")

    async with attached(Command(broken), "output=1", "stdout") as (peer, _):
        await peer.closed()
        assert peer.codec.gone_away == (3, 0)


@pytest.mark.parametrize(
    ("header", "status", "text"),
    [
        ("", 400, "unable to upgrade: header X-Stream-Protocol-Version does not exist in request"),
        (
            "X-Stream-Protocol-Version: v9\r\n",
            403,
            (
                "unable to upgrade: unable to negotiate protocol: client supports [v9], server accepts "
                "[v4.channel.k8s.io v3.channel.k8s.io v2.channel.k8s.io channel.k8s.io]"
            ),
        ),
    ],
)
async def test_what_is_not_spoken_is_refused_before_the_upgrade(header: str, status: int, text: str) -> None:
    async with served(Command(echo).handle) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST /exec/a/b/c?output=1 HTTP/1.1\r\nHost: node\r\nConnection: Upgrade, close\r\n"
            f"Upgrade: SPDY/3.1\r\n{header}\r\n".encode()
        )
        answer = (await reader.read()).decode()
        writer.close()
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert answer.endswith(text)


async def test_answers_that_nobody_reads_stop_at_a_bound() -> None:
    async def deaf(_: CommandStreams) -> None:
        await asyncio.Event().wait()

    async with attached(Command(deaf), "output=1", "stdout") as (peer, _):
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        pings = b"".join(peer.codec.ping(number) for number in range(1, 20_001, 2))

        async def ping_for_ever() -> None:
            while True:
                peer.writer.write(pings)
                await peer.writer.drain()
                counted.append(len(pings))

        counted: list[int] = []
        pinger = asyncio.create_task(ping_for_ever())
        before = -1
        while before < len(counted):
            before = len(counted)
            await asyncio.sleep(0.3)
        assert sum(counted) < 64 << 20
        pinger.cancel()
        peer.writer.transport.abort()
