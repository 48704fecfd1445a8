from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.unit.pods.observations import NOW, RUNNING, UID, allocation, circumstances, job, observation, started
from translators.container_id import ContainerId
from translators.hooks import HookOfRun, HookState
from translators.records.allocations import AllocationId
from translators.records.hooks import HookKind
from translators.records.pods import Pod
from translators.support import decode_pod
from vnode.pods.actions import Action, Decision, Kill, Note, PatchStatus, RunHook, Signal, Stop
from vnode.pods.decide import decide
from vnode.view.observation import Memory, Observation

RUN = ContainerId("a1", "app", 0)
POST_START, PRE_STOP = HookOfRun(str(RUN), HookKind.POST_START), HookOfRun(str(RUN), HookKind.PRE_STOP)
PENDING = {"phase": "Pending", "startTime": "2026-01-01T11:59:00Z"}
HOOK = {"exec": {"command": ["true"]}}


def pod(
    *,
    status: dict[str, Any] = PENDING,
    policy: str = "Always",
    deleted_with: int | None = None,
    deadline: int | None = None,
    **hooks: Any,
) -> Pod:
    container = {"name": "app", "image": "nomad.local/binary", "command": ["/bin/true"], "lifecycle": hooks}
    metadata: dict[str, Any] = {"name": "web-1", "namespace": "shop", "uid": UID, "generation": 1}
    if deleted_with is not None:
        ends = NOW + timedelta(seconds=deleted_with)
        metadata |= {"deletionTimestamp": ends.isoformat(), "deletionGracePeriodSeconds": deleted_with}
    spec = {
        "restartPolicy": policy,
        "containers": [container],
        "terminationGracePeriodSeconds": 30,
        "activeDeadlineSeconds": deadline,
    }
    return decode_pod({"metadata": metadata, "spec": spec, "status": status})


def seen(of: Pod, *, stopped: bool = False, **memory: Any) -> Observation:
    up = allocation("running", events=(started(),))
    return observation(of, job=job(of, stopped=stopped), allocations=(up,), permit="default", memory=Memory(**memory))


def decided(subject: Observation, now: datetime = NOW) -> Decision:
    return decide(subject, circumstances(), now)


def of_kind(decision: Decision, kind: type[Action]) -> list[Any]:
    return [action for action in decision.actions if isinstance(action, kind)]


def reasons(decision: Decision) -> list[str]:
    return [note.event.reason for note in of_kind(decision, Note)]


def state_in(decision: Decision) -> dict[str, Any]:
    [patch] = of_kind(decision, PatchStatus)
    return dict(patch.body["status"]["containerStatuses"][0])


def test_what_follows_a_start_is_run_once() -> None:
    first = decided(seen(pod(postStart=HOOK)))
    assert first.actions == (RunHook("app", RUN, HookKind.POST_START),)
    assert first.wake_at == NOW
    second = decided(seen(pod(postStart=HOOK), hooks={POST_START: HookState.BEGUN}))
    assert of_kind(second, RunHook) == []


def test_until_it_is_done_the_container_waits_and_shows_that_it_was_started() -> None:
    waits = state_in(decided(seen(pod(postStart=HOOK), hooks={POST_START: HookState.BEGUN})))
    assert (waits["state"], waits["containerID"]) == ({"waiting": {"reason": "ContainerCreating"}}, str(RUN))
    assert (waits["started"], waits["ready"]) == (False, False)
    runs = state_in(decided(seen(pod(postStart=HOOK), hooks={POST_START: HookState.DONE})))
    assert "running" in runs["state"]


def test_a_container_that_is_told_to_run_has_passed_it_whoever_saw_that() -> None:
    found = decided(seen(pod(postStart=HOOK, status=RUNNING)))
    assert of_kind(found, RunHook) == []


def test_a_pod_that_runs_once_tells_that_it_was_started_before_its_permit_goes() -> None:
    found = decided(seen(pod(postStart=HOOK, policy="Never"), hooks={POST_START: HookState.BEGUN}))
    assert state_in(found)["containerID"] == str(RUN)
    assert isinstance(found.actions[0], PatchStatus)


