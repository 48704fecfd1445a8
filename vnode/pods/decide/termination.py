"""A Pod that is being deleted: its tasks end, then its status is final, then the object leaves the API.

The order is that of the kubelet (pkg/kubelet/kubelet.go SyncTerminatingPod, status_manager.go canBeDeleted):
an object never leaves before its tasks have ended, and never waits longer than that.
"""

from datetime import datetime, timedelta

from translators.allocation_to_status import final_status, status_patch
from translators.identity import job_id
from translators.records.allocations import AllocationId
from vnode.pods.actions import Action, Decision, DeletePod, Kill, Note, PatchStatus, Reread, Stop
from vnode.pods.decide.data import withdrawal
from vnode.pods.decide.hooks import AT_LEAST, are_late, run_before_the_end, were_told
from vnode.pods.decide.killing import killing_events
from vnode.pods.decide.look import Look, Rule
from vnode.pods.decide.missing import read_what_somebody_ended, wait_for_what_may_run_on
from vnode.pods.decide.permits import forbid
from vnode.view.observation import Observation

_TRUNCATED = timedelta(seconds=1)


def kill_all(observation: Observation) -> tuple[Action, ...]:
    """SIGKILL for every task that still lives and was not sent one."""
    return tuple(
        Kill(AllocationId(allocation.id), task)
        for allocation in observation.allocations
        if not allocation.is_terminal
        for task, state in allocation.task_states.items()
        if state.state == "running" and (AllocationId(allocation.id), task) not in observation.memory.killed
    )


def _ask_before_it_leaves(look: Look) -> Decision | None:
    """The answer to a registration may have been lost, or a list lacks the job: its tasks would outlive the Pod."""
    confirmed = look.observation.confirmed and not look.observation.tells_of_a_job
    if look.observation.job is not None or confirmed:
        return None
    return Decision("no job is known", (Reread(look.circumstances.job.nomad_namespace, job_id(look.pod.uid)),))


def _await_leaving(look: Look) -> Decision | None:
    if not look.observation.memory.deleted or not look.observation.is_over:
        return None
    return Decision("waits for the object to leave the API")


def _wait_for_what_may_run_on(look: Look) -> Decision | None:
    if look.observation.job is not None or look.observation.memory.deleted:
        return None
    return wait_for_what_may_run_on(look, "the Pod leaves")


def _finish(look: Look) -> Decision | None:
    observation, pod = look.observation, look.pod
    if not observation.is_over:
        return None
    body = status_patch(pod, final_status(pod, look.facts, look.now))
    status = () if body is None else (PatchStatus(body),)
    withdrawn = withdrawal(observation, look.circumstances)
    return Decision("all tasks have ended", (*forbid(observation), *withdrawn, *status, DeletePod()))


def _stop(look: Look) -> Decision | None:
    job = look.observation.job
    if job is None or job.stopped:
        return None
    if look.ends is not None and look.pod.metadata.deletion_grace_period_seconds:
        before = run_before_the_end(look, look.ends)
        if before is not None:
            return before
    killing = () if were_told(look) else tuple(Note(event) for event in killing_events(look.pod))
    return Decision("the Pod is being deleted", (Stop(job.namespace, job.id), *killing))


def _read(look: Look) -> Decision | None:
    observation, job = look.observation, look.observation.job
    unknown = not observation.allocations or observation.may_be_placed_again
    if job is None or observation.evaluation is not None or not unknown:
        return read_what_somebody_ended(observation)
    return Decision("a stopped job of which nothing is known", (Reread(job.namespace, job.id),))


def _kill_at_a_shorter_end(look: Look) -> Decision | None:
    deadline = _shorter_deadline(look)
    if deadline is None:
        return None
    if deadline > look.now:
        published = _publish(look)
        return Decision(published.why, published.actions, deadline)
    kills = kill_all(look.observation)
    return Decision("its shorter grace period is over", (*_publish(look).actions, *kills)) if kills else None


def _publish(look: Look) -> Decision:
    body = status_patch(look.pod, look.status)
    return Decision("waits for its tasks to end", () if body is None else (PatchStatus(body),))


def _shorter_deadline(look: Look) -> datetime | None:
    """When a grace period ends that is shorter than the kill timeout which the tasks were started with.

    So is what hooks have left of one. The API server sets deletionTimestamp to the moment of the request plus the grace
    period, without the fraction of its second: where only that is known, the whole period is over a second later.
    """
    grace, ends = look.pod.metadata.deletion_grace_period_seconds, look.ends
    if grace is None or ends is None:
        return None
    if grace >= look.pod.spec.termination_grace_period_seconds and not were_told(look):
        return None
    if not grace:
        return ends
    truncated = _TRUNCATED if look.observation.leaving_for is None else timedelta()
    return ends + truncated + (AT_LEAST if are_late(look) else timedelta())


RULES = (
    Rule("ask before a Pod without a job leaves", _ask_before_it_leaves),
    Rule("wait for the object to leave", _await_leaving),
    Rule("wait for what may run on before it leaves", _wait_for_what_may_run_on),
    Rule("finish", _finish),
    Rule("stop what is deleted", _stop),
    Rule("read a stopped job", _read),
    Rule("kill at the end of a shorter grace", _kill_at_a_shorter_end),
    Rule("publish while it ends", _publish),
)
