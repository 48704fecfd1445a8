from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.pods.observations import (
    NOW,
    RUNNING,
    UID,
    allocation,
    circumstances,
    job,
    observation,
    pod,
    started,
    stop_evaluation,
    terminated,
)
from translators.identity import job_id
from vnode.pods.actions import ConfirmAbsence, DeletePod, Forget, Kill, Note, PatchStatus, Purge, Remember, Reread, Stop
from vnode.pods.decide import decide
from vnode.view.observation import Memory, Observation, Removal

LIVE = allocation("running", events=(started(),))
DEAD = allocation("complete", state="dead", events=(started(), terminated(0)), desired="stop")


def deleting(grace: int = 30, *, stopped: bool = True, alive: bool = True, **facts: Any) -> Observation:
    one = pod(status=RUNNING, deleted_with_grace=grace)
    return observation(one, job=job(one, stopped=stopped), allocations=(LIVE if alive else DEAD,), **facts)


def orphan(*, stopped: bool = False, alive: bool = True, **facts: Any) -> Observation:
    one = job(pod(), stopped=stopped)
    return observation(None, job=one, allocations=(LIVE if alive else DEAD,), **facts)


def test_deleting_a_pod_stops_its_job_and_says_which_containers_end() -> None:
    stop, note = decide(deleting(stopped=False), circumstances(), NOW).actions
    assert isinstance(stop, Stop)
    assert isinstance(note, Note)
    assert (note.event.reason, note.event.field_path) == ("Killing", "spec.containers{app}")


def test_a_pod_never_leaves_before_its_tasks_have_ended() -> None:
    decision = decide(deleting(), circumstances(), NOW)
    assert not [action for action in decision.actions if isinstance(action, DeletePod)]


def test_a_pod_leaves_as_soon_as_its_tasks_have_ended_with_a_final_status() -> None:
    patch, delete = decide(deleting(alive=False), circumstances(), NOW).actions
    assert isinstance(patch, PatchStatus)
    assert patch.body["status"]["phase"] == "Succeeded"
    assert isinstance(delete, DeletePod)


def test_the_deletion_is_not_repeated_while_finalizers_hold_the_object() -> None:
    decision = decide(deleting(alive=False, memory=Memory(deleted=True)), circumstances(), NOW)
    assert decision.actions == ()


def test_a_pod_without_a_known_job_leaves_when_nomad_says_that_there_is_none() -> None:
    unknown = observation(pod(deleted_with_grace=30))
    (reread,) = decide(unknown, circumstances(), NOW).actions
    assert reread == Reread("default", job_id(UID))
    assert isinstance(decide(replace(unknown, confirmed=True), circumstances(), NOW).actions[-1], DeletePod)


def test_a_job_whose_registration_had_no_answer_is_looked_for_when_its_pod_is_gone() -> None:
    unsure = observation(None, memory=Memory(submitted_to="default"))
    assert decide(unsure, circumstances(), NOW).actions == (Reread("default", job_id(UID)),)
    assert decide(replace(unsure, confirmed=True), circumstances(), NOW).actions == (Forget(),)


def test_an_unplaced_pod_leaves_when_its_stop_was_evaluated() -> None:
    one = pod(deleted_with_grace=30)
    unplaced = observation(one, job=job(one, stopped=True), evaluation=replace(stop_evaluation(), status="pending"))
    assert not [action for action in decide(unplaced, circumstances(), NOW).actions if isinstance(action, DeletePod)]
    resolved = replace(unplaced, job=job(one, stopped=True, resolved=True))
    assert isinstance(decide(resolved, circumstances(), NOW).actions[-1], DeletePod)


def test_a_stopped_job_of_which_nothing_is_known_is_read() -> None:
    one = pod(deleted_with_grace=30)
    (action,) = decide(observation(one, job=job(one, stopped=True)), circumstances(), NOW).actions
    assert isinstance(action, Reread)


def test_a_grace_period_as_long_as_the_kill_timeout_is_left_to_nomad() -> None:
    decision = decide(deleting(30), circumstances(), NOW + timedelta(seconds=31))
    assert not [action for action in decision.actions if isinstance(action, Kill)]
    assert decision.wake_at is None


def test_a_shorter_grace_period_is_kept_by_a_kill_at_its_end() -> None:
    """Its end is told in whole seconds, cut off: the process is owed up to one second more."""
    before = decide(deleting(5), circumstances(), NOW + timedelta(seconds=5))
    assert before.wake_at == NOW + timedelta(seconds=6)
    after = decide(deleting(5), circumstances(), NOW + timedelta(seconds=6))
    assert [action for action in after.actions if isinstance(action, Kill)] == [Kill("a1", "app")]  # type: ignore[arg-type]


