from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.pods.observations import (
    NOW,
    RUNNING,
    allocation,
    circumstances,
    event,
    job,
    observation,
    pod,
    started,
    terminated,
)
from translators.records.allocations import Allocation, DesiredTransition, TaskEvent, TaskState
from vnode.pods.actions import DeletePod, EvictPod, Forbid, Note, PatchStatus, Permit, Purge, Remember, Stop
from vnode.pods.decide import decide
from vnode.view.observation import Memory, Observation, Removal

WAITING = allocation("pending", state="pending", events=(event("Received"),))
LIVE = allocation("running", events=(started(),))
LOST = replace(WAITING, client_status="unknown", desired_status="stop", modify_time=int(NOW.timestamp() * 1e9))
ELSEWHERE = replace(WAITING, id="a2", create_index=20)
PERMIT = {"permit": "default"}


def submitted(*allocations: Allocation, policy: str = "Never", status: Any = None, **facts: Any) -> Observation:
    one = pod(policy=policy, status=status)
    return observation(one, **{"job": job(one), "allocations": allocations, **facts})


def kinds(seen: Observation, seconds: float = 0) -> list[type]:
    return [type(action) for action in decide(seen, circumstances(), NOW + timedelta(seconds=seconds)).actions]


def test_the_first_allocation_of_a_pod_that_runs_once_is_let_start() -> None:
    decision = decide(submitted(WAITING), circumstances(), NOW)
    sent, permit = decision.actions
    assert sent == Remember({"permitted_in": "default"})
    assert permit == Permit("default", "vk-0000-1", "a1")  # type: ignore[arg-type]
    assert decision.wake_at == NOW


@pytest.mark.parametrize("policy", ["Always", "OnFailure"])
def test_others_need_no_permit(policy: str) -> None:
    assert Permit not in kinds(submitted(WAITING, policy=policy))


@pytest.mark.parametrize(
    "seen",
    [
        submitted(WAITING, **PERMIT),
        submitted(WAITING, status=RUNNING),
        submitted(LOST),
        submitted(LOST, ELSEWHERE),
        submitted(replace(WAITING, desired_status="stop")),
        submitted(LIVE),
    ],
    ids=["permitted already", "ran before", "lost", "a second one", "told to stop", "running"],
)
def test_no_other_allocation_is_let_start(seen: Observation) -> None:
    assert Permit not in kinds(seen)


def test_the_permit_is_withdrawn_once_everything_has_started_and_the_status_tells_so() -> None:
    assert kinds(submitted(LIVE, **PERMIT)) == [PatchStatus, Note, Forbid]
    sent = Memory(permitted_in="default")
    assert kinds(submitted(LIVE, memory=sent)) == [PatchStatus, Note, Forbid, Remember]
    assert Forbid not in kinds(submitted(WAITING, **PERMIT))


def test_the_permit_of_an_allocation_that_ended_is_withdrawn() -> None:
    ended = allocation("failed", state="dead", failed=True, events=(event("Driver Failure", driver_error="no"),))
    assert kinds(submitted(ended, **PERMIT))[-1] is Forbid


def test_the_permit_leaves_with_the_pod_and_with_the_job() -> None:
    over = allocation("complete", state="dead", events=(started(), terminated(0)), desired="stop")
    leaving = pod(policy="Never", status=RUNNING, deleted_with_grace=30)
    deleted = observation(leaving, job=job(leaving, stopped=True), allocations=(over,), **PERMIT)
    assert kinds(deleted) == [Forbid, PatchStatus, DeletePod]
    orphan = observation(None, job=job(leaving), allocations=(over,), removal=Removal(grace=None), **PERMIT)
    assert kinds(orphan)[:2] == [Forbid, Purge]
    failed = pod(policy="Never", status={"phase": "Failed"})
    assert kinds(observation(failed, job=job(failed), allocations=(over,), **PERMIT)) == [Forbid]


MISSES = TaskEvent(
    type="Template", time=7, display_message="Missing: nomad.var.block(nomad/jobs/vk-0000-1/pod@default)"
)
FOUND_AGAIN = allocation("running", events=(started(), event("Received"), MISSES))


