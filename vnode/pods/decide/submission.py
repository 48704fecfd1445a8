"""A Pod without a job: it is admitted, refused, or has lost its job."""

from translators.allocation_to_status import EventNote, final_status, pod_events, pod_status, status_patch
from translators.errors import Finding, Hindrance, Refused, Waiting
from translators.identity import job_id
from translators.pod_to_job import translate
from translators.records.pods import Pod
from vnode.pods.actions import Action, Decision, Note, PatchStatus, Remember, Reread
from vnode.pods.decide.circumstances import facts
from vnode.pods.decide.data import missing_tokens, submit, told
from vnode.pods.decide.deadline import end_at_its_deadline
from vnode.pods.decide.look import Look, Rule
from vnode.pods.decide.missing import MISSING, REMOVED, wait_for_what_may_run_on
from vnode.pods.decide.refusal import refuse
from vnode.view.observation import Observation


def was_started(pod: Pod) -> bool:
    """Whether the API's status shows that a container of this Pod ever ran."""
    statuses = (*pod.status.container_statuses, *pod.status.init_container_statuses)
    return any(container.container_id for container in statuses)


def _refuse_again(look: Look) -> Decision | None:
    refusal = look.observation.memory.refusal
    return None if refusal is None else refuse(look.observation, look.pod, refusal, look.circumstances, look.now)


def _ask_before_it_is_lost(look: Look) -> Decision | None:
    """What ran and is not to be found would be failed, or started anew; but a list may lack its job.

    Its registration is not sent again in blind faith either where an allocation shows that it had an effect.
    """
    if not look.observation.tells_of_a_job and (look.observation.confirmed or not _may_have_run(look)):
        return None
    return Decision("its job is in no list", (Reread(look.circumstances.job.nomad_namespace, job_id(look.pod.uid)),))


def _never_again(look: Look) -> Decision | None:
    pod = look.pod
    if pod.spec.restart_policy != "Never" or not _may_have_run(look):
        return None
    body = status_patch(pod, final_status(pod, look.facts, look.now))
    if body is None:
        return Decision("the job of a Pod that runs once is gone")
    gone = Note(EventNote("Warning", MISSING, f"{REMOVED}; a Pod that runs once is not started again", ""))
    again = look.now if look.observation.may_be_permitted else None
    return Decision("the job of a Pod that runs once is gone", (PatchStatus(body), gone), again)


def _may_have_run(look: Look) -> bool:
    """Whether its status shows that it ran; until it does, the permit tells that it may have."""
    once = look.pod.spec.restart_policy == "Never"
    return was_started(look.pod) or (once and look.observation.may_be_permitted != "")


def _wait_for_what_may_run_on(look: Look) -> Decision | None:
    once = look.pod.spec.restart_policy == "Never"
    return wait_for_what_may_run_on(look, "it is called Failed" if once else "it is registered anew")


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
        translation = translate(look.pod, look.circumstances.job, look.circumstances.policy, look.observation.material)
    except Refused as refused:
        return refuse(look.observation, look.pod, refused.finding, look.circumstances, look.now)
    except Waiting as waiting:
        return _await_data(look, waiting.hindrance)
    warnings = _warnings(look.observation, translation.warnings)
    found = (
        () if look.observation.memory.missing_at is None else (Remember({"missing_at": None, "stranded_since": None}),)
    )
    submitted = submit(look.observation, look.pod, translation)
    return Decision("not submitted yet", (*warnings, *submitted, *found))


def _await_data(look: Look, hindrance: Hindrance) -> Decision:
    """Say what the Pod waits for, in its status and in an Event, as a kubelet does; its appearance wakes it."""
    observation, pod = look.observation, look.pod
    if not hindrance.message:
        return Decision("waits for its data to be known", missing_tokens(observation))
    desired = pod_status(pod, facts(observation, pod, look.circumstances, hindrance=hindrance), look.now)
    body = status_patch(pod, desired)
    status: tuple[Action, ...] = () if body is None else (PatchStatus(body), *map(Note, pod_events(pod, desired)))
    return Decision("waits for an object", (*status, *told(observation, hindrance)))


def _warnings(observation: Observation, findings: tuple[Finding, ...]) -> tuple[Action, ...]:
    if observation.memory.attempts:
        return ()
    return tuple(Note(EventNote("Warning", finding.reason, str(finding), "")) for finding in findings)


RULES = (
    Rule("ask before a job is taken for lost", _ask_before_it_is_lost),
    Rule("wait for what may run on", _wait_for_what_may_run_on),
    Rule("fail at its deadline", end_at_its_deadline),
    Rule("refuse again", _refuse_again),
    Rule("never run twice", _never_again),
    Rule("wait for the predecessor", _wait_for_predecessor),
    Rule("wait for a client", _wait_for_clients),
    Rule("register", _register),
)
