"""A Pod that can never run here as it is written.

A ReplicaSet or StatefulSet replaces a Failed Pod ten times a second, so where one owns the Pod
it stays Pending, says why, and fails only after a back-off. A DaemonSet recreates for ever: its Pod stays Pending.
"""

from datetime import datetime

from translators.allocation_to_status import EventNote, failed_status, pod_status, status_patch
from translators.errors import Finding
from translators.records.pods import Pod
from vnode.pods.actions import Action, Decision, Note, PatchStatus
from vnode.pods.decide.circumstances import Circumstances, facts, retry_delay
from vnode.view.observation import Observation

_REPLACED_AT_ONCE = frozenset({"ReplicaSet", "StatefulSet", "ReplicationController"})
_RECREATED_FOR_EVER = frozenset({"DaemonSet"})


def refuse(
    observation: Observation, pod: Pod, finding: Finding, circumstances: Circumstances, now: datetime
) -> Decision:
    """Fail the Pod, or say why it waits until its owner's back-off is over."""
    told = any(condition.message == str(finding) for condition in pod.status.conditions)
    event = () if told else (Note(EventNote("Warning", finding.reason, str(finding), "")),)
    fails_at = _fails_at(observation, pod, now)
    if fails_at is not None and fails_at <= now:
        body = status_patch(pod, failed_status(pod, finding, now))
        failed = () if body is None else (PatchStatus(body, failed_for=finding.reason),)
        return Decision(f"refused: {finding}", (*failed, *event))
    waiting = pod_status(pod, facts(observation, pod, circumstances, refusal=finding), now)
    body = status_patch(pod, waiting)
    pending: tuple[Action, ...] = () if body is None else (PatchStatus(body),)
    return Decision(f"refused, stays Pending: {finding}", (*pending, *event), fails_at)


def _fails_at(observation: Observation, pod: Pod, now: datetime) -> datetime | None:
    owner = next((owner.kind for owner in pod.metadata.owner_references if owner.controller), "")
    if owner in _RECREATED_FOR_EVER:
        return None
    if owner not in _REPLACED_AT_ONCE:
        return now
    history = observation.owner_history
    since = max(filter(None, (history.last, pod.status.start_time or now)))
    return since + retry_delay(history.failures)
