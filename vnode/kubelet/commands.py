"""GET and POST /exec/{namespace}/{pod}/{container}: what `kubectl exec` and `kubectl cp` end up at."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import structlog
from aiohttp import web

from translators import container_id
from translators.records.pods import Pod
from vnode.errors import Denied, PeerError
from vnode.kubelet.command_streams import CommandStreams, OpenCommandStreams, WantedStreams
from vnode.kubelet.command_target import NoTarget, find_target
from vnode.kubelet.directory import PodDirectory
from vnode.kubelet.lifeline import ClientGone
from vnode.kubelet.upgrade import UpgradeRefused
from vnode.nomad.exec_frames import OutputStream
from vnode.nomad.task_place import TaskPlace
from vnode.streaming.commands import Exited, Failed, Outcome

_log = structlog.get_logger(__name__)


class RunningCommand(Protocol):
    """A command in a task; `code` is known once `read` has given nothing. All methods raise vnode.errors."""

    code: int | None

    async def read(self) -> Sequence[tuple[OutputStream, bytes]]:
        """All output that is there, waiting for some; empty at its end."""
        ...

    async def write_stdin(self, data: bytes) -> None:
        """Give it bytes to read; waits while it does not."""
        ...

    async def close_stdin(self) -> None:
        """Nothing more comes."""
        ...

    async def resize(self, width: int, height: int) -> None:
        """Give its terminal a size."""
        ...


class CommandRunner(Protocol):
    """The part of `vnode.nomad.task_commands.TaskCommands` that is used here."""

    def start(
        self, place: TaskPlace, command: Sequence[str], *, stdin: bool, tty: bool
    ) -> AbstractAsyncContextManager[RunningCommand]:
        """A command for the length of the block. Raises vnode.errors on entry."""
        ...


class ContainerCommands:
    """Runs commands in containers; `driver` names the Nomad driver of a container of a Pod.

    `client_of` gives the Nomad client of one of its allocations that may be asked itself, "" where none may.
    """

    def __init__(
        self,
        directory: PodDirectory,
        runner: CommandRunner,
        open_streams: OpenCommandStreams,
        driver: Callable[[Pod, str], str],
        client_of: Callable[[Pod, str], str] = lambda _pod, _allocation: "",
    ) -> None:
        self._directory = directory
        self._runner = runner
        self._open_streams = open_streams
        self._driver = driver
        self._client_of = client_of

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Judge the request, then run the command for as long as its client stays."""
        response: web.StreamResponse = web.Response(status=400)
        try:
            wanted = WantedStreams.parse(request.query)
            place, command = self._place(request), _command(request)
            async with self._open_streams(request, wanted) as streams:
                response = streams.response
                outcome = await self._run(place, command, wanted, streams)
                await streams.finish(outcome)
        except NoTarget as error:
            return web.Response(status=error.status, text=str(error))
        except UpgradeRefused as error:
            return error.response
        except ClientGone as error:
            _log.debug("a client of exec has gone", path=request.path, reason=str(error))
        return response

    def _place(self, request: web.Request) -> TaskPlace:
        match = request.match_info
        pod, run = find_target(
            self._directory.pod(match["namespace"], match["pod"]), match["container"], uid=match.get("uid", "")
        )
        found = container_id.parse(run.container_id)
        if found is None:
            raise NoTarget(400, f"{run.container_id} is no run that Nomad knows")
        driver, client = self._driver(pod, run.container), self._client_of(pod, found.allocation)
        return TaskPlace(found.allocation, found.task, driver, client)

    async def _run(
        self, place: TaskPlace, command: Sequence[str], wanted: WantedStreams, streams: CommandStreams
    ) -> Outcome:
        try:
            async with self._runner.start(place, command, stdin=wanted.stdin, tty=wanted.tty) as running:
                return Exited(await _carry(running, streams, wanted))
        except Denied as error:
            rights = "exec needs the capability alloc-exec of vnode's Nomad token, and alloc-node-exec for raw_exec"
            return Failed(f"{error} ({rights})")
        except PeerError as error:
            return Failed(str(error))


def _command(request: web.Request) -> list[str]:
    command = request.query.getall("command", [])
    if not command:
        raise NoTarget(400, "you must specify a command")
    return command


async def _carry(running: RunningCommand, streams: CommandStreams, wanted: WantedStreams) -> int:
    """Move bytes both ways until the command ends; its exit code."""
    try:
        async with asyncio.TaskGroup() as tasks:
            inward = [tasks.create_task(_carry_sizes(running, streams))] if wanted.tty else []
            if wanted.stdin:
                inward.append(tasks.create_task(_carry_stdin(running, streams)))
            writers = {"stdout": streams.write_stdout, "stderr": streams.write_stderr}
            while pieces := await running.read():
                for stream, data in pieces:
                    await writers[stream](data)
            for task in inward:
                task.cancel()
    except ExceptionGroup as failures:
        raise first_of(failures) from failures
    if running.code is None:
        raise RuntimeError("The output has ended without a code.")
    return running.code


async def _carry_stdin(running: RunningCommand, streams: CommandStreams) -> None:
    while data := await streams.read_stdin():
        await running.write_stdin(data)
    await running.close_stdin()


async def _carry_sizes(running: RunningCommand, streams: CommandStreams) -> None:
    while True:
        size = await streams.next_size()
        await running.resize(size.width, size.height)


def first_of(failures: ExceptionGroup[Exception]) -> Exception:
    """The failure that ended a group of tasks; a client that has gone explains all others."""
    gone = failures.subgroup(ClientGone)
    group = gone if gone is not None else failures
    first: Exception = group.exceptions[0]
    return first_of(first) if isinstance(first, ExceptionGroup) else first
