import asyncio
import json

import aiohttp
import pytest

from tests.unit.kubelet.test_command_streams_reach_the_client import Command, echo
from tests.unit.kubelet.upgraded import served
from vnode.kubelet.command_streams import CommandStreams
from vnode.kubelet.lifeline import ClientGone
from vnode.streaming.commands import Exited, TerminalSize

QUERY = "input=1&output=1&error=1"


async def received(channel: aiohttp.ClientWebSocketResponse) -> dict[int, bytes]:
    """What came on each channel until the server closed."""
    found: dict[int, bytes] = {}
    async for message in channel:
        assert message.type is aiohttp.WSMsgType.BINARY
        found[message.data[0]] = found.get(message.data[0], b"") + message.data[1:]
    return found


async def test_version_five_ends_stdin_and_tells_the_exit_code() -> None:
    command = Command(echo)
    async with served(command.handle) as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/exec/a/b/c?{QUERY}"
        async with session.ws_connect(url, protocols=("v5.channel.k8s.io", "v4.channel.k8s.io")) as channel:
            assert channel.protocol == "v5.channel.k8s.io"
            await channel.send_bytes(b"\x00" + b"x" * 300_000)
            await channel.send_str("\x00text\n")
            await channel.send_bytes(b"\xff\x00")
            found = await received(channel)
            assert channel.close_code == 1000
        await command.has_ended()
    assert command.error is None
    assert found[1] == b"x" * 300_000 + b"text\n"
    assert found[2] == b"done"
    assert json.loads(found[3])["details"]["causes"] == [{"reason": "ExitCode", "message": "7"}]


async def test_a_client_that_names_no_protocol_gets_the_oldest() -> None:
    async def fail(streams: CommandStreams) -> None:
        await streams.finish(Exited(3))

    async with (
        served(Command(fail).handle) as port,
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{port}/exec/a/b/c?output=1") as channel,
    ):
        assert channel.protocol is None
        found = await received(channel)
    assert found == {1: b"", 3: b"command terminated with non-zero exit code: exit status 3"}


async def test_a_terminal_is_resized() -> None:
    async def wait(streams: CommandStreams) -> None:
        assert await streams.next_size() == TerminalSize(120, 40)
        await streams.finish(Exited(0))

    command = Command(wait)
    async with served(command.handle) as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/exec/a/b/c?output=1&tty=1"
        async with session.ws_connect(url, protocols=("v4.channel.k8s.io",)) as channel:
            await channel.send_bytes(b'\x04{"Width":120,"Height":40}')
            found = await received(channel)
    assert json.loads(found[3])["status"] == "Success"


async def test_a_client_that_closes_ends_the_command() -> None:
    async def sleep(_: CommandStreams) -> None:
        await asyncio.Event().wait()

    command = Command(sleep)
    async with served(command.handle) as port, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{port}/exec/a/b/c?output=1"
        async with session.ws_connect(url, protocols=("v4.channel.k8s.io",)) as channel:
            await channel.close()
        await command.has_ended()
    assert isinstance(command.error, ClientGone)


@pytest.mark.parametrize(
    ("protocols", "status"), [(("v9.bogus",), 403), (("SPDY/3.1+portforward.k8s.io",), 403), ((), 101)]
)
async def test_unknown_protocols_are_refused_before_the_upgrade(protocols: tuple[str, ...], status: int) -> None:
    async with served(Command(echo).handle) as port, aiohttp.ClientSession() as session:
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
        if protocols:
            headers["Sec-WebSocket-Protocol"] = ", ".join(protocols)
        async with session.get(f"http://127.0.0.1:{port}/exec/a/b/c?{QUERY}", headers=headers) as answer:
            assert answer.status == status
            if status == 101:
                assert answer.headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
