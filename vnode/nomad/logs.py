"""The logs of a task: which files there are, and their bytes from one position to another or for ever.

Nomad keeps stdout and stderr in files `alloc/logs/<task>.<stream>.<index>`, which rotate by index. A log endpoint
offset counts over the files that exist at that moment, so it changes its meaning when the oldest one goes; a
`LogPosition` (index of the file, offset in it) never does. Source: client/fs_endpoint.go.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from vnode.nomad.client import NomadClient
from vnode.nomad.paths import Pause, with_path
from vnode.nomad.records import FileInfo
from vnode.nomad.transport import Transport

LogStream = Literal["stdout", "stderr"]

_DIRECTORY = "alloc/logs"
#: Seconds without a byte of a read that is to end; one that follows may be silent for ever.
_SILENCE = 30.0


@dataclass(frozen=True, slots=True, order=True)
class LogPosition:
    """A byte of one stream of one task; text form `index:offset`."""

    index: int = 0
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.index}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "LogPosition":
        """The position of a text form; raises ValueError."""
        index, _, offset = text.partition(":")
        return cls(int(index), int(offset))


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a stream; `size` in bytes."""

    index: int
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class LogFiles:
    """The files of one stream that still exist, oldest first, and the arithmetic of positions in them."""

    files: tuple[LogFile, ...] = ()

    @property
    def size(self) -> int:
        """Bytes that can still be read."""
        return sum(file.size for file in self.files)

    @property
    def start(self) -> LogPosition:
        """The oldest byte that can still be read."""
        return LogPosition(self.files[0].index) if self.files else LogPosition()

    @property
    def end(self) -> LogPosition:
        """Behind the newest byte."""
        return LogPosition(self.files[-1].index, self.files[-1].size) if self.files else LogPosition()

    def offset(self, position: LogPosition) -> int:
        """How many of the bytes that exist lie before the position; 0 where rotation has taken it."""
        before = sum(file.size for file in self.files if file.index < position.index)
        own = next((file.size for file in self.files if file.index == position.index), 0)
        return before + min(position.offset, own)

    def position(self, offset: int) -> LogPosition:
        """The position that lies `offset` bytes behind the start; the end for more than there are."""
        for file in self.files:
            if offset < file.size:
                return LogPosition(file.index, max(offset, 0))
            offset -= file.size
        return self.end

    def between(self, start: LogPosition, end: LogPosition) -> int:
        """Bytes that can still be read from `start` up to `end`."""
        return max(self.offset(end) - self.offset(start), 0)


@dataclass(frozen=True, slots=True)
class TaskLogFiles:
    """Both streams of a task, seen at one moment."""

    stdout: LogFiles = LogFiles()
    stderr: LogFiles = LogFiles()

    def of(self, stream: LogStream) -> LogFiles:
        """The files of one of the two."""
        return self.stdout if stream == "stdout" else self.stderr


def log_files(listing: Iterable[FileInfo], task: str) -> TaskLogFiles:
    """The log files of a task in a listing of `alloc/logs`."""

    def stream_files(stream: LogStream) -> LogFiles:
        prefix = f"{task}.{stream}."
        found = (
            LogFile(int(index), info.size, info.mod_time)
            for info in listing
            if info.name.startswith(prefix) and (index := info.name.removeprefix(prefix)).isdecimal()
        )
        return LogFiles(tuple(sorted(found, key=lambda file: file.index)))

    listing = tuple(listing)
    return TaskLogFiles(stdout=stream_files("stdout"), stderr=stream_files("stderr"))


class NomadLogs:
    """Reads logs through any agent of the region; each read holds one stream of the budget while it lasts.

    The generators are to be closed (`contextlib.aclosing`) when they are not read to their end. All raise
    TooManyStreams, NotFound (the allocation is gone, its task has not started, nothing was written yet: before
    the first byte) and Unavailable (also when the client of the allocation is lost).
    """

    def __init__(self, transport: Transport, region: str = "", pause: Pause = asyncio.sleep) -> None:
        self._transport = transport
        self._client = NomadClient(transport, region)
        self._region = region
        self._pause = pause

    async def files(self, allocation_id: str, task: str) -> TaskLogFiles:
        """The log files of a task; empty before its first start. Waits out a client that changes its server."""
        listing = await with_path(lambda: self._client.list_files(allocation_id, _DIRECTORY), self._pause)
        return log_files(listing, task)

    async def read(
        self,
        allocation_id: str,
        task: str,
        stream: LogStream,
        *,
        origin: Literal["start", "end"] = "start",
        offset: int = 0,
        follow: bool = False,
    ) -> AsyncGenerator[bytes, None]:
        """The raw bytes from `offset` behind the start, or before the end; an offset too large is cut to what exists.

        Following does not end when the task does: the caller watches the allocation and closes. Before the first
        byte, nothing at all comes from Nomad, not even the answer's status.
        """
        query = {
            "task": task,
            "type": stream,
            "origin": origin,
            "offset": str(offset),
            "follow": "true" if follow else "false",
            "plain": "true",
        }
        async with aclosing(self._bytes(f"logs/{quote(allocation_id)}", query, follow=follow)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def read_between(
        self, allocation_id: str, task: str, stream: LogStream, start: LogPosition, end: LogPosition
    ) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` up to `end` that still exist."""
        left = (await self.files(allocation_id, task)).of(stream).between(start, end)
        if not left:
            return
        async with aclosing(self.read_from(allocation_id, task, stream, start)) as chunks:
            async for chunk in chunks:
                yield chunk[:left]
                left -= len(chunk)
                if left <= 0:
                    return

    async def read_from(
        self, allocation_id: str, task: str, stream: LogStream, start: LogPosition, *, follow: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """All bytes from `start`, or from the oldest that exists, to the end that the log has now, or for ever.

        The offset that Nomad is asked for is only right while the oldest file stays, so this is looked at once
        more before anything is handed out.
        """
        while True:
            before = (await self.files(allocation_id, task)).of(stream)
            answer = self.read(allocation_id, task, stream, offset=before.offset(start), follow=follow)
            async with aclosing(answer) as chunks:
                first = await anext(chunks, b"")
                after = (await self.files(allocation_id, task)).of(stream)
                if after.start.index != before.start.index:
                    continue
                if first:
                    yield first
                async for chunk in chunks:
                    yield chunk
                return

    async def _bytes(self, resource: str, query: dict[str, str], *, follow: bool) -> AsyncGenerator[bytes, None]:
        asked = {**query, "region": self._region} if self._region else query
        silence = None if follow else _SILENCE
        with self._transport.streams.stream():
            answer = self._transport.stream(f"/v1/client/fs/{resource}", asked, silence=silence)
            async with answer as stream, aclosing(stream.chunks()) as chunks:
                async for chunk in chunks:
                    yield chunk
