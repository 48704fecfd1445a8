"""A Pod whose image was changed runs the new one, where that is as harmless as a kubelet's restart of its container."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.pods.observations import NOW, RUNNING, allocation, circumstances, event, job, observation, started
from tests.unit.pods.observations import pod as plain_pod
from translators.identity import spec_hash
from translators.policy import Policy
from translators.records.allocations import Allocation, AllocationMetric, Evaluation
from translators.records.pods import Pod
from translators.support import decode_pod
from vnode.pods.actions import Decision, Note, PatchStatus, Register, Remember, Reread, Stop
from vnode.pods.decide import Circumstances, decide
from vnode.pods.decide.changes import REASON
from vnode.view.observation import Memory, Observation

OLD, NEW = "example.com/app:1", "example.com/app:2"
_RUNNING: dict[str, Any] = dict(RUNNING)
SHOWN = {**_RUNNING, "containerStatuses": [{**_RUNNING["containerStatuses"][0], "image": OLD}]}
LIVE = allocation("running", events=(started(),))
ENDING = replace(LIVE, desired_status="stop", desired_description="alloc is being updated due to job update")
ENDED = replace(ENDING, client_status="complete")
NEXT = replace(allocation("pending", state="pending"), id="a2", create_index=20)
NO_PLACE = Evaluation(id="e2", status="blocked", failed_tg_allocs={"pod": AllocationMetric(nodes_evaluated=0)})


def made(image: str = NEW, *, status: dict[str, Any] = SHOWN, policy: str = "Always", **spec: Any) -> Pod:
    """A Pod of docker whose spec has a second generation."""
    metadata = {"name": "web-1", "namespace": "shop", "uid": plain_pod().uid, "resourceVersion": "5", "generation": 2}
    container = {"name": "app", "image": image, **spec.pop("container", {})}
    whole = {"restartPolicy": policy, "containers": [container], **spec}
    return decode_pod({"metadata": metadata, "spec": whole, "status": status})


def seen(
    pod: Pod, *allocations: Allocation, submitted: str = OLD, memory: Memory | None = None, **facts: Any
) -> Observation:
    """The Pod with the job that it was submitted with."""
    containers = (replace(pod.spec.containers[0], image=submitted), *pod.spec.containers[1:])
    known = job(replace(pod, spec=replace(pod.spec, containers=containers)))
    facts = {"job": replace(known, job_modify_index=9), "memory": memory or Memory(), **facts}
    return observation(pod, allocations=allocations or (LIVE,), **facts)


def decided(found: Observation, policy: Policy | None = None) -> Decision:
    known = circumstances()
    return decide(found, _of_docker(known, policy or known.policy), NOW)


def _of_docker(known: Circumstances, policy: Policy) -> Circumstances:
    return replace(known, job=replace(known.job, default_driver="docker"), policy=policy)


def registered(decision: Decision) -> list[Register]:
    return [each for each in decision.actions if isinstance(each, Register)]


def told(decision: Decision) -> list[tuple[str, str]]:
    return [(each.event.reason, each.event.message) for each in decision.actions if isinstance(each, Note)]


def test_its_job_is_registered_in_the_place_of_the_one_that_is_known_and_stays_where_it_is() -> None:
    decision = decided(seen(made()))
    (register,) = registered(decision)
    (group,) = register.job.task_groups
    assert register.over == 9
    assert group.tasks[0].config["image"] == NEW
    assert group.ephemeral_disk.sticky
    assert not any(isinstance(each, Stop) for each in decision.actions)
    (remembered, *_) = decision.actions
    assert remembered == Remember({"renewed": frozenset({"a1"}), "renewing": spec_hash(made())})


def test_what_was_registered_so_is_not_registered_again() -> None:
    assert not registered(decided(seen(made(), submitted=NEW)))


def test_a_change_that_was_taken_back_while_its_registration_had_no_answer_is_looked_for() -> None:
    lost = seen(made(OLD), memory=Memory(renewing=spec_hash(made(NEW))))
    assert [type(each) for each in decided(lost).actions] == [Reread, Remember]
    assert not registered(decided(seen(made(NEW), submitted=NEW, memory=lost.memory)))


@pytest.mark.parametrize(
    "allocations",
    [(ENDING, NEXT), (replace(LIVE, client_status="unknown"),), (replace(LIVE, desired_status="stop"),)],
    ids=["it is being renewed", "its client is lost", "Nomad moves it"],
)
def test_one_change_comes_after_the_other_and_none_into_the_dark(allocations: tuple[Allocation, ...]) -> None:
    assert not registered(decided(seen(made(), *allocations)))


def test_while_the_old_container_ends_it_counts_and_its_end_is_told_once_in_a_kubelets_words() -> None:
    found = seen(made(), ENDING, NEXT, submitted=NEW)
    decision = decided(found)
    assert told(decision) == [("Killing", "Container app definition changed, will be restarted")]
    assert not any(
        "containerStatuses" in each.body["status"] for each in decision.actions if isinstance(each, PatchStatus)
    )
    (remembered,) = (each.changes for each in decision.actions if isinstance(each, Remember))
    assert told(decided(replace(found, memory=Memory(**remembered)))) == []


@pytest.mark.parametrize("memory", [Memory(), Memory(announced=frozenset({ENDED.id}))], ids=["after a restart", "told"])  # type: ignore[arg-type]
def test_the_next_run_is_a_restart_and_nobody_elses_change(memory: Memory) -> None:
    """Of what was not remembered the status tells: it shows another image."""
    ended = replace(ENDED, task_states=_over(ENDED))
    decision = decided(seen(made(), ended, replace(LIVE, id="a2", create_index=20), submitted=NEW, memory=memory))
    reasons = [reason for reason, _ in told(decision)]
    assert reasons == ["Started"] if memory.announced else ["Killing", "Started"]
    (patch,) = (each for each in decision.actions if isinstance(each, PatchStatus))
    (status,) = patch.body["status"]["containerStatuses"]
    assert (status["restartCount"], status["image"]) == (1, NEW)
    assert status["lastState"]["terminated"]["exitCode"] == 143


def _over(found: Allocation) -> dict[str, Any]:
    events = (started(), event("Killing"), event("Terminated", exit_code="143"), event("Killed"))
    return {"app": replace(found.task_states["app"], state="dead", events=events)}


def test_where_nomad_finds_no_place_the_old_one_goes_on_and_that_is_told_once() -> None:
    found = seen(made(), submitted=NEW, evaluation=NO_PLACE)
    ((reason, message),) = told(decided(found))
    assert reason == REASON
    assert NEW in message
    assert "No clients were eligible" in message
    remembered = Memory(hindrance="Nomad cannot place the Pod: No clients were eligible for evaluation")
    assert told(decided(replace(found, memory=remembered))) == []


@pytest.mark.parametrize(
    ("pod", "why"),
    [
        (made(policy="OnFailure"), "once more after its end"),
        (made(policy="Never"), "once more after its end"),
        (made(volumes=[{"name": "work", "emptyDir": {}}]), "its volume work anew, empty"),
        (made(volumes=[{"name": "disk", "hostPath": {"path": "/srv"}}]), "where its volume disk is not"),
        (made(volumes=[{"name": "db", "persistentVolumeClaim": {"claimName": "db"}}]), "where its volume db is not"),
        (made(container={"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}}), "without its preStop hook"),
        (made(initContainers=[{"name": "first", "image": OLD}]), "all of its containers"),
    ],
    ids=["OnFailure", "Never", "emptyDir", "hostPath", "claim", "preStop", "init containers"],
)
def test_where_something_would_be_lost_or_run_twice_it_goes_on_and_is_told_why(pod: Pod, why: str) -> None:
    decision = decided(seen(pod))
    assert not registered(decision)
    ((_, message),) = [each for each in told(decision) if each[0] == REASON]
    assert why in message
    assert "delete the Pod" in message


def test_of_what_never_ran_nothing_is_lost() -> None:
    """Most often somebody mends the name of an image that there is not."""
    waiting = {**SHOWN["containerStatuses"][0], "containerID": "", "state": {"waiting": {"reason": "ErrImagePull"}}}
    status = {"phase": "Pending", "containerStatuses": [waiting]}
    pod = made(status=status, volumes=[{"name": "work", "emptyDir": {}}])
    assert registered(decided(seen(pod, allocation("pending", state="pending"))))


def test_data_of_its_own_is_no_hindrance() -> None:
    token = {"name": "token", "projected": {"sources": []}}
    assert registered(decided(seen(made(volumes=[token]))))


def test_an_image_that_may_not_run_leaves_what_runs_alone() -> None:
    pod = made(container={"image": NEW, "securityContext": {"privileged": True}})
    decision = decided(seen(pod))
    assert not registered(decision)
    assert REASON in [reason for reason, _ in told(decision)]
    (changed,) = (each.changes["changed"] for each in decision.actions if isinstance(each, Remember))
    assert not registered(decided(seen(pod, memory=Memory(changed=changed))))
