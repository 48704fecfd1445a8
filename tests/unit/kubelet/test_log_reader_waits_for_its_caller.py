import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from tests.unit.kubelet.api import NOW, FakeLog
from vnode.errors import Unavailable
from vnode.kubelet.log_options import LogOptions, Stream
from vnode.kubelet.log_reader import LogReader


@dataclass
class EndlessLog(FakeLog):
    """Gives line after line, as fast as they are taken."""

    given: int = 0

    async def follow(self, stream: Stream, start: int) -> AsyncGenerator[bytes, None]:  # noqa: ARG002 - the protocol's
        while True:
            self.given += 1
            yield b"%d\n" % self.given
            await asyncio.sleep(0)


class Caller:
    """Takes what is written while `taking` is set."""

    def __init__(self) -> None:
        self.taking = asyncio.Event()
        self.text = b""

    async def write(self, text: bytes) -> None:
        await self.taking.wait()
        self.text += text


async def some_turns_of_the_loop() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


async def test_a_slow_caller_stops_the_reading() -> None:
    log, caller = EndlessLog(), Caller()
    reader = LogReader(log, LogOptions(follow=True, streams=(Stream.STDOUT,), limit=290), lambda: NOW)
    await reader.open()
    async with asyncio.TaskGroup() as group:
        group.create_task(reader.send(caller.write))
        await some_turns_of_the_loop()
        assert log.given == 10  # eight wait, one is being written, one wants to wait
        caller.taking.set()
    assert caller.text == b"".join(b"%d\n" % number for number in range(1, 101))[:290]


async def test_nothing_is_lost_when_the_run_ends_while_chunks_wait() -> None:
    log, caller = FakeLog(), Caller()
    reader = LogReader(log, LogOptions(follow=True, streams=(Stream.STDOUT,)), lambda: NOW)
    await reader.open()
    async with asyncio.TaskGroup() as group:
        group.create_task(reader.send(caller.write))
        await log.has_followers(1)
        for number in range(30):
            await log.write(Stream.STDOUT, b"%d\n" % number)
            await asyncio.sleep(0)
        log.over.set()
        await some_turns_of_the_loop()
        caller.taking.set()
    assert caller.text == b"".join(b"%d\n" % number for number in range(30))


async def test_the_failure_of_a_follower_is_raised_as_it_is() -> None:
    log, caller = FakeLog(), Caller()
    reader = LogReader(log, LogOptions(follow=True), lambda: NOW)
    await reader.open()
    await log.break_off(Unavailable("Nomad: No path to node"))
    with pytest.raises(Unavailable, match="No path to node"):
        await reader.send(caller.write)
    assert log.followers == 0
