"""exec and attach as their callers see them; streams and Nomad are the test's own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from tests.unit.kubelet.api import OLD, Everything, FakeLog, running_pod
from translators.records.pods import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
)
from vnode.errors import Denied, PeerError, Unavailable
from vnode.kubelet.attach import ContainerAttachments
from vnode.kubelet.command_streams import CommandStreams, WantedStreams
from vnode.kubelet.commands import ContainerCommands
from vnode.kubelet.lifeline import ClientGone
from vnode.kubelet.log_options import Stream
from vnode.kubelet.log_slots import LogSlots
from vnode.nomad.exec_frames import OutputStream
from vnode.nomad.task_place import TaskPlace
from vnode.streaming.commands import Exited, Failed, Outcome, TerminalSize

_ALL = "input=1&output=1&error=1"
_PATH = {"namespace": "default", "pod": "shop", "container": "web"}


@dataclass
class Streams:
    """A client's end: what it types, what it sees, and how it was told to end."""

    typed: list[bytes] = field(default_factory=list)
    sizes: list[TerminalSize] = field(default_factory=list)
    stays: bool = True
    out: bytes = b""
    err: bytes = b""
    outcome: Outcome | None = None
    wanted: WantedStreams | None = None
    shown: asyncio.Event = field(default_factory=asyncio.Event)
    response: web.StreamResponse = field(default_factory=web.StreamResponse)

    async def read_stdin(self) -> bytes:
        await asyncio.sleep(0)
        return self.typed.pop(0) if self.typed else b""

    async def write_stdout(self, data: bytes) -> None:
        self._present()
        self.out += data
        self.shown.set()

    async def write_stderr(self, data: bytes) -> None:
        self._present()
        self.err += data
        self.shown.set()

    async def next_size(self) -> TerminalSize:
        if not self.sizes:
            await asyncio.Event().wait()
        return self.sizes.pop(0)

    async def finish(self, outcome: Outcome) -> None:
        self._present()
        self.outcome = outcome

    @asynccontextmanager
    async def open(self, _request: web.Request, wanted: WantedStreams) -> AsyncIterator[CommandStreams]:
        self.wanted = wanted
        yield self

    def _present(self) -> None:
        if not self.stays:
            raise ClientGone("the client has gone")


@dataclass
class Command:
    """A command that says what it is told to, once its input has ended."""

    says: list[Sequence[tuple[OutputStream, bytes]]]
    breaks: PeerError | None = None
    code: int | None = None
    given: bytes = b""
    sizes: list[tuple[int, int]] = field(default_factory=list)
    fed: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> Sequence[tuple[OutputStream, bytes]]:
        await self.fed.wait()
        if self.says:
            return self.says.pop(0)
        if self.breaks is not None:
            raise self.breaks
        self.code = 7
        return ()

    async def write_stdin(self, data: bytes) -> None:
        await asyncio.sleep(0)
        self.given += data

    async def close_stdin(self) -> None:
        await asyncio.sleep(0)
        self.fed.set()

    async def resize(self, width: int, height: int) -> None:
        self.sizes.append((width, height))
        self.fed.set()


@dataclass
class Runner:
    """Starts the one command, or does not."""

    command: Command = field(default_factory=lambda: Command([]))
    fails: PeerError | None = None
    started: list[tuple[TaskPlace, list[str], bool, bool]] = field(default_factory=list)
    running: int = 0

    @asynccontextmanager
    async def start(
        self, place: TaskPlace, command: Sequence[str], *, stdin: bool, tty: bool
    ) -> AsyncIterator[Command]:
        self.started.append((place, list(command), stdin, tty))
        if self.fails is not None:
            raise self.fails
        if not stdin and not tty:
            self.command.fed.set()
        self.running += 1
        try:
            yield self.command
        finally:
            self.running -= 1


def _request(query: str, **path: str) -> web.Request:
    return make_mocked_request(
        "POST", f"/exec/default/shop/web?{query}", CIMultiDict({"Host": "node"}), match_info={**_PATH, **path}
    )


async def _exec(
    runner: Runner,
    streams: Streams,
    query: str = "command=ls&command=-l&output=1",
    known: Pod | None = None,
    **path: str,
) -> web.StreamResponse:
    everything = Everything({"shop": known or running_pod()}, {})
    commands = ContainerCommands(everything, runner, streams.open, lambda _pod, _container: "docker")
    return await commands.handle(_request(query, **path))


async def test_a_command_runs_with_both_its_streams_and_its_code() -> None:
    runner, streams = Runner(Command([[("stdout", b"out"), ("stderr", b"err")], [("stdout", b"put")]])), Streams()
    streams.typed = [b"some ", b"input"]
    answer = await _exec(runner, streams, f"command=cat&command=-u&{_ALL}")
    assert answer is streams.response
    assert (streams.out, streams.err, streams.outcome) == (b"output", b"err", Exited(7))
    assert runner.command.given == b"some input"
    assert runner.started == [(TaskPlace("shop", "web", "docker"), ["cat", "-u"], True, False)]
    assert runner.running == 0


