from dataclasses import replace
from datetime import timedelta

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
    stop_evaluation,
    terminated,
)
from translators.errors import Finding
from vnode.pods.actions import MeasureLogs, Note, PatchStatus, Purge, Register, Remember, Reread, Stop
from vnode.pods.decide import decide
from vnode.view.observation import Memory, Observation


def running(**facts: object) -> Observation:
    one = pod()
    return observation(one, job=job(one), allocations=(allocation("running", events=(started(),)),), **facts)


def test_a_running_task_makes_a_running_pod_with_one_patch_and_one_event() -> None:
    decision = decide(running(), circumstances(), NOW)
    patch, note = decision.actions
    assert isinstance(patch, PatchStatus)
    assert isinstance(note, Note)
    assert patch.body["status"]["phase"] == "Running"
    assert note.event.reason == "Started"


def test_a_published_status_is_not_written_again() -> None:
    first = decide(running(), circumstances(), NOW).actions[0]
    assert isinstance(first, PatchStatus)
    addresses = {"hostIPs": [{"ip": "10.0.0.1"}], "podIPs": [{"ip": "10.0.0.1"}]}
    held = pod(status=dict(first.body["status"]) | addresses)
    again = replace(running(), pod=held)
    assert decide(again, circumstances(), NOW + timedelta(minutes=5)).actions == ()


def test_a_young_pod_that_is_only_being_started_is_not_written_yet() -> None:
    one = pod(age=0.5)
    placed = observation(one, job=job(one), allocations=(allocation("pending", state="pending"),))
    decision = decide(placed, circumstances(), NOW)
    assert decision.actions == ()
    assert decision.wake_at == NOW + timedelta(seconds=1.5)


def test_while_many_are_started_a_young_pod_waits_longer() -> None:
    one = pod(age=3)
    placed = observation(one, job=job(one), allocations=(allocation("pending", state="pending"),))
    busy = replace(circumstances(), settling=timedelta(seconds=10))
    assert decide(placed, busy, NOW).wake_at == NOW + timedelta(seconds=7)


