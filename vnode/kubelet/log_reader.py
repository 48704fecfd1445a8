"""Reads one run's log as the options ask for it and writes the answer.

History comes first, stdout before stderr, for Nomad keeps no times that could order them; then, when
following, what arrives, merged line by line. History ends and following begins at one position per stream,
so nothing is lost or doubled in between.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from typing import NamedTuple

from vnode.errors import NotFound
from vnode.kubelet.directory import Extent, LogSource
from vnode.kubelet.log_lines import LogText, TailSearch
from vnode.kubelet.log_options import LogOptions, Stream

#: Chunks in flight between Nomad and the caller; a full queue stops the reading.
_WAITING_CHUNKS = 8


class _Arrival(NamedTuple):
    stream: Stream
    data: bytes
    moment: datetime


class LogReader:
    """One answer to one caller.

    `open` asks for what exists (and fails while the answer's status can still be chosen), `send` does the
    rest. `write` must take all bytes before it returns and wait while the caller is slow.
    """

    def __init__(self, source: LogSource, options: LogOptions, now: Callable[[], datetime]) -> None:
        self._source = source
        self._options = options
        self._now = now
        self._text = LogText(options)
        self._extents: dict[Stream, Extent] = {}
        self._starts: dict[Stream, int] = {}
        self._positions: dict[Stream, int] = {}

    async def open(self) -> None:
        """Find out what exists and where to begin. Raises vnode.errors."""
        for stream in self._options.streams:
            self._extents[stream] = await self._source.extent(stream)
        self._positions = {stream: extent.end for stream, extent in self._extents.items()}
        self._starts = await self._find_starts()

    async def send(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Write the log; returns at its end, at the limit of bytes, or at the end of a followed run.

        Raises vnode.errors when the log cannot be read any further.
        """
        for stream in self._options.streams:
            await self._send_history(stream, write)
        if self._options.follow and not self._text.exhausted:
            await self._send_live(write)
            await self._send_remainder(write)

    async def _find_starts(self) -> dict[Stream, int]:
        starts = {stream: extent.start for stream, extent in self._extents.items()}
        lines = self._options.tail
        if lines is None:
            return starts
        for stream in reversed(self._options.streams):
            search = TailSearch(lines, starts[stream], self._extents[stream].end)
            while (wanted := search.wanted) is not None:
                search.feed(await self._read_whole(stream, *wanted))
            starts[stream] = search.position
            lines -= search.found
        return starts

    async def _read_whole(self, stream: Stream, start: int, end: int) -> bytes:
        async with aclosing(self._source.read(stream, start, end)) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def _send_history(self, stream: Stream, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Send what existed at first, file by file: the files' times are all that is known of the lines'."""
        extent = self._extents[stream]
        since = self._options.since
        for segment in extent.segments:
            start = max(segment.start, self._starts[stream])
            if start >= segment.end or (since is not None and segment.modified < since):
                continue
            async with aclosing(self._source.read(stream, start, segment.end)) as chunks:
                async for chunk in chunks:
                    await self._write(write, self._text.feed(stream, chunk, segment.modified))
                    if self._text.exhausted:
                        return
        if extent.segments and not self._options.follow:
            await self._write(write, self._text.finish(stream, extent.segments[-1].modified))

    async def _send_live(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        arrivals: asyncio.Queue[_Arrival | None] = asyncio.Queue(_WAITING_CHUNKS)
        try:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(self._read_until_ended(arrivals))
                while not self._text.exhausted and (arrival := await arrivals.get()) is not None:
                    await self._write(write, self._text.feed(*arrival))
                reading.cancel()
        except ExceptionGroup as failures:
            raise _first(failures) from failures

    async def _read_until_ended(self, arrivals: asyncio.Queue[_Arrival | None]) -> None:
        async with asyncio.TaskGroup() as group:
            followers = [group.create_task(self._follow(stream, arrivals)) for stream in self._options.streams]
            await self._source.ended()
            for follower in followers:
                follower.cancel()
        await arrivals.put(None)

    async def _follow(self, stream: Stream, arrivals: asyncio.Queue[_Arrival | None]) -> None:
        async with aclosing(self._source.follow(stream, self._positions[stream])) as chunks:
            async for chunk in chunks:
                await arrivals.put(_Arrival(stream, chunk, self._now()))
                # A follower cancelled in `put` has not handed its chunk over: the position must not count it.
                self._positions[stream] += len(chunk)

    async def _send_remainder(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Send what the followers had not brought when the run ended."""
        for stream in self._options.streams:
            position = self._positions[stream]
            try:
                end = (await self._source.extent(stream)).end
                async with aclosing(self._source.read(stream, position, max(position, end))) as chunks:
                    async for chunk in chunks:
                        await self._write(write, self._text.feed(stream, chunk, self._now()))
            except NotFound:
                # The job was purged right after its end: what was followed is what there is.
                pass
            await self._write(write, self._text.finish(stream, self._now()))

    @staticmethod
    async def _write(write: Callable[[bytes], Awaitable[None]], text: bytes) -> None:
        if text:
            await write(text)


def _first(failures: ExceptionGroup[Exception]) -> Exception:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