async def test_a_terminal_is_told_its_sizes() -> None:
    runner, streams = Runner(), Streams(sizes=[TerminalSize(80, 24)])
    await _exec(runner, streams, "command=sh&output=1&tty=1")
    assert runner.command.sizes == [(80, 24)]
    assert streams.outcome == Exited(7)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Unavailable("48 sessions are open"), "48 sessions are open"),
        (Denied("Nomad: Permission denied"), "alloc-exec"),
        (Denied("Nomad: Permission denied"), "alloc-node-exec"),
    ],
)
@pytest.mark.parametrize("when", ["at the start", "later"])
async def test_what_nomad_refuses_is_told_to_the_client(error: PeerError, words: str, when: str) -> None:
    runner, streams = Runner(fails=error) if when == "at the start" else Runner(Command([], breaks=error)), Streams()
    await _exec(runner, streams)
    assert isinstance(streams.outcome, Failed)
    assert words in streams.outcome.message


async def test_a_client_that_goes_ends_the_command() -> None:
    runner, streams = Runner(Command([[("stdout", b"out")]])), Streams(stays=False)
    answer = await _exec(runner, streams)
    assert answer is streams.response
    assert streams.outcome is None
    assert runner.running == 0


def _with(state: ContainerState) -> Pod:
    pod = running_pod()
    status = ContainerStatus(name="web", container_id="nomad://shop/web/0", state=state)
    return replace(pod, status=replace(pod.status, container_statuses=(status,)))


_ENDED = ContainerStateTerminated(
    exit_code=3, reason="Error", started_at=OLD, finished_at=OLD, container_id="nomad://shop/web/0"
)


@pytest.mark.parametrize(
    ("query", "path", "known", "status", "text"),
    [
        ("command=ls", {}, None, 400, "you must specify at least 1 of stdin, stdout, stderr"),
        ("output=1", {}, None, 400, "you must specify a command"),
        ("command=ls&output=1", {"pod": "other"}, None, 404, "pod does not exist"),
        ("command=ls&output=1", {"uid": "uid-other"}, None, 404, "pod does not exist"),
        ("command=ls&output=1", {"container": "other"}, None, 404, 'container not found ("other")'),
        (
            "command=ls&output=1",
            {"container": "idle"},
            None,
            400,
            'container "idle" in pod "shop" is not running: nothing is known of it yet',
        ),
        (
            "command=ls&output=1",
            {},
            _with(ContainerState(terminated=_ENDED)),
            400,
            'container "web" in pod "shop" is not running: it has terminated (Error, exit code 3)',
        ),
        (
            "command=ls&output=1",
            {},
            _with(ContainerState(waiting=ContainerStateWaiting(reason="CrashLoopBackOff"))),
            400,
            'container "web" in pod "shop" is not running: it is waiting to start (CrashLoopBackOff)',
        ),
    ],
)
async def test_what_cannot_be_run_is_said_before_anything_is_upgraded(
    query: str, path: dict[str, str], known: Pod | None, status: int, text: str
) -> None:
    streams = Streams()
    answer = await _exec(Runner(), streams, query, known, **path)
    assert isinstance(answer, web.Response)
    assert (answer.status, answer.text, streams.wanted) == (status, text, None)


async def test_the_uid_of_the_pod_may_stand_in_the_path() -> None:
    streams = Streams()
    await _exec(Runner(), streams, uid="uid-shop")
    assert streams.outcome == Exited(7)


async def _attach(log: FakeLog, streams: Streams, query: str, slots: int = 40) -> web.StreamResponse:
    everything = Everything({"shop": running_pod()}, {"shop": log})
    return await ContainerAttachments(everything, everything, LogSlots(slots), streams.open).handle(_request(query))


async def test_attach_shows_what_is_written_from_now_on_until_the_container_ends() -> None:
    log, streams = FakeLog(unfollowed=b" and its last words"), Streams()
    await log.write(Stream.STDOUT, b"long ago")
    async with asyncio.TaskGroup() as tasks:
        attached = tasks.create_task(_attach(log, streams, "output=1&error=1"))
        await log.has_followers(2)
        await log.write(Stream.STDERR, b"err")
        await streams.shown.wait()
        await log.write(Stream.STDOUT, b"out")
        log.over.set()
        assert await attached is streams.response
    assert (streams.out, streams.err) == (b"out and its last words", b"err")
    assert streams.outcome == Exited(0)
    assert log.followers == 0


async def test_attach_to_standard_input_says_that_nomad_has_none() -> None:
    streams = Streams()
    answer = await _attach(FakeLog(), streams, _ALL)
    assert isinstance(answer, web.Response)
    assert (answer.status, streams.wanted) == (400, None)
    assert answer.text is not None
    assert "kubectl exec -it" in answer.text


async def test_attach_ends_when_its_client_goes() -> None:
    log, streams = FakeLog(), Streams(stays=False)
    async with asyncio.TaskGroup() as tasks:
        attached = tasks.create_task(_attach(log, streams, "output=1&error=1"))
        await log.has_followers(2)
        await log.write(Stream.STDOUT, b"out")
        await attached
    assert streams.outcome is None
    assert log.followers == 0


@pytest.mark.parametrize(
    ("error", "words"), [(Denied("Nomad: Permission denied"), "read-fs"), (Unavailable("Nomad is away"), "away")]
)
async def test_a_log_that_breaks_off_ends_the_attachment_with_the_reason(error: PeerError, words: str) -> None:
    log, streams = FakeLog(), Streams()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_attach(log, streams, "output=1"))
        await log.has_followers(1)
        await log.break_off(error)
    assert isinstance(streams.outcome, Failed)
    assert words in streams.outcome.message


async def test_attach_takes_its_share_of_the_logs() -> None:
    streams = Streams()
    answer = await _attach(FakeLog(), streams, "output=1&error=1", slots=1)
    assert (answer.status, streams.wanted) == (429, None)
