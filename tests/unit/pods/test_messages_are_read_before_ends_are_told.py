from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.pods.observations import NOW, UID, allocation, circumstances, job, observation, started, terminated
from translators.allocation_to_status import UnreadMessage
from translators.container_id import ContainerId, parse
from translators.records.pods import Pod
from translators.support import decode_pod
from vnode.errors import NotFound, Unavailable
from vnode.nomad.logs import LogFile, LogFiles, LogPosition, LogStream, TaskLogFiles
from vnode.nomad.records import FileInfo
from vnode.pods.actions import Decision, DeletePod, PatchStatus, ReadMessage
from vnode.pods.decide import decide
from vnode.pods.message_reader import MessageReader
from vnode.view.observation import Memory, Observation

RUN = "nomad://a1/app/0"
FALLBACK = "FallbackToLogsOnError"


def pod(*, deleted: bool = False, policy: str = FALLBACK) -> Pod:
    container = {
        "name": "app",
        "image": "busybox",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": policy,
    }
    metadata = {
        "name": "web-1",
        "namespace": "shop",
        "uid": UID,
        "annotations": {"nomad.hashinetes.io/driver": "docker"},
        **({"deletionTimestamp": NOW.isoformat(), "deletionGracePeriodSeconds": 30} if deleted else {}),
    }
    spec = {"restartPolicy": "Never", "containers": [container]}
    return decode_pod({"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}})


def ended(of: Pod, seconds_ago: float = 5.0, **facts: Any) -> Observation:
    found = allocation("failed", state="dead", failed=True, events=(started(), terminated(3, seconds_ago)))
    return observation(of, job=job(of), allocations=(found,), **facts)


def decided(subject: Observation) -> Decision:
    return decide(subject, circumstances(), NOW)


def kinds(decision: Decision) -> list[type]:
    return [type(action) for action in decision.actions]


@pytest.mark.parametrize("deleted", [False, True])
def test_before_an_end_is_told_its_message_is_read_and_all_is_looked_at_again(*, deleted: bool) -> None:
    found = decided(ended(pod(deleted=deleted)))
    assert kinds(found) == [ReadMessage]
    assert found.wake_at == NOW


def test_once_it_is_read_the_end_is_told_with_it() -> None:
    found = decided(ended(pod(), memory=Memory(messages={RUN: "no disk"})))
    [patch] = [action for action in found.actions if isinstance(action, PatchStatus)]
    assert patch.body["status"]["containerStatuses"][0]["state"]["terminated"]["message"] == "no disk"


def test_a_pod_leaves_as_soon_as_it_was_read() -> None:
    found = decided(ended(pod(deleted=True), memory=Memory(messages={RUN: ""})))
    assert DeletePod in kinds(found)


def test_a_log_is_read_when_it_is_whole() -> None:
    found = decided(ended(pod(), seconds_ago=0.25))
    assert found.actions == ()
    assert found.wake_at == NOW + timedelta(seconds=1)


@pytest.mark.parametrize(("policy", "seconds_ago"), [("File", 0.25), (FALLBACK, -3600.0)])
def test_nothing_waits_for_a_file_or_by_a_clock_that_is_ahead(policy: str, seconds_ago: float) -> None:
    assert kinds(decided(ended(pod(policy=policy), seconds_ago=seconds_ago))) == [ReadMessage]


class Files:
    """One file, or what is raised for it."""

    def __init__(self, content: bytes | Exception, written: datetime = NOW) -> None:
        self.content = content
        self.written = written

    async def file(self, allocation_id: str, path: str) -> FileInfo:
        assert (allocation_id, path) == ("a1", "app/m")
        if isinstance(self.content, Exception):
            raise self.content
        return FileInfo(name="m", size=len(self.content), mod_time=self.written)

    async def read_file(self, allocation_id: str, path: str, *, offset: int, limit: int) -> bytes:  # noqa: ARG002
        assert isinstance(self.content, bytes)
        return self.content[offset : offset + limit]


class Logs:
    """Both streams, whole."""

    def __init__(self, **content: bytes) -> None:
        self.content = content

    async def files(self, allocation_id: str, task: str) -> TaskLogFiles:
        assert (allocation_id, task) == ("a1", "app")
        if not self.content:
            raise Unavailable("the client is gone")
        files = {
            name: LogFiles((LogFile(0, len(text), datetime(2026, 1, 1, tzinfo=UTC)),))
            for name, text in self.content.items()
        }
        return TaskLogFiles(**files)

    async def read_between(
        self,
        allocation_id: str,
        task: str,
        stream: LogStream,
        start: LogPosition,
        end: LogPosition,
    ) -> AsyncGenerator[bytes, None]:
        assert (allocation_id, task) == ("a1", "app")
        yield self.content[stream][start.offset : end.offset]


def message(*, from_log: bool = False, run: str = RUN, begun: datetime | None = None) -> UnreadMessage:
    parsed = parse(run)
    assert isinstance(parsed, ContainerId)
    return UnreadMessage(
        run=parsed, file="app/m", told_as="/dev/termination-log", begun=begun, ended=NOW, from_log=from_log
    )


def reader(files: Files, logs: Logs) -> MessageReader:
    return MessageReader(files, logs, quiet=0.0)


class Growing(Logs):
    """A log whose collectors come late."""

    async def files(self, allocation_id: str, task: str) -> TaskLogFiles:
        found = await super().files(allocation_id, task)
        if len(self.content["stdout"]) < len(b"late\n"):
            self.content["stdout"] += b"late\n"[len(self.content["stdout"]) :][:1]
        return found


async def test_a_log_is_read_when_nothing_is_added_to_it() -> None:
    logs = Growing(stdout=b"", stderr=b"")
    assert await reader(Files(b""), logs).read(message(from_log=True)) == "late\n"


async def test_of_a_file_the_end_counts() -> None:
    subject = reader(Files(b"x" * 10 + b"y" * 4096), Logs())
    assert await subject.read(message()) == "y" * 4096


async def test_what_is_no_text_is_shown_as_far_as_it_is() -> None:
    assert await reader(Files(b"\xff ok"), Logs()).read(message()) == "� ok"


@pytest.mark.parametrize(("seconds", "text"), [(-30, ""), (-1, "no disk"), (1, "no disk")])
async def test_what_an_earlier_run_left_is_none_of_this_ones(seconds: float, text: str) -> None:
    files = Files(b"no disk", NOW + timedelta(seconds=seconds))
    assert await reader(files, Logs()).read(message(begun=NOW)) == text


@pytest.mark.parametrize("content", [b"", NotFound("gone")])
async def test_without_one_the_log_counts_where_that_is_wanted(content: bytes | Exception) -> None:
    subject = reader(Files(content), Logs(stdout=b"out", stderr=b"err\n"))
    assert await subject.read(message()) == ""
    assert await subject.read(message(from_log=True)) == "out\nerr\n"


async def test_of_a_log_the_last_lines_count() -> None:
    many = b"".join(b"%d\n" % number for number in range(100))
    subject = reader(Files(b""), Logs(stdout=b"", stderr=many))
    assert (await subject.read(message(from_log=True))).splitlines() == [str(number) for number in range(20, 100)]


async def test_of_long_lines_the_last_bytes_count() -> None:
    subject = reader(Files(b""), Logs(stdout=b"o" * 5000, stderr=b"e" * 2000))
    assert await subject.read(message(from_log=True)) == "o" * 47 + "\n" + "e" * 2000


async def test_the_log_of_an_earlier_run_is_none_of_this_ones() -> None:
    subject = reader(Files(b""), Logs(stdout=b"before", stderr=b"before\nnow\n"))
    assert await subject.read(message(from_log=True, run=f"{RUN}@0.6,0.7")) == "now\n"


async def test_what_cannot_be_read_is_said() -> None:
    unreachable = reader(Files(Unavailable("the client is gone")), Logs())
    assert await unreachable.read(message(from_log=True)) == (
        "Error on reading termination log /dev/termination-log: the client is gone"
    )
    no_log = reader(Files(b""), Logs())
    assert await no_log.read(message(from_log=True)) == (
        "Error on reading termination message from logs: the client is gone"
    )