@pytest.mark.parametrize("ahead", [-3600, 0, 3600])
def test_a_shorter_grace_that_we_saw_begin_is_counted_by_our_own_clock(ahead: float) -> None:
    """Whatever the API server's clock shows."""
    now = NOW + timedelta(seconds=ahead)
    early = decide(deleting(5, leaving_for=4.5), circumstances(), now)
    assert early.wake_at == now + timedelta(seconds=0.5)
    assert not [action for action in early.actions if isinstance(action, Kill)]
    late = decide(deleting(5, leaving_for=5.0), circumstances(), now)
    assert [action for action in late.actions if isinstance(action, Kill)]


def test_a_task_is_killed_once() -> None:
    killed = deleting(5, memory=Memory(killed=frozenset({("a1", "app")})))  # type: ignore[arg-type]
    decision = decide(killed, circumstances(), NOW + timedelta(seconds=9))
    assert not [action for action in decision.actions if isinstance(action, Kill)]


def test_an_absence_is_confirmed_before_a_job_is_touched() -> None:
    (action,) = decide(orphan(), circumstances(), NOW).actions
    assert action == ConfirmAbsence("shop", "web-1")


@pytest.mark.parametrize("facts", [{"absent": True}, {"removal": Removal(grace=None)}], ids=["confirmed", "seen"])
def test_a_job_whose_pod_is_gone_is_stopped(facts: dict[str, Any]) -> None:
    assert [type(action) for action in decide(orphan(**facts), circumstances(), NOW).actions] == [Stop]


def test_a_pod_deleted_by_force_takes_its_tasks_along() -> None:
    decision = decide(orphan(removal=Removal(grace=0)), circumstances(), NOW)
    assert [type(action) for action in decision.actions] == [Stop, Kill]


def test_a_job_is_removed_only_when_its_tasks_have_ended() -> None:
    gone: dict[str, Any] = {"removal": Removal(grace=30)}
    assert decide(orphan(stopped=True, **gone), circumstances(), NOW).actions == ()
    ended = decide(orphan(stopped=True, alive=False, **gone), circumstances(), NOW)
    assert [type(action) for action in ended.actions] == [Purge, Forget]


def test_a_finished_job_without_a_pod_is_removed_without_a_stop() -> None:
    finished = decide(orphan(alive=False, absent=True), circumstances(), NOW)
    assert [type(action) for action in finished.actions] == [Purge, Forget]


def test_a_uid_that_is_gone_on_both_sides_is_forgotten() -> None:
    assert [type(action) for action in decide(observation(None), circumstances(), NOW).actions] == [Forget]


def test_a_deletion_waits_for_the_grace_of_tasks_whose_job_was_removed() -> None:
    gone = observation(pod(status=RUNNING, deleted_with_grace=30), confirmed=True)
    found = decide(gone, circumstances(), NOW)
    assert [type(action) for action in found.actions] == [Note, Remember]
    assert found.wake_at == NOW + timedelta(seconds=30)
    later = decide(replace(gone, memory=Memory(missing_at=NOW)), circumstances(), NOW + timedelta(seconds=30))
    assert [type(action) for action in later.actions] == [PatchStatus, DeletePod]


def test_what_somebody_else_ended_is_read_once_also_while_its_pod_leaves() -> None:
    ours = deleting(evaluation=stop_evaluation(20), memory=Memory(stop_evaluation="e1"))
    assert not [a for a in decide(ours, circumstances(), NOW).actions if isinstance(a, Reread)]
    theirs = deleting(evaluation=stop_evaluation(20), memory=Memory(stop_evaluation="e0"))
    assert [type(action) for action in decide(theirs, circumstances(), NOW).actions] == [Reread, Remember]


def test_a_preempted_allocation_is_no_end_before_its_job_was_stopped() -> None:
    """Nomad places it again."""
    preempted = replace(DEAD, desired_status="evict", desired_description="Preempted by alloc ID x")
    one = pod(status=RUNNING, deleted_with_grace=30)
    seen = observation(one, job=job(one), allocations=(preempted,))
    assert isinstance(decide(seen, circumstances(), NOW).actions[0], Stop)
    unsure = replace(seen, job=job(one, stopped=True))
    assert [type(action) for action in decide(unsure, circumstances(), NOW).actions] == [Reread]
    resolved = replace(seen, job=job(one, stopped=True, resolved=True))
    assert isinstance(decide(resolved, circumstances(), NOW).actions[-1], DeletePod)