def test_a_start_whose_hook_failed_is_ended() -> None:
    found = decided(seen(pod(postStart=HOOK), hooks={POST_START: HookState.FAILED}))
    assert of_kind(found, Signal) == [Signal(AllocationId("a1"), "app", "SIGTERM")]
    assert [(note.event.reason, note.event.message) for note in of_kind(found, Note)][-1] == (
        "Killing",
        "FailedPostStartHook",
    )
    later = seen(
        pod(postStart=HOOK),
        hooks={POST_START: HookState.FAILED},
        ending={str(RUN): NOW + timedelta(seconds=30)},
        asked=frozenset({str(RUN)}),
    )
    assert of_kind(decided(later), Signal) == []
    assert of_kind(decided(later, NOW + timedelta(seconds=30)), Signal) == [
        Signal(AllocationId("a1"), "app", "SIGKILL")
    ]


def test_its_end_has_a_hook_too() -> None:
    both = pod(postStart=HOOK, preStop=HOOK)
    first = decided(seen(both, hooks={POST_START: HookState.FAILED}))
    assert of_kind(first, RunHook) == [RunHook("app", RUN, HookKind.PRE_STOP, 30.0)]
    assert of_kind(first, Signal) == []
    known: dict[str, Any] = {"ending": {str(RUN): NOW + timedelta(seconds=30)}}
    waits = decided(seen(both, hooks={POST_START: HookState.FAILED, PRE_STOP: HookState.BEGUN}, **known))
    assert of_kind(waits, Signal) == []
    asked = decided(seen(both, hooks={POST_START: HookState.FAILED, PRE_STOP: HookState.DONE}, **known))
    assert of_kind(asked, Signal) == [Signal(AllocationId("a1"), "app", "SIGTERM")]
    assert "Killing" not in reasons(asked)


def test_a_deletion_runs_what_comes_before_it_within_its_grace() -> None:
    found = decided(seen(pod(preStop=HOOK, status=RUNNING, deleted_with=20)))
    assert of_kind(found, RunHook) == [RunHook("app", RUN, HookKind.PRE_STOP, 20.0)]
    assert reasons(found) == ["Killing"]
    assert of_kind(found, Stop) == []
    assert found.wake_at == NOW + timedelta(seconds=20)


@pytest.mark.parametrize(
    ("state", "seconds", "stops"),
    [
        (HookState.BEGUN, 0, False),
        (HookState.BEGUN, 20, True),
        (HookState.DONE, 0, True),
        (HookState.FAILED, 0, True),
        (HookState.LATE, 20, True),
    ],
)
def test_the_pod_is_stopped_when_it_is_over_or_the_grace_is(state: HookState, seconds: int, *, stops: bool) -> None:
    subject = seen(pod(preStop=HOOK, status=RUNNING, deleted_with=20), hooks={PRE_STOP: state})
    found = decided(subject, NOW + timedelta(seconds=seconds))
    assert bool(of_kind(found, Stop)) is stops
    assert "Killing" not in reasons(found)


@pytest.mark.parametrize(("state", "left"), [(HookState.DONE, 1), (HookState.LATE, 3)])
def test_the_hook_takes_of_the_grace_but_two_seconds_are_left(state: HookState, left: int) -> None:
    subject = seen(pod(preStop=HOOK, status=RUNNING, deleted_with=30), stopped=True, hooks={PRE_STOP: state})
    ends = NOW + timedelta(seconds=30 + left)
    assert of_kind(decided(subject, ends - timedelta(milliseconds=1)), Kill) == []
    assert of_kind(decided(subject, ends), Kill) == [Kill(AllocationId("a1"), "app")]


def test_without_a_grace_there_is_no_time_for_it() -> None:
    subject = pod(preStop=HOOK, status=RUNNING, deleted_with=0)
    found = decided(seen(replace(subject, metadata=replace(subject.metadata, deletion_grace_period_seconds=0))))
    assert of_kind(found, RunHook) == []
    assert of_kind(found, Stop) != []


def test_a_pod_at_its_deadline_has_its_grace_for_it() -> None:
    subject = pod(preStop=HOOK, status=RUNNING, deadline=60)
    found = decided(seen(subject))
    assert of_kind(found, RunHook) == [RunHook("app", RUN, HookKind.PRE_STOP, 30.0)]
    ended = decided(seen(subject, hooks={PRE_STOP: HookState.DONE}))
    assert of_kind(ended, Stop) != []
    assert reasons(ended) == ["DeadlineExceeded"]
