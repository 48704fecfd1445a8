"""Commands are begun once, whatever Nomad says of their beginning; Nomad is the test's own."""

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import cast

import pytest

from vnode.errors import PeerError, Unavailable
from vnode.nomad.attendant import Attendant
from vnode.nomad.budget import StreamBudget
from vnode.nomad.errors import NoPath
from vnode.nomad.task_commands import TaskCommands, task_commands
from vnode.nomad.task_place import TaskPlace
from vnode.nomad.transport import Transport

_PLACE = TaskPlace("a", "main", "docker")
_TOKENS = [f"{number:032x}" for number in range(1, 9)]


class Socket:
    """One exec session; `answer` is told what is sent to it."""

    def __init__(
        self, first: list[str], answer: Callable[["Socket", str], None], broken: PeerError | None = None
    ) -> None:
        self.broken = broken
        self.coming: asyncio.Queue[str | None] = asyncio.Queue()
        for text in first:
            self.coming.put_nowait(text)
        self._answer = answer

    async def receive(self) -> str | None:
        if self.broken is not None:
            raise self.broken
        return await self.coming.get()

    async def send(self, text: str) -> None:
        self._answer(self, text)

    def output(self, text: str, *streams: str) -> None:
        for stream in streams or ("stdout",):
            self.coming.put_nowait(json.dumps({stream: {"data": b64encode(text.encode()).decode()}}))

    def exited(self, code: int) -> None:
        self.coming.put_nowait(json.dumps({"exited": True, "result": {"exit_code": code}}))
        self.coming.put_nowait(None)


class Nomad:
    """A docker driver that is late so many times: it has ended, it says, what it has not begun.

    Its servers have no path to the client for as many sessions as are `apart`.
    """

    def __init__(self, late: int = 0, apart: int = 0) -> None:
        self.streams = StreamBudget()
        self.late = late
        self.apart = apart
        self.begun: list[str] = []
        self.killed = 0
        self._sessions = 0

    @asynccontextmanager
    async def websocket(self, _path: str, query: Mapping[str, str]) -> AsyncIterator[Socket]:
        if self.apart:
            self.apart -= 1
            yield Socket([], lambda *_: None, NoPath("Nomad: No path to node"))
            return
        script = json.loads(query["command"])[2]
        if "kill -9" in script:
            self.killed += 1
            yield self._ended()
            return
        self._sessions += 1
        yield self._ended() if self._sessions <= self.late else self._attended(Attendant(_TOKENS[self._sessions - 1]))

    def _ended(self) -> Socket:
        socket = Socket([], lambda *_: None)
        socket.exited(0)
        return socket

    def _attended(self, attendant: Attendant) -> Socket:
        def answer(socket: Socket, text: str) -> None:
            sent = json.loads(text).get("stdin", {})
            if b64decode(sent.get("data", "")) == attendant.permission:
                self.begun.append(attendant.token)
                socket.output(f"{attendant.mark}:begin\nhello")
                socket.output(f"{attendant.mark}:end:7;\n", "stdout", "stderr")
            elif sent.get("close"):
                socket.exited(7)

        socket = Socket([], answer)
        socket.output(f"{attendant.mark}:ready\n")
        return socket


@asynccontextmanager
async def _commands(nomad: Nomad) -> AsyncIterator[TaskCommands]:
    tokens = iter(_TOKENS)
    transport = cast(Transport, nomad)
    async with asyncio.timeout(5), task_commands(transport, lambda: next(tokens), pause=_no_time) as commands:
        yield commands


async def _no_time(_seconds: float) -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("late", [0, 1, 3])
async def test_a_command_that_nomad_took_for_ended_is_begun_by_another_try(late: int) -> None:
    nomad = Nomad(late=late)
    async with (
        _commands(nomad) as commands,
        commands.start(_PLACE, ["echo", "hello"], stdin=False, tty=False) as session,
    ):
        assert await session.read() == [("stdout", b"hello")]
        assert (await session.read(), session.code) == ((), 7)
    assert nomad.begun == [_TOKENS[late]]
    assert nomad.killed == late


async def test_a_client_that_changes_its_server_is_waited_for() -> None:
    nomad = Nomad(apart=3)
    async with (
        _commands(nomad) as commands,
        commands.start(_PLACE, ["echo", "hello"], stdin=False, tty=False) as session,
    ):
        assert await session.read() == [("stdout", b"hello")]
    assert len(nomad.begun) == 1
    assert nomad.killed == 0


async def test_a_client_that_does_not_come_back_is_told() -> None:
    nomad = Nomad(apart=100)
    async with _commands(nomad) as commands:
        with pytest.raises(NoPath):
            async with commands.start(_PLACE, ["echo"], stdin=False, tty=False):
                pass
    assert nomad.killed == 0


async def test_it_is_tried_a_few_times_only() -> None:
    nomad = Nomad(late=100)
    async with _commands(nomad) as commands:
        with pytest.raises(Unavailable, match="ended with code 0 before it had begun"):
            async with commands.start(_PLACE, ["echo"], stdin=True, tty=True):
                pass
    assert nomad.begun == []
