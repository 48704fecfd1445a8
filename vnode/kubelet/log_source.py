"""The log of one run of a container, read from Nomad.

All runs of a task share its log files, which rotate. A run's place in them is carried by containerIDs as
(file, offset); within one request positions are plain counts of bytes, which a `Ruler` lays along the files.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

from translators.container_id import ContainerId, StreamPosition, parse
from translators.records.pods import Pod, PodUid
from vnode.errors import NotFound
from vnode.kubelet.directory import Extent, PodDirectory, Segment
from vnode.kubelet.log_options import Stream
from vnode.kubelet.log_target import ContainerRun, find_successor
from vnode.nomad.logs import LogFiles, LogPosition, LogStream, TaskLogFiles

#: Seconds after a task's end in which its log collector, which flushes every 100 ms, may still write.
SETTLED_AFTER = 1.0

#: Bytes; a follower that looked at the files less often than they come and go would lose count of them.
_MEASURED_EVERY = 4 * 1024 * 1024


class TaskLogs(Protocol):
    """The part of `vnode.nomad.logs.NomadLogs` that is read here."""

    async def files(self, allocation_id: str, task: str) -> TaskLogFiles:
        """The log files of a task."""
        ...

    def read_between(
        self, allocation_id: str, task: str, stream: LogStream, start: LogPosition, end: LogPosition
    ) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` up to `end`."""
        ...

    def read_from(
        self, allocation_id: str, task: str, stream: LogStream, start: LogPosition, *, follow: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """All bytes from `start`, without end when it follows."""
        ...


class RunEnds(Protocol):
    """Tells when runs end; the view stands behind it."""

    async def wait_until_ended(self, uid: PodUid, container_id: str) -> None:
        """Return when this run is known not to run (any more); at once for a run that nobody knows."""
        ...


class Ruler:
    """Lays the positions of one stream along its files, and keeps them when old files are rotated away."""

    def __init__(self) -> None:
        self._bases: dict[int, int] = {}
        self._end = 0

    def measure(self, files: LogFiles) -> None:
        """Take in a listing; call it before positions of files that are new in it."""
        for file in files.files:
            base = self._bases.setdefault(file.index, self._end)
            self._end = max(self._end, base + file.size)

    def position(self, place: LogPosition) -> int | None:
        """The position of a place; None where its file was gone before the first listing."""
        base = self._bases.get(place.index)
        return None if base is None else base + place.offset

    def place(self, position: int) -> LogPosition:
        """The place at a position; the beginning of the later file where two touch."""
        index = max((i for i, base in self._bases.items() if base <= position), default=0)
        return LogPosition(index, max(position - self._bases.get(index, 0), 0))


class NomadLogSource:
    """A `LogSource`: one run, from where it began to where the next one did."""

    def __init__(
        self,
        logs: TaskLogs,
        run: ContainerId,
        *,
        successor: Callable[[], ContainerId | None],
        ended: Callable[[], Awaitable[None]],
    ) -> None:
        self._logs = logs
        self._run = run
        self._successor = successor
        self._wait_until_ended = ended
        self._rulers = {stream: Ruler() for stream in Stream}

    async def extent(self, stream: Stream) -> Extent:
        """The bytes of this run that exist now."""
        files = (await self._logs.files(self._run.allocation, self._run.task)).of(stream.value)
        ruler = self._rulers[stream]
        ruler.measure(files)
        begin, end = self._bounds(stream)
        segments = []
        for file in files.files:
            base = ruler.position(LogPosition(file.index)) or 0
            first, last = max(base, begin), base + file.size if end is None else min(base + file.size, end)
            if first < last:
                segments.append(Segment(start=first, end=last, modified=file.modified))
        return Extent(tuple(segments), origin=begin)

    async def read(self, stream: Stream, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """The bytes `[start, end)`."""
        places = self._rulers[stream].place(start), self._rulers[stream].place(end)
        chunks = self._logs.read_between(self._run.allocation, self._run.task, stream.value, *places)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def follow(self, stream: Stream, start: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` on; ends only where Nomad has no such log."""
        place = self._rulers[stream].place(start)
        chunks = self._logs.read_from(self._run.allocation, self._run.task, stream.value, place, follow=True)
        async with aclosing(chunks):
            unmeasured = 0
            try:
                async for chunk in chunks:
                    yield chunk
                    if (unmeasured := unmeasured + len(chunk)) > _MEASURED_EVERY:
                        await self.extent(stream)
                        unmeasured = 0
            except NotFound:
                return

    async def ended(self) -> None:
        """Return when the run has ended and its log was flushed."""
        await self._wait_until_ended()

    def _bounds(self, stream: Stream) -> tuple[int, int | None]:
        """First position of this run, and of the next one: an unknown beginning is that of all that exists."""
        ruler, successor = self._rulers[stream], self._successor()
        begin = ruler.position(_place(self._run, stream))
        if successor is None or successor.position is None or not _same_task(self._run, successor):
            return begin or 0, None
        # The next run began in a file that is gone already: nothing of this one is left.
        return begin or 0, ruler.position(_place(successor, stream)) or 0


class NomadLogSources:
    """Opens the log of a run on Nomad; `settle` waits out the log collector after a run's end."""

    def __init__(
        self, logs: TaskLogs, directory: PodDirectory, ends: RunEnds, settle: Callable[[], Awaitable[None]]
    ) -> None:
        self._logs = logs
        self._directory = directory
        self._ends = ends
        self._settle = settle

    def open(self, pod: Pod, run: ContainerRun) -> NomadLogSource:
        """The log of a run. Raises NotFound for a containerID that is not one of ours."""
        container_id = parse(run.container_id)
        if container_id is None:
            raise NotFound(f"{run.container_id!r} is no run that Nomad knows")

        def successor() -> ContainerId | None:
            known = self._directory.pod(pod.metadata.namespace, pod.metadata.name)
            return parse(find_successor(known if known is not None and known.uid == pod.uid else pod, run))

        async def ended() -> None:
            if not run.over:
                await self._ends.wait_until_ended(pod.uid, run.container_id)
                # Nomad does not say when the collector has written its last byte.
                await self._settle()

        return NomadLogSource(self._logs, container_id, successor=successor, ended=ended)


def _place(container_id: ContainerId, stream: Stream) -> LogPosition:
    if container_id.position is None:
        return LogPosition()
    place: StreamPosition = getattr(container_id.position, stream.value)
    return LogPosition(place.file, place.offset)


def _same_task(one: ContainerId, other: ContainerId) -> bool:
    return (one.allocation, one.task) == (other.allocation, other.task)
