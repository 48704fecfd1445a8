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
    event,
    job,
    observation,
    started,
    stop_evaluation,
    terminated,
)
from translators.records.pods import Pod
from translators.support import decode_pod
from vnode.pods.actions import Action, Decision, Note, PatchStatus, Register, Stop
from vnode.pods.decide import decide
from vnode.view.observation import Observation

#: RUNNING began a minute before NOW.
OVER, IN_TIME = 60, 90
MESSAGE = "Pod was active on the node longer than the specified deadline"


def pod(deadline: int | None, *, policy: str = "Always", status: dict[str, Any] | None = None) -> Pod:
    spec = {
        "nodeName": "nomad",
        "restartPolicy": policy,
        "activeDeadlineSeconds": deadline,
        "containers": [{"name": "app", "image": "nomad.local/binary", "command": ["/bin/true"]}],
    }
    metadata = {"name": "web-1", "namespace": "shop", "uid": UID, "resourceVersion": "5", "generation": 1}
    return decode_pod({"metadata": metadata, "spec": spec, "status": status or RUNNING})


def running(of: Pod) -> Observation:
    return observation(of, job=job(of), allocations=(allocation("running", events=(started(),)),))


def stopped(of: Pod, *, code: int = 143) -> Observation:
    ended = allocation("complete", state="dead", events=(started(), event("Killing"), terminated(code)), desired="stop")
    return observation(of, job=job(of, stopped=True, resolved=True), allocations=(ended,), evaluation=stop_evaluation())


def decided(subject: Observation) -> Decision:
    return decide(subject, circumstances(), NOW)


def kinds(decision: Decision) -> list[type[Action]]:
    return [type(action) for action in decision.actions]


def test_it_is_stopped_and_told() -> None:
    found = decided(running(pod(OVER)))
    assert kinds(found) == [Stop, Note, Note]
    notes = [action.event for action in found.actions if isinstance(action, Note)]
    assert [(note.type, note.reason, note.message) for note in notes] == [
        ("Normal", "DeadlineExceeded", MESSAGE),
        ("Normal", "Killing", "Stopping container app"),
    ]


def test_until_then_it_is_looked_at_in_time() -> None:
    found = decided(running(pod(IN_TIME)))
    assert Stop not in kinds(found)
    assert found.wake_at == NOW + timedelta(seconds=IN_TIME - OVER)


def test_without_a_deadline_nobody_looks() -> None:
    assert decided(running(pod(None))).wake_at is None


@pytest.mark.parametrize("desired", ["run", "stop"])
def test_the_reason_is_told_with_the_end_though_the_containers_ended_before_their_allocation(desired: str) -> None:
    of = pod(OVER, policy="Never")
    ended = allocation("running", state="dead", events=(started(), event("Killing"), terminated(7)), desired=desired)
    found = decided(observation(of, job=job(of, stopped=True), allocations=(ended,)))
    bodies = [action.body["status"] for action in found.actions if isinstance(action, PatchStatus)]
    assert all(body.get("phase") not in {"Succeeded", "Failed"} for body in bodies)


def test_while_it_ends_it_is_not_called_failed() -> None:
    of = pod(OVER)
    subject = replace(running(of), job=job(of, stopped=True))
    assert all(
        action.body["status"].get("phase") is None
        for action in decided(subject).actions
        if isinstance(action, PatchStatus)
    )


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
@pytest.mark.parametrize("code", [0, 143])
def test_when_it_has_ended_it_has_failed(policy: str, code: int) -> None:
    found = decided(stopped(pod(OVER, policy=policy), code=code))
    [body] = [action.body["status"] for action in found.actions if isinstance(action, PatchStatus)]
    assert (body["phase"], body["reason"], body["message"]) == ("Failed", "DeadlineExceeded", MESSAGE)
    [status] = body["containerStatuses"]
    assert status["state"]["terminated"]["exitCode"] == code


def test_what_ended_by_itself_ended_in_time() -> None:
    of = pod(OVER, policy="Never")
    ended = allocation("complete", state="dead", events=(started(), terminated(0)))
    found = decided(observation(of, job=job(of), allocations=(ended,)))
    [body] = [action.body["status"] for action in found.actions if isinstance(action, PatchStatus)]
    assert body["phase"] == "Succeeded"
    assert Stop not in kinds(found)


def test_a_pod_that_never_got_a_job_fails_too() -> None:
    waiting = {"phase": "Pending", "startTime": RUNNING["startTime"]}
    found = decided(observation(pod(OVER, status=waiting), confirmed=True))
    assert Register not in kinds(found)
    [body] = [action.body["status"] for action in found.actions if isinstance(action, PatchStatus)]
    assert (body["phase"], body["reason"]) == ("Failed", "DeadlineExceeded")
