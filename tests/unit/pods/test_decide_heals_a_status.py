"""A status that somebody else writes too."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.unit.pods.observations import NOW, RUNNING, allocation, circumstances, job, observation, pod, started
from vnode.pods.actions import Decision, Note, PatchStatus, Remember, Stop
from vnode.pods.decide import decide
from vnode.view.observation import Memory, Observation


def _overwritten(phase: str = "Pending", memory: Memory | None = None, state: str = "running") -> Observation:
    found = replace(pod(status={**RUNNING, "phase": phase}), overwritten_by="kubectl-patch")
    runs = allocation("running" if state == "running" else "complete", state=state, events=(started(),))
    return observation(found, job=job(found), allocations=(runs,), memory=memory or Memory())


def _at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def _kinds(decision: Decision) -> list[type[Any]]:
    return [type(action) for action in decision.actions]


def test_it_is_written_anew_and_who_wrote_it_is_told_once() -> None:
    decision = decide(_overwritten(), circumstances(), NOW)
    assert _kinds(decision) == [PatchStatus, Note, Remember]
    patch, note, _ = decision.actions
    assert isinstance(patch, PatchStatus)
    assert isinstance(note, Note)
    assert patch.body["status"]["phase"] == "Running"
    assert (note.event.type, note.event.reason) == ("Warning", "StatusOverwritten")
    assert "'kubectl-patch'" in note.event.message


def test_what_is_not_overwritten_names_nobody() -> None:
    plain = _overwritten()
    assert plain.pod is not None
    decision = decide(replace(plain, pod=replace(plain.pod, overwritten_by="")), circumstances(), NOW)
    reasons = [action.event.reason for action in decision.actions if isinstance(action, Note)]
    assert "StatusOverwritten" not in reasons


def test_two_writers_do_not_drive_each_other() -> None:
    """Each of us waits longer before the next time, at most a minute."""
    now, memory, waits = NOW, Memory(), []
    for _ in range(10):
        decision = decide(_overwritten(memory=memory), circumstances(), now)
        while decision.wake_at is not None and not decision.actions:
            now = decision.wake_at
            decision = decide(_overwritten(memory=memory), circumstances(), now)
        waits.append((now - NOW).total_seconds())
        (remembered,) = (action for action in decision.actions if isinstance(action, Remember))
        memory = replace(memory, **remembered.changes)
    assert waits == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]


def test_after_a_quiet_time_it_is_written_at_once() -> None:
    fought = Memory(heals=9, healed_at=NOW)
    decision = decide(_overwritten(memory=fought), circumstances(), _at(301))
    assert Remember({"heals": 1, "healed_at": _at(301)}) in decision.actions


def test_a_clock_that_was_set_back_keeps_nothing_waiting() -> None:
    decision = decide(_overwritten(memory=Memory(heals=9, healed_at=_at(3600))), circumstances(), NOW)
    assert PatchStatus in _kinds(decision)


def test_one_that_somebody_calls_failed_is_stopped_and_says_why() -> None:
    decision = decide(_overwritten(phase="Failed"), circumstances(), NOW)
    assert _kinds(decision) == [Stop, Note]
    note = decision.actions[1]
    assert isinstance(note, Note)
    assert "'kubectl-patch'" in note.event.message
