"""A clock that is set makes no wait longer or shorter of which we remember when it began."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.pods.observations import NOW, RUNNING, circumstances, observation, pod
from tests.unit.view.objects import view
from translators.records.pods import PodUid
from vnode.calendar import Calendar
from vnode.pods.actions import Register
from vnode.pods.decide import decide
from vnode.view.observation import Memory

HOUR = timedelta(hours=1)


class Machine:
    """Two clocks, of which one may be set."""

    def __init__(self) -> None:
        self.day, self.steady = NOW, 50.0
        self.steps: list[timedelta] = []
        self.calendar = Calendar(lambda: self.day, lambda: self.steady, self.steps.append)

    def passes(self, seconds: float, shown: float | None = None) -> None:
        self.steady += seconds
        self.day += timedelta(seconds=seconds if shown is None else shown)
        assert self.calendar.now() == self.day


def test_time_that_passes_is_no_step() -> None:
    machine = Machine()
    machine.passes(7200)
    assert machine.steps == []


@pytest.mark.parametrize("hours", [-1, 1])
def test_how_far_it_was_set_is_told_once(hours: int) -> None:
    machine = Machine()
    machine.passes(10, shown=10 + hours * 3600)
    machine.passes(10)
    assert machine.steps == [hours * HOUR]


def test_what_a_time_service_takes_off_little_by_little_is_no_step() -> None:
    machine = Machine()
    for _ in range(100):
        machine.passes(10, shown=9.995)
    assert machine.steps == []


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_a_grace_that_we_wait_for_stays_as_long_as_it_was(step: timedelta) -> None:
    seen, uid = view(), PodUid("0000-1")
    seen.remember(uid, missing_at=NOW, ending={"run": NOW, "killed": None})
    seen.shift(step)
    memory = seen.observation(uid).memory
    assert memory.ending == {"run": NOW + step, "killed": None}
    gone = observation(pod(status=RUNNING, grace=20), confirmed=True, memory=memory)
    waits = decide(gone, circumstances(), NOW + step + timedelta(seconds=19))
    assert (waits.actions, waits.wake_at) == ((), NOW + step + timedelta(seconds=20))
    over = decide(gone, circumstances(), NOW + step + timedelta(seconds=20))
    assert any(isinstance(action, Register) for action in over.actions)


def test_what_holds_no_time_stays_as_it_is() -> None:
    assert replace(Memory(attempts=3)).shifted(HOUR) == Memory(attempts=3)


def test_the_failures_of_an_owner_are_as_long_ago_as_before() -> None:
    seen = view()
    owned = pod(owner="ReplicaSet")
    seen.remember_failure(owned, "PolicyDenied", NOW)
    seen.shift(HOUR)
    assert seen.owner_history(owned, "PolicyDenied").last == NOW + HOUR