PARKED = replace(
    FOUND_AGAIN,
    task_states={**FOUND_AGAIN.task_states, "parked": TaskState(state="pending", events=(terminated(3), MISSES))},
)


def test_where_a_permit_would_start_something_it_is_said_once_that_no_end_will_be_seen() -> None:
    remembered, note = decide(submitted(PARKED, status=RUNNING), circumstances(), NOW).actions
    assert isinstance(note, Note)
    assert note.event.reason == "EndUnseen"
    assert isinstance(remembered, Remember)
    told = submitted(PARKED, status=RUNNING, memory=Memory(**remembered.changes))
    assert not {Note, Permit} & set(kinds(told))


def test_what_runs_is_permitted_once_more_when_the_agent_of_its_client_was_restarted() -> None:
    decision = decide(submitted(FOUND_AGAIN, status=RUNNING), circumstances(), NOW)
    remembered, permit = decision.actions
    assert isinstance(remembered, Remember)
    assert permit == Permit("default", "vk-0000-1", "a1")  # type: ignore[arg-type]
    given = Memory(**remembered.changes)
    permitted = submitted(FOUND_AGAIN, status=RUNNING, memory=given, **PERMIT)
    waits = decide(permitted, circumstances(), NOW)
    assert not {Permit, Forbid} & {type(action) for action in waits.actions}
    assert waits.wake_at is not None
    assert Forbid in [type(action) for action in decide(permitted, circumstances(), waits.wake_at).actions]
    withdrawn = replace(given, permitted_in="")
    assert Permit not in kinds(submitted(FOUND_AGAIN, status=RUNNING, memory=withdrawn), 60)


@pytest.mark.parametrize(
    "seen",
    [
        replace(FOUND_AGAIN, client_status="unknown"),
        replace(FOUND_AGAIN, desired_status="stop"),
        allocation("running", events=(MISSES, started())),
        allocation("pending", state="pending", events=(started(), event("Failed Restoring Task"), MISSES)),
        replace(
            FOUND_AGAIN,
            task_states={
                **FOUND_AGAIN.task_states,
                "parked": TaskState(state="pending", events=(terminated(3), MISSES)),
            },
        ),
    ],
    ids=["lost", "told to stop", "before its start", "not found again", "one of two waits for a restart"],
)
def test_what_might_start_again_is_not_permitted(seen: Allocation) -> None:
    assert Permit not in kinds(submitted(seen, status=RUNNING))


def test_while_it_is_permitted_once_more_an_end_is_told_and_ends_the_permit() -> None:
    over = allocation("complete", state="dead", events=(started(), MISSES, terminated(0)))
    memory = Memory(permitted_in="default", missed_permit=7, permitted_again=NOW)
    assert Forbid in kinds(submitted(over, status=RUNNING, memory=memory, **PERMIT))


CHANGED = replace(
    allocation("complete", state="dead", events=(started(), event("Killing"), terminated(143)), desired="stop"),
    desired_description="alloc is being updated due to job update",
)


def test_a_job_that_somebody_registered_anew_is_said_once_when_its_next_allocation_is_shown() -> None:
    now = replace(LIVE, id="a2", create_index=20)
    (patch, *notes) = decide(submitted(CHANGED, now, policy="Always", status=RUNNING), circumstances(), NOW).actions
    assert isinstance(patch, PatchStatus)
    assert [note.event.reason for note in notes if isinstance(note, Note)] == ["Started", "NomadJobChanged"]
    shown = {**RUNNING, **patch.body["status"], "hostIPs": [{"ip": "10.0.0.1"}], "podIPs": [{"ip": "10.0.0.1"}]}
    again = decide(submitted(CHANGED, now, policy="Always", status=shown), circumstances(), NOW).actions
    assert not [note for note in again if isinstance(note, Note) and note.event.reason == "NomadJobChanged"]


