from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.pods.observations import NOW, RUNNING, circumstances, observation, pod
from translators.errors import Finding
from translators.records.jobs import JobId
from vnode.pods.actions import Note, PatchStatus, Register, Remember, Reread
from vnode.pods.decide import decide
from vnode.view.observation import Memory, OwnerHistory

REFUSED = {"nomad.hashinetes.io/driver": "qemu"}


def test_a_new_pod_is_registered_and_nothing_else_happens() -> None:
    decision = decide(observation(pod()), circumstances(), NOW)
    sent, action = decision.actions
    assert sent == Remember({"submitted_to": "default"})
    assert isinstance(action, Register)
    assert action.job.id == "vk-0000-1"


def test_a_pod_waits_for_the_first_client() -> None:
    assert decide(observation(pod()), circumstances(placeable=False), NOW).actions == ()


def test_a_pod_waits_for_its_predecessor_and_says_so_once() -> None:
    waiting = observation(pod(), predecessor=JobId("vk-old"))
    first = decide(waiting, circumstances(), NOW)
    assert [type(action) for action in first.actions] == [Note, Remember]
    again = replace(waiting, memory=Memory(warned=True))
    assert decide(again, circumstances(), NOW).actions == ()


def test_a_pod_that_runs_once_is_failed_when_its_job_is_gone_and_the_run_must_have_ended() -> None:
    gone = observation(pod(policy="Never", status=RUNNING, grace=20), confirmed=True)
    found = decide(gone, circumstances(), NOW)
    assert [type(action) for action in found.actions] == [Note, Remember]
    assert found.wake_at == NOW + timedelta(seconds=20)
    known = replace(gone, memory=Memory(missing_at=NOW))
    decision = decide(known, circumstances(), NOW + timedelta(seconds=20))
    action, note = decision.actions
    assert isinstance(action, PatchStatus)
    assert isinstance(note, Note)
    assert (action.body["status"]["phase"], note.event.reason) == ("Failed", "NomadJobMissing")
    state = action.body["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (state["reason"], state["exitCode"]) == ("ContainerStatusUnknown", 137)


def test_a_pod_that_runs_once_is_not_failed_because_a_list_lacks_its_job() -> None:
    decision = decide(observation(pod(policy="Never", status=RUNNING)), circumstances(), NOW)
    assert decision.actions == (Reread("default", JobId("vk-0000-1")),)


@pytest.mark.parametrize("policy", ["Always", "OnFailure"])
def test_other_pods_whose_job_is_gone_are_registered_anew_when_the_first_run_must_have_ended(policy: str) -> None:
    """Nomad forgets the tasks of a job that is removed; they run on for their grace."""
    gone = observation(pod(policy=policy, status=RUNNING, grace=20), confirmed=True)
    found = decide(gone, circumstances(), NOW)
    assert [type(action) for action in found.actions] == [Note, Remember]
    assert found.wake_at == NOW + timedelta(seconds=20)
    known = replace(gone, memory=Memory(missing_at=NOW))
    waiting = decide(known, circumstances(), NOW + timedelta(seconds=19))
    assert (waiting.actions, waiting.wake_at) == ((), NOW + timedelta(seconds=20))
    again = decide(known, circumstances(), NOW + timedelta(seconds=20))
    assert [type(action) for action in again.actions] == [Remember, Register, Remember]
    assert again.actions[2] == Remember({"missing_at": None, "stranded_since": None})


@pytest.mark.parametrize("owner", ["", "Job"])
def test_a_refused_pod_fails_at_once_with_one_event_that_names_the_field(owner: str) -> None:
    decision = decide(observation(pod(annotations=REFUSED, owner=owner)), circumstances(), NOW)
    patch, note = decision.actions
    assert isinstance(patch, PatchStatus)
    assert isinstance(note, Note)
    assert patch.body["status"]["phase"] == "Failed"
    assert patch.failed_for == note.event.reason
    assert "nomad.hashinetes.io/driver" in note.event.message


@pytest.mark.parametrize("owner", ["ReplicaSet", "StatefulSet"])
def test_a_refused_pod_that_would_be_replaced_at_once_waits_first(owner: str) -> None:
    decision = decide(observation(pod(annotations=REFUSED, owner=owner)), circumstances(), NOW)
    patch, _ = decision.actions
    assert isinstance(patch, PatchStatus)
    assert patch.body["status"].get("phase", "Pending") == "Pending"
    assert decision.wake_at == NOW + timedelta(seconds=10)


def test_each_failure_of_an_owner_makes_the_next_wait_longer() -> None:
    refused = observation(
        pod(annotations=REFUSED, owner="ReplicaSet"), owner_history=OwnerHistory(failures=3, last=NOW)
    )
    assert decide(refused, circumstances(), NOW).wake_at == NOW + timedelta(seconds=80)


def test_a_refused_pod_fails_when_the_wait_is_over() -> None:
    refused = observation(pod(annotations=REFUSED, owner="ReplicaSet"))
    waited = decide(refused, circumstances(), NOW + timedelta(seconds=11))
    assert waited.wake_at is not None
    waiting = pod(annotations=REFUSED, owner="ReplicaSet", status={"phase": "Pending", "startTime": NOW.isoformat()})
    failed = decide(observation(waiting), circumstances(), NOW + timedelta(seconds=11))
    patch = failed.actions[0]
    assert isinstance(patch, PatchStatus)
    assert patch.body["status"]["phase"] == "Failed"


def test_a_refused_pod_of_a_daemonset_stays_pending() -> None:
    decision = decide(observation(pod(annotations=REFUSED, owner="DaemonSet")), circumstances(), NOW)
    patch, note = decision.actions
    assert isinstance(patch, PatchStatus)
    assert patch.body["status"].get("phase", "Pending") == "Pending"
    assert isinstance(note, Note)
    assert decision.wake_at is None


def test_what_nomad_itself_rejects_is_refused_in_the_same_way() -> None:
    rejected = Memory(refusal=Finding("NomadRejected", "", "Nomad refuses the job: no"))
    decision = decide(observation(pod(), memory=rejected), circumstances(), NOW)
    patch = decision.actions[0]
    assert isinstance(patch, PatchStatus)
    assert patch.body["status"]["reason"] == "NomadRejected"


def test_a_warning_is_told_with_the_submission() -> None:
    misspelt = pod(annotations={"nomad.hashinetes.io/drivr": "raw_exec"})
    note, _, register = decide(observation(misspelt), circumstances(), NOW).actions
    assert isinstance(note, Note)
    assert "did you mean 'driver'" in note.event.message
    assert isinstance(register, Register)


def test_one_that_was_permitted_to_run_once_is_not_registered_again() -> None:
    """Its status may not tell yet that it ran; the permit does."""
    permitted = observation(pod(policy="Never"), permit="default", confirmed=True)
    decision = decide(permitted, circumstances(), NOW)
    patch, note = decision.actions
    assert isinstance(patch, PatchStatus)
    assert isinstance(note, Note)
    assert (patch.body["status"]["phase"], note.event.reason) == ("Failed", "NomadJobMissing")
    assert decision.wake_at == NOW
    unsure = decide(replace(permitted, confirmed=False), circumstances(), NOW)
    assert [type(action) for action in unsure.actions] == [Reread]
