"""A Pod without a job: it is admitted, refused, or has lost its job."""

from datetime import datetime

from translators.allocation_to_status import EventNote, final_status, status_patch
from translators.errors import Finding, Refused
from translators.pod_to_job import translate
from translators.records.pods import Pod
from vnode.pods.actions import Action, Decision, Note, PatchStatus, Register, Remember
from vnode.pods.decide.circumstances import Circumstances, facts
from vnode.pods.decide.refusal import refuse
from vnode.view.observation import Observation


def decide_submission(observation: Observation, pod: Pod, circumstances: Circumstances, now: datetime) -> Decision:
    """Register the Pod's job, unless it is refused, waits for a Pod of the same name, or may have run already."""
    if observation.memory.refusal is not None:
        return refuse(observation, pod, observation.memory.refusal, circumstances, now)
    if pod.spec.restart_policy == "Never" and was_started(pod):
        body = status_patch(pod, final_status(pod, facts(observation, pod, circumstances), now))
        return Decision("the job of a Pod that runs once is gone", () if body is None else (PatchStatus(body),))
    if observation.predecessor is not None:
        return _wait_for(observation)
    if not circumstances.placeable:
        return Decision("waits for a first Nomad client")
    try:
        translation = translate(pod, circumstances.job, circumstances.policy)
    except Refused as refused:
        return refuse(observation, pod, refused.finding, circumstances, now)
    return Decision("not submitted yet", (*_warnings(observation, translation.warnings), Register(translation.job)))


def was_started(pod: Pod) -> bool:
    """Whether the API's status shows that a container of this Pod ever ran."""
    return any(container.container_id for container in pod.status.container_statuses)


def _wait_for(observation: Observation) -> Decision:
    message = (
        f"An earlier Pod of this name may still run as Nomad job {observation.predecessor}; this one starts at its end."
    )
    event = EventNote("Normal", "WaitingForPredecessor", message, "")
    actions: tuple[Action, ...] = () if observation.memory.warned else (Note(event), Remember({"warned": True}))
    return Decision("waits for its predecessor", actions)


def _warnings(observation: Observation, findings: tuple[Finding, ...]) -> tuple[Action, ...]:
    if observation.memory.attempts:
        return ()
    return tuple(Note(EventNote("Warning", finding.reason, str(finding), "")) for finding in findings)
