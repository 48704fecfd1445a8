"""Reads what containers left to say about their end, from the files and logs of their allocations."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from typing import Protocol

from translators.allocation_to_status.termination_messages import FILE_BYTES, LOG_BYTES, LOG_LINES, UnreadMessage
from vnode.errors import NotFound, PeerError
from vnode.nomad.logs import LogPosition, LogStream, TaskLogFiles
from vnode.nomad.records import FileInfo

#: Seconds that a status may have to wait for one message, of a client that is hard to reach.
WITHIN = 4.0

#: Seconds after which a log is believed to be whole to which nothing was added: Nomad tells of its end nowhere, and its
#: collectors come late on a busy machine.
QUIET = 0.5

#: A client takes a task for started a while after its program began; the run before ended ten seconds earlier.
_BEFORE_STARTED = timedelta(seconds=5)


class Files(Protocol):
    """Files of allocations: `vnode.nomad.client.NomadClient`."""

    async def file(self, allocation_id: str, path: str) -> FileInfo:
        """What is known of one file."""

    async def read_file(self, allocation_id: str, path: str, *, offset: int, limit: int) -> bytes:
        """A part of one file."""


class Logs(Protocol):
    """Logs of tasks: `vnode.nomad.logs.NomadLogs`."""

    async def files(self, allocation_id: str, task: str) -> TaskLogFiles:
        """The log files of a task."""

    def read_between(
        self, allocation_id: str, task: str, stream: LogStream, start: LogPosition, end: LogPosition
    ) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` up to `end`."""


class MessageReader:
    """Reads one message at a time; `within` is how long that may take, seconds."""

    def __init__(self, files: Files, logs: Logs, within: float = WITHIN, quiet: float = QUIET) -> None:
        self._files = files
        self._logs = logs
        self._within = within
        self._quiet = quiet

    async def read(self, message: UnreadMessage) -> str:
        """The message, empty where nothing was left; where it cannot be read it says so, as a kubelet's does."""
        text = ""
        if message.file:
            try:
                async with asyncio.timeout(self._within):
                    text = await self._from_file(message)
            except NotFound:
                pass
            except (PeerError, TimeoutError) as error:
                return f"Error on reading termination log {message.told_as}: {_said(error)}"
        if text or not message.from_log:
            return text
        try:
            async with asyncio.timeout(self._within):
                return await self._from_log(message)
        except NotFound:
            return ""
        except (PeerError, TimeoutError) as error:
            return f"Error on reading termination message from logs: {_said(error)}"

    async def _from_file(self, message: UnreadMessage) -> str:
        allocation = message.run.allocation
        found = await self._files.file(allocation, message.file)
        if not found.size or (message.begun is not None and found.mod_time < message.begun - _BEFORE_STARTED):
            return ""
        offset = max(0, found.size - FILE_BYTES)
        content = await self._files.read_file(allocation, message.file, offset=offset, limit=FILE_BYTES)
        return content.decode(errors="replace")

    async def _from_log(self, message: UnreadMessage) -> str:
        """The last lines of both streams, in which Nomad keeps no common order: those of stderr come last."""
        await self._settled(message)
        errors = await self._end_of(message, "stderr", LOG_BYTES)
        output = await self._end_of(message, "stdout", LOG_BYTES - len(errors))
        if output and not output.endswith(b"\n"):
            output += b"\n"
        lines = (output + errors).splitlines(keepends=True)[-LOG_LINES:]
        return b"".join(lines)[-LOG_BYTES:].decode(errors="replace")

    async def _settled(self, message: UnreadMessage) -> None:
        """Return when nothing is added to the log any more, or the time for reading it is half over."""
        run = message.run
        try:
            async with asyncio.timeout(self._within / 2):
                before, now = None, await self._logs.files(run.allocation, run.task)
                while now != before:
                    await asyncio.sleep(self._quiet)
                    before, now = now, await self._logs.files(run.allocation, run.task)
        except TimeoutError:
            return

    async def _end_of(self, message: UnreadMessage, stream: LogStream, most: int) -> bytes:
        run = message.run
        files = (await self._logs.files(run.allocation, run.task)).of(stream)
        begin = files.offset(_begin(message, stream))
        start = max(begin, files.size - most)
        if start >= files.size:
            return b""
        content = bytearray()
        chunks = self._logs.read_between(run.allocation, run.task, stream, files.position(start), files.end)
        async with aclosing(chunks) as parts:
            async for part in parts:
                content += part
        return bytes(content)


def _begin(message: UnreadMessage, stream: LogStream) -> LogPosition:
    """Where the run begins in the log of its task, as far as that is known."""
    begun = message.run.position
    if begun is None:
        return LogPosition()
    at = begun.stdout if stream == "stdout" else begun.stderr
    return LogPosition(at.file, at.offset)


def _said(error: Exception) -> str:
    return str(error) or "it took too long"
