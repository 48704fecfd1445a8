"""A Pod with a job: its status follows the allocation, and what came to nothing is tried again."""

from datetime import UTC, datetime, timedelta

from translators.allocation_to_status import (
    NODE_LOST,
    EventNote,
    Stage,
    disruption,
    failed_status,
    status_patch,
)
from translators.errors import Finding, Refused, Waiting
from translators.pod_to_job import translate
from translators.pod_to_job.permit import missed_since, would_start
from translators.records.allocations import Allocation, AllocationId
from translators.records.pods import Pod
from translators.tolerations import bears_a_lost_client
from vnode.pods.actions import (
    Action,
    Decision,
    EvictPod,
    Note,
    PatchStatus,
    Permit,
    Purge,
    Remember,
    Reread,
    Stop,
)
from vnode.pods.decide.circumstances import retry_delay
from vnode.pods.decide.data import missing_tokens, submit, told, withdrawal
from vnode.pods.decide.deadline import end_at_its_deadline
from vnode.pods.decide.hooks import run_what_follows_a_start
from vnode.pods.decide.look import Look, Rule
from vnode.pods.decide.missing import read_what_somebody_ended
from vnode.pods.decide.permits import forbid
from vnode.pods.decide.probed import ending
from vnode.pods.decide.publication import publish
from vnode.pods.decide.refusal import refuse
from vnode.pods.decide.renewal import find_what_was_sent, renew
from vnode.pods.decide.submission import was_started
from vnode.pods.decide.turns import let_the_next_begin
from vnode.view.observation import Observation

#: For how long tasks that run are permitted once more after their client's agent was restarted.
_FOUND_AGAIN = timedelta(seconds=15)
_UNSEEN = EventNote(
    "Warning",
    "EndUnseen",
    "The agent of its Nomad client was restarted. Nomad will not notice that its containers end, or one that has "
    "failed before would be started again; delete the Pod when its work is done",
)
_STOPPED = Finding(
    "NomadJobStopped",
    "",
    "Its Nomad job was stopped, and not by Kubernetes; delete the Pod, or let its controller replace it.",
)


def _read_what_somebody_ended(look: Look) -> Decision | None:
    return read_what_somebody_ended(look.observation)


def _fail_what_somebody_stopped(look: Look) -> Decision | None:
    """A Pod that was stopped while it had no place; one that had is told by its allocation."""
    if not (look.job.stopped and (look.job.resolved or look.observation.allocations)):
        return None
    if look.observation.allocations and not (look.observation.is_over and look.outcome.stage is Stage.PLACING):
        return None
    body = status_patch(look.pod, failed_status(look.pod, _STOPPED, look.now))
    return Decision("its job was stopped", () if body is None else (PatchStatus(body),))


def _forbid_further_starts(look: Look) -> Decision | None:
    """Withdraw the permit once everything has started, and where nothing shall.

    The status is written first: from then on it tells that the Pod ran, which until then the permit did.
    """
    observation = look.observation
    if not observation.may_be_permitted or look.pod.spec.restart_policy != "Never":
        # At this path of any other Pod lies a part of its data.
        return None
    over = look.job.stopped or observation.is_over
    if not (over or _everything_has_started(observation, look.pod)):
        return None
    published = publish(look)
    permitted = observation.memory.permitted_again
    if not over and permitted is not None and look.now < permitted + _FOUND_AGAIN:
        return Decision("it goes on", published.actions, permitted + _FOUND_AGAIN)
    return Decision("nothing of it is started again", (*published.actions, *forbid(observation)), look.now)


def _let_the_first_start(look: Look) -> Decision | None:
    """Permit the start of a Pod that runs once, to its first allocation only."""
    observation, job = look.observation, look.job
    if look.pod.spec.restart_policy != "Never" or observation.permit or job.stopped:
        return None
    if len(observation.allocations) != 1 or observation.allocations[0].desired_status != "run":
        return None
    first = observation.allocations[0]
    if first.client_status == "running":
        return _let_go_on(look, first)
    if was_started(look.pod) or look.outcome.stage is not Stage.STARTING or first.client_status != "pending":
        return None
    permit = Permit(job.namespace, job.id, AllocationId(first.id))
    return Decision("it may start", (Remember({"permitted_in": job.namespace}), permit), look.now)


def _let_go_on(look: Look, first: Allocation) -> Decision | None:
    """Permit what runs once more, when the agent of its client was restarted and does not see its end without."""
    job = look.job
    missed = missed_since(first, job.id)
    if missed in {0, look.observation.memory.missed_permit}:
        return None
    if would_start(first):
        return Decision("its end will not be seen", (Remember({"missed_permit": missed}), Note(_UNSEEN)), look.now)
    sent = Remember({"permitted_in": job.namespace, "missed_permit": missed, "permitted_again": look.now})
    return Decision("it goes on", (sent, Permit(job.namespace, job.id, AllocationId(first.id))), look.now)


def _keep_from_being_placed_again(look: Look) -> Decision | None:
    """Stop a job in whose place Nomad starts another allocation, now or with any later evaluation.

    That is what a Pod has come to that was drained or preempted, and of a Pod that runs once also one whose client was
    lost before Nomad knew that it ran. One that is known to have run is left to its client, which may come back.
    """
    observation, job = look.observation, look.job
    if job.stopped or not observation.allocations:
        return None
    once = look.pod.spec.restart_policy == "Never"
    moved = once and (len(observation.allocations) > 1 or observation.allocations[0].desired_status != "run")
    if not moved and look.outcome.stage is not Stage.STOPPED_BY_OTHER:
        return None
    return Decision("it is not placed again", (Stop(job.namespace, job.id),), look.now)


