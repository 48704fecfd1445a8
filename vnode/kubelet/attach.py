"""GET and POST /attach/{namespace}/{pod}/{container}: what `kubectl attach` and `kubectl run -i` end up at.

Nomad has nothing like it. What a container writes from now on is in its log; what it would read cannot be given.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import structlog
from aiohttp import web

from vnode.errors import Denied, NotFound, PeerError
from vnode.kubelet.command_streams import CommandStreams, OpenCommandStreams, WantedStreams
from vnode.kubelet.command_target import NoTarget, find_target
from vnode.kubelet.commands import first_of
from vnode.kubelet.directory import LogSource, LogSources, PodDirectory
from vnode.kubelet.lifeline import ClientGone
from vnode.kubelet.log_options import Stream
from vnode.kubelet.log_slots import LogSlots, TooManyLogs
from vnode.kubelet.log_target import quote
from vnode.kubelet.upgrade import UpgradeRefused
from vnode.streaming.commands import Exited, Failed, Outcome

_log = structlog.get_logger(__name__)

_Write = Callable[[bytes], Awaitable[None]]


class ContainerAttachments:
    """Shows what containers write from now on."""

    def __init__(
        self, directory: PodDirectory, sources: LogSources, slots: LogSlots, open_streams: OpenCommandStreams
    ) -> None:
        self._directory = directory
        self._sources = sources
        self._slots = slots
        self._open_streams = open_streams

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Judge the request, then show output until the container or the client has had enough."""
        response: web.StreamResponse = web.Response(status=400)
        try:
            wanted = WantedStreams.parse(request.query)
            source = self._open(request, wanted)
            with self._slots.take(wanted.stdout + wanted.stderr):
                async with self._open_streams(request, wanted) as streams:
                    response = streams.response
                    await streams.finish(await _show(source, wanted, streams))
        except NoTarget as error:
            return web.Response(status=error.status, text=str(error))
        except TooManyLogs as error:
            return web.Response(status=429, text=str(error))
        except UpgradeRefused as error:
            return error.response
        except ClientGone as error:
            _log.debug("a client of attach has gone", path=request.path, reason=str(error))
        return response

    def _open(self, request: web.Request, wanted: WantedStreams) -> LogSource:
        match = request.match_info
        name = match["container"]
        pod, run = find_target(self._directory.pod(match["namespace"], match["pod"]), name, uid=match.get("uid", ""))
        if wanted.stdin:
            raise NoTarget(
                400,
                f"nothing can be typed into container {quote(name)}: Nomad gives nobody the standard input of a running"
                " task. Leave out -i to see its output, or start a program of your own in it with kubectl exec -it",
            )
        try:
            return self._sources.open(pod, run)
        except NotFound as error:
            raise NoTarget(400, f"unable to attach: {error}") from None


async def _show(source: LogSource, wanted: WantedStreams, streams: CommandStreams) -> Outcome:
    shown: list[tuple[Stream, _Write]] = []
    if wanted.stdout:
        shown.append((Stream.STDOUT, streams.write_stdout))
    if wanted.stderr:
        shown.append((Stream.STDERR, streams.write_stderr))
    try:
        async with asyncio.TaskGroup() as tasks:
            views = [_View(source, stream, write) for stream, write in shown]
            for view in views:
                await view.begin()
            following = [tasks.create_task(view.follow()) for view in views]
            await source.ended()
            for task in following:
                task.cancel()
        for view in views:
            await view.finish()
    except ExceptionGroup as failures:
        return _outcome(first_of(failures))
    except PeerError as error:
        return _outcome(error)
    return Exited(0)


def _outcome(error: Exception) -> Outcome:
    if isinstance(error, Denied):
        return Failed(f"{error} (attach needs the capability read-fs of vnode's Nomad token)")
    if isinstance(error, PeerError):
        return Failed(str(error))
    raise error


class _View:
    """One stream from the present on."""

    def __init__(self, source: LogSource, stream: Stream, write: _Write) -> None:
        self._source = source
        self._stream = stream
        self._write = write
        self._position = 0

    async def begin(self) -> None:
        self._position = (await self._source.extent(self._stream)).end

    async def follow(self) -> None:
        async with aclosing(self._source.follow(self._stream, self._position)) as chunks:
            async for chunk in chunks:
                # Counted first: a write that is cut off by the end has taken its bytes.
                self._position += len(chunk)
                await self._write(chunk)

    async def finish(self) -> None:
        """Show what following had not brought when the container ended."""
        try:
            end = (await self._source.extent(self._stream)).end
            async with aclosing(self._source.read(self._stream, self._position, max(self._position, end))) as chunks:
                async for chunk in chunks:
                    await self._write(chunk)
        except NotFound:
            return
