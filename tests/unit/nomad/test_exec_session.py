"""A session over a WebSocket that the test holds in its hands."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from vnode.errors import Denied, PeerError, Unavailable
from vnode.nomad.attendant import Attendant
from vnode.nomad.exec_session import ExecSession, NeverBegan

_ATTENDANT = Attendant("0123456789abcdef" * 2)
_MARK = _ATTENDANT.mark


class Socket:
    """What Nomad would send, and what it was sent."""

    def __init__(self) -> None:
        self.coming: asyncio.Queue[str | PeerError | None] = asyncio.Queue()
        self.sent: list[object] = []
        self.received = 0

    async def receive(self) -> str | None:
        text = await self.coming.get()
        self.received += 1
        if isinstance(text, PeerError):
            raise text
        return text

    async def send(self, text: str) -> None:
        self.sent.append(json.loads(text))

    def output(self, text: bytes | str, stream: str = "stdout") -> None:
        data = text.encode() if isinstance(text, str) else text
        self.coming.put_nowait(json.dumps({stream: {"data": b64encode(data).decode()}}))

    def begin(self) -> None:
        self.output(f"{_MARK}:begin\n")

    def end(self, code: int) -> None:
        for stream in ("stdout", "stderr"):
            self.output(f"{_MARK}:end:{code};\n", stream)

    def exited(self, code: int) -> None:
        self.coming.put_nowait(json.dumps({"exited": True, "result": {"exit_code": code}}))


@asynccontextmanager
async def session(socket: Socket, *, attended: bool = True, tty: bool = False) -> AsyncIterator[ExecSession]:
    opened = ExecSession(socket, _ATTENDANT if attended else None, tty=tty)
    running = asyncio.create_task(opened.run())
    try:
        yield opened
    finally:
        running.cancel()


async def _all(opened: ExecSession) -> dict[str, bytes]:
    found = {"stdout": b"", "stderr": b""}
    while pieces := await opened.read():
        for stream, data in pieces:
            found[stream] += data
    return found


async def _turns(number: int) -> None:
    """Let everything happen that can happen by itself."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_output_and_code_of_an_attended_command() -> None:
    socket = Socket()
    async with session(socket) as opened:
        socket.begin()
        await opened.begin()
        socket.output("out")
        socket.output("err", "stderr")
        socket.end(3)
        assert await _all(opened) == {"stdout": b"out", "stderr": b"err"}
        assert (opened.code, opened.closed.is_set()) == (3, False)


async def test_the_attendant_gets_the_word_to_begin_once_it_is_there() -> None:
    socket = Socket()
    async with session(socket) as opened:
        await _turns(5)
        assert socket.sent == []
        socket.output(f"{_MARK}:rea")
        socket.output("dy\n")
        socket.output("begin\r\n")
        socket.begin()
        await opened.begin()
        assert socket.sent == [{"stdin": {"data": b64encode(_ATTENDANT.permission).decode()}}]


async def test_the_end_is_there_only_when_both_streams_have_shown_it() -> None:
    socket = Socket()
    async with session(socket) as opened:
        socket.output(f"{_MARK}:begin\n{_MARK}:end:0;\n")
        await opened.begin()
        reading = asyncio.create_task(_all(opened))
        socket.output("late", "stderr")
        await asyncio.sleep(0)
        assert not reading.done()
        socket.output(f"{_MARK}:end:0;\n", "stderr")
        assert await reading == {"stdout": b"", "stderr": b"late"}


async def test_a_terminal_has_one_stream() -> None:
    socket = Socket()
    async with session(socket, tty=True) as opened:
        socket.output(f"{_MARK}:begin\r\n$ exit\r\n{_MARK}:end:130;\r\n")
        assert await _all(opened) == {"stdout": b"$ exit\r\n", "stderr": b""}
        assert opened.code == 130


async def test_without_an_attendant_the_streams_are_nomads() -> None:
    socket = Socket()
    async with session(socket, attended=False) as opened:
        await opened.begin()
        socket.output("out")
        socket.exited(2)
        assert await _all(opened) == {"stdout": b"out", "stderr": b""}
        assert (opened.code, opened.closed.is_set()) == (2, True)


async def test_a_command_that_is_killed_with_its_attendant_has_the_code_that_nomad_tells() -> None:
    socket = Socket()
    async with session(socket) as opened:
        socket.begin()
        socket.output("half a mark ~vnode")
        socket.exited(137)
        assert (await _all(opened))["stdout"] == b"half a mark ~vnode"
        assert opened.code == 137


async def test_a_missing_shell_is_told_with_the_runtimes_words() -> None:
    socket = Socket()
    async with session(socket) as opened:
        socket.output("OCI runtime exec failed")
        socket.exited(127)
        await opened.begin()
        assert opened.never_began == NeverBegan(127, b"OCI runtime exec failed")


@pytest.mark.parametrize(
    ("last", "kind", "words"),
    [
        (Denied("Nomad: Permission denied"), Denied, "Permission denied"),
        (None, Unavailable, "without an exit code"),
        ("no frame", Unavailable, "no frame"),
    ],
)
async def test_a_session_that_breaks_says_why(last: str | PeerError | None, kind: type[PeerError], words: str) -> None:
    socket = Socket()
    async with session(socket) as opened:
        socket.begin()
        await opened.begin()
        socket.output("before")
        socket.coming.put_nowait(last)
        assert await opened.read() == [("stdout", b"before")]
        with pytest.raises(kind, match=words):
            await opened.read()


async def test_a_session_that_breaks_before_the_command_began_says_so_at_once() -> None:
    socket = Socket()
    async with session(socket) as opened:
        socket.coming.put_nowait(Denied("Nomad: Permission denied"))
        with pytest.raises(Denied):
            await opened.begin()


async def test_output_waits_for_its_reader() -> None:
    socket = Socket()
    async with session(socket) as opened:
        socket.begin()
        for _ in range(1000):
            socket.output(b"x" * 4096)
        socket.end(0)
        await _turns(200)
        assert 30 < socket.received < 50
        assert len((await _all(opened))["stdout"]) == 1000 * 4096


async def test_what_nobody_reads_any_more_is_thrown_away() -> None:
    socket = Socket()
    async with session(socket) as opened:
        socket.begin()
        for _ in range(1000):
            socket.output(b"x" * 4096)
        socket.exited(0)
        await _turns(200)
        assert socket.received < 50
        opened.discard()
        await opened.closed.wait()
        assert socket.received == 1002


async def test_input_goes_in_pieces_and_ends_once() -> None:
    socket = Socket()
    async with session(socket) as opened:
        await opened.write_stdin(b"y" * 40_000)
        await opened.close_stdin()
        await opened.close_stdin()
    sizes = [len(frame["stdin"].get("data", "")) for frame in socket.sent if isinstance(frame, dict)]
    assert sizes == [43_692, 9_644, 0]


async def test_input_after_the_end_is_dropped() -> None:
    socket = Socket()
    async with session(socket) as opened:
        socket.begin()
        socket.end(0)
        await _all(opened)
        await opened.write_stdin(b"late")
    assert socket.sent == []


@pytest.mark.parametrize(("tty", "width", "sent"), [(True, 80, 1), (False, 80, 0), (True, 0, 0)])
async def test_a_size_is_sent_to_a_terminal_only(*, tty: bool, width: int, sent: int) -> None:
    socket = Socket()
    async with session(socket, tty=tty) as opened:
        await opened.resize(width, 24)
    assert len(socket.sent) == sent
