"""Nomad's servers lost their data: what runs is at clients that they do not know, and nobody ends it there."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.unit.pods.observations import NOW, RUNNING, circumstances, observation, pod
from vnode.pods.actions import Decision, DeletePod, EvictPod, Note, PatchStatus, Register, Remember
from vnode.pods.decide import decide
from vnode.view.observation import Memory, Observation

_CONDITIONS = [
    {"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T11:59:01Z"}
    for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
]
_HEALTHY = {**RUNNING, "conditions": _CONDITIONS}


def _stranded(policy: str, status: dict[str, Any] | None = None, **facts: Any) -> Observation:
    memory = facts.pop("memory", Memory())
    found = pod(policy=policy, status=status or _HEALTHY, grace=20, **facts)
    return observation(found, confirmed=True, stranded_at="edge-0", memory=memory)


def _told() -> dict[str, Any]:
    """The status as it is once it was said that the client is forgotten."""
    patch = _only(decide(_stranded("Always"), circumstances(), NOW), PatchStatus)
    others = [each for each in _CONDITIONS if each["type"] not in {"Ready", "ContainersReady"}]
    return {**_HEALTHY, **patch.body["status"], "conditions": [*others, *patch.body["status"]["conditions"]]}


def _only(decision: Decision, kind: type) -> Any:
    [found] = [action for action in decision.actions if isinstance(action, kind)]
    return found


@pytest.mark.parametrize("policy", ["Never", "OnFailure", "Always"])
def test_one_whose_client_is_forgotten_too_is_neither_failed_nor_started_elsewhere(policy: str) -> None:
    decision = decide(_stranded(policy), circumstances(), NOW)
    body = _only(decision, PatchStatus).body["status"]
    assert "phase" not in body
    ready = next(each for each in body["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "NodeLost")
    assert "edge-0" in _only(decision, Note).event.message
    assert [each["ready"] for each in body["containerStatuses"]] == [False]
    assert all("running" in each["state"] for each in body["containerStatuses"])
    assert decision.wake_at == NOW + timedelta(seconds=300)


def test_what_was_said_is_not_said_again() -> None:
    again = decide(_stranded("Always", _told(), memory=Memory(stranded_since=NOW)), circumstances(), _after(200))
    assert (again.actions, again.wake_at) == ((), _after(300))


def test_its_controller_replaces_it_after_the_time_that_it_bears_the_loss() -> None:
    decision = decide(_stranded("Always", _told(), memory=Memory(stranded_since=NOW)), circumstances(), _after(301))
    assert [type(action) for action in decision.actions] == [PatchStatus, EvictPod, Remember, Note]
    asked = Memory(stranded_since=NOW, evicted=True)
    assert decide(_stranded("Always", _told(), memory=asked), circumstances(), _after(302)).actions == ()


def test_one_that_is_deleted_does_not_leave_while_it_may_run() -> None:
    memory = Memory(stranded_since=NOW)
    leaving = decide(_stranded("Always", _told(), deleted_with_grace=20, memory=memory), circumstances(), _after(9000))
    assert (leaving.actions, leaving.wake_at) == ((), None)


def test_the_grace_period_begins_when_its_client_is_known_again() -> None:
    """A client ends what it is not told of."""
    known = replace(_stranded("Always", _told(), memory=Memory(stranded_since=NOW)), stranded_at="")
    found = decide(known, circumstances(), _after(90))
    assert [type(action) for action in found.actions] == [Note, Remember]
    assert found.wake_at == _after(90 + 20 + 60)
    over = replace(known, memory=Memory(stranded_since=NOW, missing_at=_after(90)))
    assert any(isinstance(action, Register) for action in decide(over, circumstances(), _after(170)).actions)
    once = _stranded("Never", _told(), memory=Memory(stranded_since=NOW, missing_at=_after(90)))
    failed = decide(replace(once, stranded_at=""), circumstances(), _after(170))
    assert _only(failed, PatchStatus).body["status"]["phase"] == "Failed"
    deleted = _stranded("Always", _told(), deleted_with_grace=20, memory=over.memory)
    assert _only(decide(replace(deleted, stranded_at=""), circumstances(), _after(170)), DeletePod) == DeletePod()


@pytest.mark.parametrize("policy", ["Never", "OnFailure", "Always"])
def test_one_whose_start_nobody_was_told_of_is_not_started_elsewhere_either(policy: str) -> None:
    unseen = _stranded(policy, {"phase": "Pending"})
    decision = decide(unseen, circumstances(), NOW)
    ready = next(each for each in _only(decision, PatchStatus).body["status"]["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "NodeLost")
    memory = Memory(stranded_since=NOW, missing_at=_after(90))
    waits = decide(replace(unseen, stranded_at="", memory=memory), circumstances(), _after(169))
    assert (waits.actions, waits.wake_at) == ((), _after(170))
    assert _only(decide(replace(unseen, stranded_at="", memory=memory), circumstances(), _after(170)), Register)


def test_one_whose_start_nobody_was_told_of_does_not_leave_while_it_may_run() -> None:
    leaving = _stranded("Always", {"phase": "Pending"}, deleted_with_grace=20, memory=Memory(stranded_since=NOW))
    assert DeletePod() not in decide(leaving, circumstances(), _after(9000)).actions


@pytest.mark.parametrize("stranded", ["edge-0", ""])
def test_one_whose_end_was_told_waits_for_no_client(stranded: str) -> None:
    memory = Memory(stranded_since=NOW)
    ended = _stranded("Never", {"phase": "Succeeded"}, deleted_with_grace=20, memory=memory)
    assert DeletePod() in decide(replace(ended, stranded_at=stranded), circumstances(), NOW).actions


def test_of_one_that_was_permitted_to_run_once_nobody_knows_how_it_ended() -> None:
    memory = Memory(permitted_in="default")
    found = observation(pod(policy="Never", status={"phase": "Pending"}), confirmed=True, memory=memory)
    status = _only(decide(found, circumstances(), NOW), PatchStatus).body["status"]
    assert status["phase"] == "Failed"
    [ended] = [each["state"]["terminated"] for each in status["containerStatuses"]]
    assert (ended["reason"], ended["exitCode"]) == ("ContainerStatusUnknown", 137)


def _after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)