def _evict_from_a_lost_client(look: Look) -> Decision | None:
    """Let the Pod's controller replace it, after the time that the Pod bears the loss of its machine."""
    if look.outcome.stage is not Stage.CLIENT_LOST or look.observation.memory.evicted:
        return None
    patience = bears_a_lost_client(look.pod)
    if patience is None:
        return None
    allocations = look.observation.allocations
    current = allocations[0] if look.pod.spec.restart_policy == "Never" else allocations[-1]
    due = datetime.fromtimestamp(current.modify_time / 1e9, UTC) + patience
    if look.now < due:
        published = publish(look)
        return Decision(published.why, published.actions, min(due, published.wake_at or due))
    client = current.node_name or current.node_id
    message = f"Nomad has lost its client {client} for longer than the Pod tolerates ({patience.total_seconds():.0f} s)"
    desired = look.status
    body = status_patch(look.pod, disruption(look.pod, desired, NODE_LOST, message, look.now))
    told: tuple[Action, ...] = () if body is None else (PatchStatus(body),)
    event = Note(EventNote("Warning", "NodeLost", f"{message}; it is deleted", ""))
    return Decision("its client is lost for too long", (*told, EvictPod(), Remember({"evicted": True}), event))


def _ask_for_a_missing_allocation(look: Look) -> Decision | None:
    """A Pod that ran has an allocation; where a list lacks it, the status that is published stays."""
    if look.observation.allocations or look.observation.confirmed or not was_started(look.pod):
        return None
    return Decision("its allocation is in no list", (Reread(look.job.namespace, look.job.id),))


def _fail_what_can_never_start(look: Look) -> Decision | None:
    """Refuse a Pod that Nomad showed to be impossible, and leave nothing of it there.

    Its job is stopped for that by us: what it was refused for is remembered, or its end would seem somebody else's.
    """
    seen, observation, job = look.outcome, look.observation, look.job
    finding = observation.memory.refusal
    if finding is None:
        if seen.stage is not Stage.NEVER_STARTED or not seen.permanent:
            return None
        finding = Finding(seen.reason, "", seen.message)
    refused = refuse(observation, look.pod, finding, look.circumstances, look.now)
    remembered = Remember({"refusal": finding})
    if not observation.is_over and job.stopped:
        return Decision(refused.why, (remembered, *refused.actions), refused.wake_at)
    end = Purge(job.namespace, job.id) if observation.is_over else Stop(job.namespace, job.id)
    return Decision(refused.why, (remembered, *refused.actions, end), refused.wake_at)


def _try_again(look: Look) -> Decision | None:
    """Register the job anew after a back-off; the old one is purged, for a stopped job is never un-stopped."""
    seen, observation = look.outcome, look.observation
    if seen.stage not in {Stage.NEVER_STARTED, Stage.DEAD}:
        return None
    # By the clock of a Nomad server, which may be ahead of ours.
    ended_at = datetime.fromtimestamp(observation.allocations[-1].modify_time / 1e9, UTC)
    seen_at = observation.memory.ended_at
    due = min(ended_at, seen_at or look.now) + retry_delay(observation.memory.attempts)
    if look.now < due:
        noted = () if seen_at is not None else (Remember({"ended_at": look.now}),)
        return Decision(f"{seen.stage}, waits to be tried again", (*noted, *publish(look).actions), due)
    try:
        translation = translate(look.pod, look.circumstances.job, look.circumstances.policy, observation.material)
    except Refused as refused:
        return refuse(observation, look.pod, refused.finding, look.circumstances, look.now)
    except Waiting as waiting:
        missing = () if waiting.hindrance.message else missing_tokens(observation)
        return Decision(f"{seen.stage}, waits for its data", (*missing, *told(observation, waiting.hindrance)))
    purge = Purge(look.job.namespace, look.job.id)
    counted = Remember({"attempts": observation.memory.attempts + 1, "positions": {}, "ended_at": None})
    anew = submit(observation, look.pod, translation)
    return Decision(f"{seen.stage}, is tried again", (*withdrawal(observation), purge, counted, *anew))


def _end_what_fails_its_probes(look: Look) -> Decision | None:
    found = None if look.job.stopped else ending(look)
    if found is None:
        return None
    published = publish(look)
    wake_at = min(filter(None, (published.wake_at, found.wake_at)), default=None)
    return Decision("a container fails its probes or a hook", (*published.actions, *found.actions), wake_at)


def _everything_has_started(observation: Observation, pod: Pod) -> bool:
    tasks = observation.allocations[-1].task_states if observation.allocations else {}
    return len(tasks) >= len(pod.spec.every_container) and all(state.was_started for state in tasks.values())


RULES = (
    Rule("end at its deadline", end_at_its_deadline),
    Rule("read what somebody ended", _read_what_somebody_ended),
    Rule("fail what somebody stopped", _fail_what_somebody_stopped),
    Rule("ask for an allocation that is missing", _ask_for_a_missing_allocation),
    Rule("forbid further starts", _forbid_further_starts),
    Rule("let the first start", _let_the_first_start),
    Rule("let the next init container begin", let_the_next_begin),
    Rule("keep from being placed again", _keep_from_being_placed_again),
    Rule("fail what can never start", _fail_what_can_never_start),
    Rule("try again", _try_again),
    Rule("evict from a lost client", _evict_from_a_lost_client),
    Rule("run what follows a start", run_what_follows_a_start),
    Rule("end what fails its probes", _end_what_fails_its_probes),
    Rule("find a change whose registration had no answer", find_what_was_sent),
    Rule("renew what was changed", renew),
    Rule("publish", publish),
)