def test_a_pod_that_runs_once_fails_when_somebody_registered_its_job_anew() -> None:
    actions = decide(submitted(CHANGED, ELSEWHERE, status=RUNNING), circumstances(), NOW).actions
    assert [type(action) for action in actions] == [Stop]
    stopped = submitted(CHANGED, replace(ELSEWHERE, client_status="complete", desired_status="stop"), status=RUNNING)
    ended = replace(stopped, job=replace(stopped.job, stopped=True, resolved=True))  # type: ignore[type-var]
    (patch, *notes) = decide(ended, circumstances(), NOW).actions
    assert isinstance(patch, PatchStatus)
    assert (patch.body["status"]["phase"], patch.body["status"]["reason"]) == ("Failed", "NomadJobChanged")
    assert [note.event.reason for note in notes if isinstance(note, Note)] == ["NomadJobChanged"]


@pytest.mark.parametrize(
    "seen",
    [submitted(LOST), submitted(LIVE, ELSEWHERE), submitted(replace(LIVE, desired_status="stop"))],
    ids=["its client was lost while it started", "another one was placed", "it is drained"],
)
def test_what_runs_once_is_not_placed_again(seen: Observation) -> None:
    assert kinds(seen) == [Stop]


def test_one_that_runs_on_a_lost_client_is_left_to_it() -> None:
    away = replace(LIVE, client_status="unknown")
    assert Stop not in kinds(submitted(away, status=RUNNING))


@pytest.mark.parametrize("policy", ["Never", "OnFailure"])
def test_the_job_of_a_drained_pod_is_stopped_before_it_fails(policy: str) -> None:
    """Nomad places a drained batch job again with any later evaluation."""
    drained = replace(
        allocation("complete", state="dead", events=(started(), event("Killing"), terminated(143)), desired="stop"),
        desired_description="alloc is being migrated",
        desired_transition=DesiredTransition(migrate=True),
    )
    assert kinds(submitted(drained, policy=policy, status=RUNNING)) == [Stop]
    one = pod(policy=policy, status=RUNNING)
    stopped = observation(one, job=job(one, stopped=True), allocations=(drained,))
    patch = decide(stopped, circumstances(), NOW).actions[0]
    assert isinstance(patch, PatchStatus)
    assert (patch.body["status"]["phase"], patch.body["status"]["reason"]) == ("Failed", "NodeDrained")
    failed = pod(policy=policy, status={"phase": "Failed"})
    assert kinds(observation(failed, job=job(failed), allocations=(drained,))) == [Stop]


def lost(policy: str = "Always", **facts: Any) -> Observation:
    away = replace(LIVE, client_status="unknown", modify_time=int(NOW.timestamp() * 1e9), node_name="c7")
    return submitted(away, policy=policy, status=RUNNING, **facts)


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
def test_a_pod_on_a_lost_client_is_not_ready_and_then_deleted_as_by_the_taint_controller(policy: str) -> None:
    early = decide(lost(policy), circumstances(), NOW + timedelta(seconds=299))
    patch = early.actions[0]
    assert isinstance(patch, PatchStatus)
    assert {"Ready": "NodeLost"}.items() <= {each["type"]: each.get("reason") for each in _conditions(patch)}.items()
    assert patch.body["status"].get("phase") in {None, "Running"}
    assert early.wake_at == NOW + timedelta(seconds=300)
    late = decide(lost(policy), circumstances(), NOW + timedelta(seconds=300))
    patch, evict, remember, note = late.actions
    assert isinstance(patch, PatchStatus)
    assert isinstance(note, Note)
    assert (type(evict), remember) == (EvictPod, Remember({"evicted": True}))
    [target] = [each for each in _conditions(patch) if each["type"] == "DisruptionTarget"]
    assert (target["status"], target["reason"]) == ("True", "NodeLost")
    assert "client c7" in target["message"]
    assert patch.body["status"].get("phase") in {None, "Running"}


def test_a_deletion_that_was_asked_for_is_not_repeated() -> None:
    assert EvictPod not in kinds(lost(memory=Memory(evicted=True)), seconds=301)


def _conditions(patch: PatchStatus) -> list[dict[str, Any]]:
    return list(patch.body["status"]["conditions"])
