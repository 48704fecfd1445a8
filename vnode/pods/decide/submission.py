"""A Pod without a job: it is admitted, refused, or has lost its job."""

from translators.allocation_to_status import EventNote, final_status, status_patch
from translators.errors import Finding, Refused
from translators.pod_to_job import translate
from translators.records.pods import Pod
from vnode.pods.actions import Action, Decision, Note, PatchStatus, Register, Remember
from vnode.pods.decide.circumstances import facts
from vnode.pods.decide.look import Look, Rule
from vnode.pods.decide.refusal import refuse
from vnode.view.observation import Observation


def was_started(pod: Pod) -> bool:
    """Whether the API's status shows that a container of this Pod ever ran."""
    return any(container.container_id for container in pod.status.container_statuses)


def _refuse_again(look: Look) -> Decision | None:
    refusal = look.observation.memory.refusal
    return None if refusal is None else refuse(look.observation, look.pod, refusal, look.circumstances, look.now)


def _never_again(look: Look) -> Decision | None:
    pod = look.pod
    if pod.spec.restart_policy != "Never" or not was_started(pod):
        return None
    body = status_patch(pod, final_status(pod, facts(look.observation, pod, look.circumstances), look.now))
    return Decision("the job of a Pod that runs once is gone", () if body is None else (PatchStatus(body),))


def _wait_for_predecessor(look: Look) -> Decision | None:
    predecessor = look.observation.predecessor
    if predecessor is None:
        return None
    message = f"An earlier Pod of this name may still run as Nomad job {predecessor}; this one starts at its end."
    event = EventNote("Normal", "WaitingForPredecessor", message, "")
    actions: tuple[Action, ...] = () if look.observation.memory.warned else (Note(event), Remember({"warned": True}))
    return Decision("waits for its predecessor", actions)


def _wait_for_clients(look: Look) -> Decision | None:
    return None if look.circumstances.placeable else Decision("waits for a first Nomad client")


def _register(look: Look) -> Decision:
    try:
        translation = translate(look.pod, look.circumstances.job, look.circumstances.policy)
    except Refused as refused:
        return refuse(look.observation, look.pod, refused.finding, look.circumstances, look.now)
    warnings = _warnings(look.observation, translation.warnings)
    return Decision("not submitted yet", (*warnings, Register(translation.job)))


def _warnings(observation: Observation, findings: tuple[Finding, ...]) -> tuple[Action, ...]:
    if observation.memory.attempts:
        return ()
    return tuple(Note(EventNote("Warning", finding.reason, str(finding), "")) for finding in findings)


RULES = (
    Rule("refuse again", _refuse_again),
    Rule("never run twice", _never_again),
    Rule("wait for the predecessor", _wait_for_predecessor),
    Rule("wait for a client", _wait_for_clients),
    Rule("register", _register),
)