def test_an_older_pod_that_is_still_being_started_says_so() -> None:
    one = pod(age=3)
    placed = observation(one, job=job(one), allocations=(allocation("pending", state="pending"),))
    (patch,) = decide(placed, circumstances(), NOW).actions
    assert isinstance(patch, PatchStatus)
    assert patch.body["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ContainerCreating"


def test_the_logs_of_a_restarting_task_are_measured_once() -> None:
    one = pod(status=RUNNING)
    events = (started(), terminated(1), event("Restarting", start_delay="10000000000"))
    crashed = observation(
        one, job=job(one), allocations=(allocation("pending", state="pending", restarts=1, events=events),)
    )
    measures = [action for action in decide(crashed, circumstances(), NOW).actions if isinstance(action, MeasureLogs)]
    assert measures == [MeasureLogs("a1", "app", 1)]  # type: ignore[arg-type]
    measured = replace(crashed, memory=Memory(positions={"app": "nomad://a1/app/1@0.10,0.0"}))
    assert not [a for a in decide(measured, circumstances(), NOW).actions if isinstance(a, MeasureLogs)]


FAILED_TO_FETCH = (
    event("Failed Artifact Download", download_error="dial tcp 10.0.0.9:80: connect: connection refused"),
    event("Not Restarting", restart_reason="Policy allows no restarts", fails_task="true"),
)


def never_started(policy: str = "Never", attempts: int = 0) -> Observation:
    one = pod(policy=policy)
    failed = allocation("failed", state="dead", failed=True, events=FAILED_TO_FETCH)
    return observation(one, job=job(one), allocations=(failed,), memory=Memory(attempts=attempts))


def test_a_placement_that_came_to_nothing_waits_before_it_is_tried_again() -> None:
    decision = decide(never_started(), circumstances(), NOW)
    assert decision.wake_at == NOW + timedelta(seconds=5)
    assert not [a for a in decision.actions if isinstance(a, Register | Purge)]


def test_one_that_came_to_nothing_by_a_clock_ahead_of_ours_does_not_wait_for_ours_to_come_there() -> None:
    hour_ago = NOW - timedelta(hours=1)
    first = decide(never_started(), circumstances(), hour_ago)
    assert Remember({"ended_at": hour_ago}) in first.actions
    known = replace(never_started(), memory=Memory(ended_at=hour_ago))
    again = decide(known, circumstances(), hour_ago + timedelta(seconds=10))
    assert any(isinstance(action, Register) for action in again.actions)


def test_it_is_tried_again_by_a_new_job_and_the_wait_grows() -> None:
    due = decide(never_started(), circumstances(), NOW + timedelta(seconds=6))
    assert [type(action) for action in due.actions] == [Purge, Remember, Remember, Register]
    later = decide(never_started(attempts=2), circumstances(), NOW + timedelta(seconds=6))
    assert later.wake_at == NOW + timedelta(seconds=35)


def test_a_placement_that_can_never_work_fails_the_pod_and_leaves_no_job() -> None:
    one = pod(policy="Never")
    events = (
        event("Failed Validation", validation_error="failed to parse config"),
        event("Not Restarting", restart_reason="Error was unrecoverable", fails_task="true"),
    )
    failed = allocation("failed", state="dead", failed=True, events=events)
    decision = decide(observation(one, job=job(one), allocations=(failed,)), circumstances(), NOW)
    patches = [action for action in decision.actions if isinstance(action, PatchStatus)]
    assert patches[0].body["status"]["phase"] == "Failed"
    assert isinstance(decision.actions[-1], Purge)


WRONG_CHECKSUM = (
    event("Failed Artifact Download", download_error="Checksums did not match for /a: Expected: 1, Got: 2"),
    event("Restarting", start_delay="10000000000"),
)


def test_what_nomad_would_try_for_ever_in_vain_is_stopped_and_fails_the_pod() -> None:
    one = pod(policy="Always")
    trying = allocation("pending", state="pending", restarts=3, events=WRONG_CHECKSUM)
    decision = decide(observation(one, job=job(one), allocations=(trying,)), circumstances(), NOW)
    patches = [action for action in decision.actions if isinstance(action, PatchStatus)]
    assert patches[0].body["status"]["phase"] == "Failed"
    assert isinstance(decision.actions[-1], Stop)


def test_the_stop_of_a_refused_pod_is_not_taken_for_somebody_elses() -> None:
    """Its owner's back-off goes on: a ReplicaSet would replace it ten times a second."""
    one = pod(policy="Always", owner="ReplicaSet")
    ended = allocation("complete", state="dead", events=(*WRONG_CHECKSUM, event("Killing")), desired="stop")
    refused = Memory(refusal=Finding("ErrImagePull", "", "Checksums did not match"))
    stopped = observation(one, job=job(one, stopped=True), allocations=(ended,), memory=refused)
    decision = decide(stopped, circumstances(), NOW)
    patches = [action for action in decision.actions if isinstance(action, PatchStatus)]
    assert patches[0].body["status"].get("phase", "Pending") == "Pending"
    assert isinstance(decision.actions[-1], Purge)
    assert decision.wake_at == NOW + timedelta(seconds=10)


def test_a_start_that_fails_again_is_told_again_though_the_status_stays() -> None:
    events = (
        event("Failed Artifact Download", download_error="connection refused"),
        event("Restarting", start_delay="10000000000"),
    )
    one = pod()
    first = observation(one, job=job(one), allocations=(allocation("pending", state="pending", events=events),))
    patch = decide(first, circumstances(), NOW).actions[0]
    assert isinstance(patch, PatchStatus)
    addresses = {"hostIPs": [{"ip": "10.0.0.1"}], "podIPs": [{"ip": "10.0.0.1"}]}
    held = pod(status=dict(patch.body["status"]) | addresses)
    again = allocation("pending", state="pending", restarts=2, events=events)
    repeated = replace(first, pod=held, allocations=(again,), memory=Memory(positions={"app": "nomad://a1/app/2"}))
    actions = decide(repeated, circumstances(), NOW).actions
    assert {action.event.reason for action in actions if isinstance(action, Note)} <= {"Failed", "BackOff"}
    assert actions[-1] == Remember({"told": {"a1/app": 2}})
    told = replace(repeated, memory=replace(repeated.memory, told={"a1/app": 2}))
    assert decide(told, circumstances(), NOW).actions == ()


def test_nothing_of_a_refused_pod_stays_in_nomad() -> None:
    one = pod(status={"phase": "Failed"})
    ended = allocation("complete", state="dead", events=WRONG_CHECKSUM, desired="stop")
    refused = Memory(refusal=Finding("ErrImagePull", "", "Checksums did not match"))
    gone = observation(one, job=job(one, stopped=True), allocations=(ended,), memory=refused)
    assert [type(action) for action in decide(gone, circumstances(), NOW).actions] == [Purge]


def test_a_job_that_somebody_stopped_before_it_was_placed_fails_the_pod() -> None:
    one = pod()
    stopped = observation(one, job=job(one, stopped=True, resolved=True))
    (patch,) = decide(stopped, circumstances(), NOW).actions
    assert isinstance(patch, PatchStatus)
    assert patch.body["status"]["reason"] == "NomadJobStopped"


def test_a_job_that_somebody_may_have_purged_is_read_once() -> None:
    suspicious = running(evaluation=stop_evaluation(20))
    decision = decide(suspicious, circumstances(), NOW)
    assert [type(action) for action in decision.actions] == [Reread, Remember]
    read = replace(suspicious, memory=Memory(reread_at=20))
    assert not [a for a in decide(read, circumstances(), NOW).actions if isinstance(a, Reread)]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_an_ended_pod_leaves_its_job_alone_once_that_has_ended_too(phase: str) -> None:
    one = pod(policy="Never", status={"phase": phase})
    ended = allocation("complete", state="dead", events=(started(), terminated(0)))
    assert decide(observation(one, job=job(one), allocations=(ended,)), circumstances(), NOW).actions == ()


def test_an_ended_pod_stops_a_job_that_has_not() -> None:
    one = pod(status={"phase": "Failed"})
    live = observation(one, job=job(one), allocations=(allocation("running", events=(started(),)),))
    assert [type(action) for action in decide(live, circumstances(), NOW).actions] == [Stop]


def test_the_status_of_a_pod_that_ran_is_kept_while_lists_lack_its_allocation() -> None:
    one = pod(status=RUNNING)
    lacking = observation(one, job=job(one))
    assert decide(lacking, circumstances(), NOW).actions == (Reread("default", job(one).id),)
    assert Reread not in {
        type(action) for action in decide(replace(lacking, confirmed=True), circumstances(), NOW).actions
    }
