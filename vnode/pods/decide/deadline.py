"""A Pod that may be active for so long and no longer, counted from its startTime as a kubelet does.

Source of reason and message: kubernetes pkg/kubelet/active_deadline.go.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from translators.allocation_to_status import EventNote, Stage, final_status, status_patch
from vnode.pods.actions import Action, Decision, Note, PatchStatus, Stop
from vnode.pods.decide.hooks import run_before_the_end, were_told
from vnode.pods.decide.killing import killing_events
from vnode.pods.decide.look import Look

REASON = "DeadlineExceeded"
MESSAGE = "Pod was active on the node longer than the specified deadline"

_TOLD = Note(EventNote("Normal", REASON, MESSAGE, ""))


def end_at_its_deadline(look: Look) -> Decision | None:
    """Stop what is over its time, and fail the Pod when nothing of it runs any more.

    What ended by itself before it was stopped ended in time.
    """
    due, observation, job = _due(look), look.observation, look.observation.job
    if due is None or look.now < due:
        return None
    if job is not None and not job.stopped:
        if look.outcome.stage is Stage.FINISHED:
            return None
        before = run_before_the_end(look, due + timedelta(seconds=look.pod.spec.termination_grace_period_seconds))
        if before is not None:
            return before
        # As it is now, which the API may not hold yet.
        killing = () if were_told(look) else map(Note, killing_events(replace(look.pod, status=look.status)))
        return Decision("it is over its deadline", (Stop(job.namespace, job.id), _TOLD, *killing))
    if not observation.is_over:
        # Its containers may have ended a moment before their allocation; the reason is told with their end.
        return Decision("ends at its deadline") if look.outcome.stage is Stage.FINISHED else None
    failed = replace(final_status(look.pod, look.facts, look.now), phase="Failed", reason=REASON, message=MESSAGE)
    body = status_patch(look.pod, failed)
    told: tuple[Action, ...] = (_TOLD,) if job is None else ()
    return Decision("it was over its deadline", (*told, *(() if body is None else (PatchStatus(body),))))


def watched(look: Look, decision: Decision) -> Decision:
    """What was decided, and that the Pod is looked at again at its deadline."""
    due = _due(look)
    if due is None or due <= look.now:
        return decision
    return replace(decision, wake_at=due if decision.wake_at is None else min(due, decision.wake_at))


def _due(look: Look) -> datetime | None:
    seconds, began = look.pod.spec.active_deadline_seconds, look.pod.status.start_time
    return None if seconds is None or began is None else began + timedelta(seconds=seconds)
