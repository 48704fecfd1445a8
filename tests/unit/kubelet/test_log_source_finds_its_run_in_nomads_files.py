import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.kubelet.api import Everything, running_pod
from translators.container_id import ContainerId, parse
from translators.records.pods import ContainerStatus, PodStatus, PodUid
from vnode.errors import NotFound
from vnode.kubelet.directory import Extent
from vnode.kubelet.log_options import Stream
from vnode.kubelet.log_source import NomadLogSource, NomadLogSources, Ruler
from vnode.kubelet.log_target import ContainerRun
from vnode.nomad.logs import LogFile, LogFiles, LogPosition, LogStream, TaskLogFiles

OUT, ERR = Stream.STDOUT, Stream.STDERR
START = datetime(2026, 11, 23, tzinfo=UTC)


def run(text: str) -> ContainerId:
    parsed = parse(text)
    assert parsed is not None
    return parsed


@dataclass
class FakeTaskLogs:
    """Rotated files of stdout by index; stderr has none."""

    stdout: dict[int, bytes] = field(default_factory=dict)
    followed: list[LogPosition] = field(default_factory=list)
    live: tuple[bytes, ...] = (b"live",)
    missing: bool = False

    async def files(self, allocation_id: str, task: str) -> TaskLogFiles:
        assert (allocation_id, task) == ("alloc", "web")
        await asyncio.sleep(0)
        files = (
            LogFile(index, len(data), START + timedelta(minutes=index)) for index, data in sorted(self.stdout.items())
        )
        return TaskLogFiles(stdout=LogFiles(tuple(files)))

    async def read_between(
        self,
        allocation_id: str,  # noqa: ARG002 - the protocol's
        task: str,  # noqa: ARG002 - the protocol's
        stream: LogStream,
        start: LogPosition,
        end: LogPosition,
    ) -> AsyncGenerator[bytes, None]:
        assert stream == "stdout"
        for index, data in sorted(self.stdout.items()):
            first = start.offset if index == start.index else 0
            last = end.offset if index == end.index else len(data)
            if start.index <= index <= end.index and first < last:
                yield data[first:last]

    async def read_from(
        self,
        allocation_id: str,  # noqa: ARG002 - the protocol's
        task: str,  # noqa: ARG002 - the protocol's
        stream: LogStream,  # noqa: ARG002 - the protocol's
        start: LogPosition,
        *,
        follow: bool = False,
    ) -> AsyncGenerator[bytes, None]:
        assert follow
        self.followed.append(start)
        if self.missing:
            raise NotFound("Nomad: no log")
        for chunk in self.live:
            yield chunk


async def never() -> None:
    await asyncio.Event().wait()


def source(logs: FakeTaskLogs, of: str, successor: str = "") -> NomadLogSource:
    return NomadLogSource(logs, run(of), successor=lambda: parse(successor), ended=never)


async def content(of: NomadLogSource, extent: Extent) -> bytes:
    async with aclosing(of.read(OUT, extent.start, extent.end)) as chunks:
        return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize(
    ("of", "successor", "text"),
    [
        ("nomad://alloc/web/0", "", b"abcdefghij"),
        ("nomad://alloc/web/0@0.0,0.0", "", b"abcdefghij"),
        ("nomad://alloc/web/0", "nomad://alloc/web/1@1.2,0.0", b"abcdef"),
        ("nomad://alloc/web/1@1.2,0.0", "", b"ghij"),
        ("nomad://alloc/web/1@1.2,0.0", "nomad://alloc/web/2@2.0,0.0", b"gh"),
        ("nomad://alloc/web/1@2.2,0.0", "", b""),
        ("nomad://alloc/web/0", "nomad://other/web/0@0.1,0.0", b"abcdefghij"),
        ("nomad://alloc/web/0", "nomad://alloc/web/1", b"abcdefghij"),
    ],
)
async def test_a_run_reaches_from_its_beginning_to_that_of_the_next(of: str, successor: str, text: bytes) -> None:
    logs = FakeTaskLogs({0: b"abcd", 1: b"efgh", 2: b"ij"})
    found = source(logs, of, successor)
    assert await content(found, await found.extent(OUT)) == text


@pytest.mark.parametrize(
    ("of", "successor", "text"),
    [
        ("nomad://alloc/web/0", "", b"efgh"),
        ("nomad://alloc/web/1@3.1,0.0", "", b"efgh"),
        ("nomad://alloc/web/1@3.1,0.0", "nomad://alloc/web/2@4.0,0.0", b""),
        ("nomad://alloc/web/1@3.1,0.0", "nomad://alloc/web/2@5.1,0.0", b"e"),
    ],
)
async def test_what_rotation_took_is_missing_at_the_front(of: str, successor: str, text: bytes) -> None:
    found = source(FakeTaskLogs({5: b"efgh"}), of, successor)
    assert await content(found, await found.extent(OUT)) == text


async def test_segments_tell_when_their_files_were_written() -> None:
    extent = await source(FakeTaskLogs({0: b"abcd", 1: b"", 2: b"ij"}), "nomad://alloc/web/0").extent(OUT)
    assert [(each.start, each.end, each.modified) for each in extent.segments] == [
        (0, 4, START),
        (4, 6, START + timedelta(minutes=2)),
    ]


