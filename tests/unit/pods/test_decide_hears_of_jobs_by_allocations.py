"""The answer to a registration was lost, and an allocation shows that it had an effect."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.pods.observations import NOW, UID, allocation, circumstances, observation, pod, started
from translators.identity import job_id
from translators.records.pods import Pod
from vnode.pods.actions import DeletePod, Note, Register, Remember, Reread
from vnode.pods.decide import decide
from vnode.view.observation import Memory

_LIVE = allocation("running", events=(started(),))
_REREAD = Reread("default", job_id(UID))


@pytest.mark.parametrize(
    "found",
    [pod(), pod(deleted_with_grace=30), pod(status={"phase": "Failed"})],
    ids=["is new", "is being deleted", "has ended"],
)
@pytest.mark.parametrize("confirmed", [False, True])
def test_its_job_is_read_before_anything_is_done(found: Pod, *, confirmed: bool) -> None:
    heard = observation(found, allocations=(_LIVE,), confirmed=confirmed)
    assert decide(heard, circumstances(), NOW).actions == (_REREAD,)


def test_one_that_has_ended_tells_of_no_job() -> None:
    ended = observation(pod(), allocations=(allocation("failed", failed=True),))
    assert any(isinstance(action, Register) for action in decide(ended, circumstances(), NOW).actions)


@pytest.mark.parametrize("policy", ["Always", "Never"])
def test_what_was_left_behind_is_given_its_grace_though_nobody_was_told_of_its_start(policy: str) -> None:
    gone = observation(pod(policy=policy, grace=20), confirmed=True, left_behind=True)
    found = decide(gone, circumstances(), NOW)
    assert [type(action) for action in found.actions] == [Note, Remember]
    assert found.wake_at == NOW + timedelta(seconds=20)
    again = decide(replace(gone, memory=Memory(missing_at=NOW)), circumstances(), NOW + timedelta(seconds=20))
    assert any(isinstance(action, Register) for action in again.actions)


def test_a_pod_does_not_leave_before_what_was_left_behind_has_ended() -> None:
    gone = observation(pod(deleted_with_grace=20, grace=20), confirmed=True, left_behind=True)
    assert DeletePod() not in decide(gone, circumstances(), NOW).actions
    over = replace(gone, memory=Memory(missing_at=NOW))
    assert DeletePod() in decide(over, circumstances(), NOW + timedelta(seconds=20)).actions
