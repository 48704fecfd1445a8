from dataclasses import replace
from typing import Any

import pytest

from tests.unit.translators.allocation_to_status.samples import (
    ALLOCATION,
    NOW,
    RUNNING,
    after,
    allocation,
    at,
    facts,
    pod,
    restarting,
    started,
    task,
    terminated,
    with_status,
)
from tests.unit.translators.allocation_to_status.samples import container as status_of
from translators.allocation_to_status import Facts, UnreadMessage, judge, pod_status, unread_messages
from translators.records.pods import Container, Pod

RUN = f"nomad://{ALLOCATION}/web/0"
FILE = "web/local/.vnode/termination-log"
FAILED = task("dead", started(2), terminated(30, 3), failed=True)


def subject(policy: str = "Never", **fields: Any) -> Pod:
    wanted = {"termination_message_path": "/dev/termination-log", "termination_message_policy": "File", **fields}
    made = pod(policy)
    return replace(made, spec=replace(made.spec, containers=(Container(name="web", image="web:1", **wanted),)))


def unread(of: Pod, known: Facts, driver: str = "docker") -> tuple[UnreadMessage, ...]:
    return unread_messages(judge(of, known), lambda _: driver, known)


def test_an_end_of_which_no_status_tells_has_a_message_to_be_read() -> None:
    [found] = unread(subject(), facts(allocation("failed", web=FAILED)))
    assert (str(found.run), found.file, found.from_log, found.ended) == (RUN, FILE, False, at(30))


@pytest.mark.parametrize(
    ("code", "policy", "from_log"),
    [(3, "FallbackToLogsOnError", True), (0, "FallbackToLogsOnError", False), (3, "File", False)],
)
def test_the_log_stands_for_it_only_where_that_is_wanted_and_something_failed(
    code: int, policy: str, *, from_log: bool
) -> None:
    ended = task("dead", started(2), terminated(30, code), failed=code > 0)
    [found] = unread(subject(termination_message_policy=policy), facts(allocation("failed", web=ended)))
    assert found.from_log is from_log


@pytest.mark.parametrize(("policy", "count"), [("File", 0), ("FallbackToLogsOnError", 1)])
def test_a_driver_without_files_leaves_its_log_alone(policy: str, count: int) -> None:
    known = facts(allocation("failed", web=FAILED))
    assert len(unread(subject(termination_message_policy=policy), known, "raw_exec")) == count


def test_it_is_read_once_and_for_what_has_ended_only() -> None:
    known = facts(allocation("failed", web=FAILED))
    assert unread(subject(), facts(allocation(web=RUNNING))) == ()
    assert unread(subject(), replace(known, messages={RUN: ""})) == ()
    assert unread(after(subject(), known), known) == ()


def test_what_another_run_began_after_has_nothing_left_of_itself() -> None:
    again = task("running", started(2), terminated(30, 3), restarting(30), started(42), restarts=1)
    assert unread(subject("Always"), facts(allocation(web=again))) == ()


def test_a_run_that_waits_to_be_started_again_has() -> None:
    waits = task("pending", started(2), terminated(30, 3), restarting(30), restarts=1)
    [found] = unread(subject("Always"), facts(allocation(web=waits)))
    assert (str(found.run), found.begun) == (RUN, None)


def test_what_a_later_run_left_is_told_from_what_an_earlier_one_did_by_its_beginning() -> None:
    later = task("dead", started(42), terminated(50, 3), restarts=1, failed=True)
    [found] = unread(subject("OnFailure"), facts(allocation("failed", web=later)))
    assert (found.run.run, found.begun) == (1, at(42))


def test_an_end_that_nobody_saw_has_none() -> None:
    lost = task("dead", started(2), terminated(30, -1), failed=True)
    assert unread(subject(), facts(allocation("failed", web=lost))) == ()


def test_it_stands_in_the_status_and_stays_there() -> None:
    known = facts(allocation("failed", web=FAILED), messages={RUN: "no disk\n"})
    told = pod_status(subject(), known, NOW)
    ended = status_of(told).state.terminated
    assert ended is not None
    assert ended.message == "no disk\n"
    later = pod_status(with_status(subject(), told), facts(allocation("failed", web=FAILED)), NOW)
    assert status_of(later).state.terminated == ended


def test_many_messages_share_what_one_pod_may_say() -> None:
    several = pod("Never", containers=("a", "b", "c", "d", "e", "f"))
    ended = dict.fromkeys("abcdef", FAILED)
    messages = {f"nomad://{ALLOCATION}/{name}/0": "ä" * 4096 for name in "abcdef"}
    told = pod_status(several, facts(allocation("failed", **ended), messages=messages), NOW)
    for name in "abcdef":
        found = status_of(told, name).state.terminated
        assert found is not None
        assert found.message == "ä" * 1024