async def test_a_stream_without_files_is_empty() -> None:
    assert await source(FakeTaskLogs(), "nomad://alloc/web/0").extent(ERR) == Extent()


async def test_positions_hold_while_files_come_and_go() -> None:
    logs = FakeTaskLogs({0: b"abcd", 1: b"ef"})
    found = source(logs, "nomad://alloc/web/0")
    before = (await found.extent(OUT)).end
    logs.stdout = {1: b"efgh", 2: b"ij"}
    after = await found.extent(OUT)
    async with aclosing(found.read(OUT, before, after.end)) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"ghij"


@pytest.mark.parametrize(
    ("of", "place"),
    [
        ("nomad://alloc/web/0", LogPosition(1, 2)),
        ("nomad://alloc/web/1@1.2,0.0", LogPosition(1, 2)),
        ("nomad://alloc/web/1@0.3,0.0", LogPosition(1, 2)),
    ],
)
async def test_following_goes_on_at_the_end(of: str, place: LogPosition) -> None:
    logs = FakeTaskLogs({0: b"abcd", 1: b"ef"})
    found = source(logs, of)
    async with aclosing(found.follow(OUT, (await found.extent(OUT)).end)) as chunks:
        assert await anext(chunks) == b"live"
    assert logs.followed == [place]


async def test_following_a_log_that_nomad_does_not_have_ends() -> None:
    found = source(FakeTaskLogs(missing=True), "nomad://alloc/web/0")
    async with aclosing(found.follow(OUT, 0)) as chunks:
        assert [chunk async for chunk in chunks] == []


async def test_a_long_follower_keeps_count_of_the_files() -> None:
    """Files that come and go between two looks would put the end of the run in the wrong place."""
    megabytes = b"x" * 5 * 1024 * 1024
    logs = FakeTaskLogs({0: b""}, live=(megabytes, b"y"))
    found = source(logs, "nomad://alloc/web/0")
    async with aclosing(found.follow(OUT, (await found.extent(OUT)).end)) as chunks:
        assert await anext(chunks) == megabytes
        logs.stdout = {0: megabytes, 1: b"y"}
        assert await anext(chunks) == b"y"
        logs.stdout = {1: b"yz"}
    assert (await found.extent(OUT)).end == len(megabytes) + 2


def test_a_gap_between_two_looks_keeps_positions_growing() -> None:
    ruler = Ruler()
    ruler.measure(LogFiles((LogFile(0, 10, START),)))
    ruler.measure(LogFiles((LogFile(4, 10, START), LogFile(5, 1, START))))
    assert [ruler.position(LogPosition(4)), ruler.position(LogPosition(5, 1))] == [10, 21]
    assert [ruler.place(9), ruler.place(10), ruler.place(20)] == [LogPosition(0, 9), LogPosition(4), LogPosition(5)]


@dataclass
class Ends:
    waited: list[tuple[PodUid, str]] = field(default_factory=list)

    async def wait_until_ended(self, uid: PodUid, container_id: str) -> None:
        self.waited.append((uid, container_id))
        await asyncio.sleep(0)


def sources(ends: Ends, settled: list[int]) -> NomadLogSources:
    async def settle() -> None:
        settled.append(len(ends.waited))
        await asyncio.sleep(0)

    return NomadLogSources(FakeTaskLogs(), Everything(), ends, settle)


async def test_the_end_of_a_running_run_is_awaited_and_then_its_last_output() -> None:
    ends, settled = Ends(), list[int]()
    pod = running_pod()
    found = sources(ends, settled).open(pod, ContainerRun(container="web", container_id="nomad://shop/web/0"))
    await found.ended()
    assert (ends.waited, settled) == ([("uid-shop", "nomad://shop/web/0")], [1])


async def test_a_run_that_is_over_keeps_nobody_waiting() -> None:
    ends, settled = Ends(), list[int]()
    over = ContainerRun(container="web", container_id="nomad://shop/web/0", over=True)
    await sources(ends, settled).open(running_pod(), over).ended()
    assert (ends.waited, settled) == ([], [])


async def test_the_run_that_follows_ends_the_log_of_the_one_before() -> None:
    ends, everything = Ends(), Everything()
    pod = running_pod("alloc")
    before = ContainerRun(container="web", container_id="nomad://alloc/web/0")
    again = ContainerStatus(name="web", container_id="nomad://alloc/web/1@0.2,0.0")
    found = NomadLogSources(FakeTaskLogs({0: b"abcd"}), everything, ends, never).open(pod, before)
    assert (await found.extent(OUT)).end == 4
    everything.known["alloc"] = replace(pod, status=PodStatus(container_statuses=(again,)))
    assert (await found.extent(OUT)).end == 2
    recreated = replace(pod.metadata, uid="another")
    everything.known["alloc"] = replace(everything.known["alloc"], metadata=recreated)
    assert (await found.extent(OUT)).end == 4


def test_a_foreign_container_id_is_not_found() -> None:
    with pytest.raises(NotFound, match="docker://x"):
        sources(Ends(), []).open(running_pod(), ContainerRun(container="web", container_id="docker://x"))
