"""A Pod that is being deleted: its tasks end, then its status is final, then the object leaves the API.

The order is that of the kubelet (pkg/kubelet/kubelet.go SyncTerminatingPod, status_manager.go canBeDeleted):
an object never leaves before its tasks have ended, and never waits longer than that.
"""

from datetime import datetime, timedelta

from translators.allocation_to_status import EventNote, final_status, pod_status, status_patch
from translators.records.allocations import AllocationId
from translators.records.pods import Pod
from vnode.pods.actions import Action, Decision, DeletePod, Kill, Note, PatchStatus, Reread, Stop
from vnode.pods.decide.circumstances import Circumstances, facts
from vnode.view.observation import JobFacts, Observation

_TRUNCATED = timedelta(seconds=1)


def decide_termination(observation: Observation, pod: Pod, circumstances: Circumstances, now: datetime) -> Decision:
    """Bring a Pod that is being deleted one step nearer to its end."""
    job = observation.job
    if job is None or observation.is_over:
        return _finish(observation, pod, circumstances, now)
    if not job.stopped:
        killing = tuple(Note(event) for event in _killing_events(pod))
        return Decision("the Pod is being deleted", (Stop(job.namespace, job.id), *killing))
    if not observation.allocations and observation.evaluation is None:
        return Decision("a stopped job of which nothing is known", (Reread(job.namespace, job.id),))
    return _wait_for_tasks(observation, pod, job, circumstances, now)


def kill_all(observation: Observation) -> tuple[Action, ...]:
    """SIGKILL for every task that still lives and was not sent one."""
    return tuple(
        Kill(AllocationId(allocation.id), task)
        for allocation in observation.allocations
        if not allocation.is_terminal
        for task, state in allocation.task_states.items()
        if state.state == "running" and (AllocationId(allocation.id), task) not in observation.memory.killed
    )


def _finish(observation: Observation, pod: Pod, circumstances: Circumstances, now: datetime) -> Decision:
    if observation.memory.deleted:
        return Decision("waits for the object to leave the API")
    body = status_patch(pod, final_status(pod, facts(observation, pod, circumstances), now))
    status = () if body is None else (PatchStatus(body),)
    return Decision("all tasks have ended", (*status, DeletePod()))


def _wait_for_tasks(
    observation: Observation, pod: Pod, job: JobFacts, circumstances: Circumstances, now: datetime
) -> Decision:
    desired = pod_status(pod, facts(observation, pod, circumstances), now)
    body = status_patch(pod, desired)
    actions: list[Action] = [] if body is None else [PatchStatus(body)]
    deadline = _shorter_deadline(pod)
    if deadline is not None and deadline <= now:
        actions += kill_all(observation)
        deadline = None
    return Decision(f"waits for the tasks of {job.id} to end", tuple(actions), deadline)


def _shorter_deadline(pod: Pod) -> datetime | None:
    """When a grace period ends that is shorter than the kill timeout which the tasks were started with.

    The API server sets deletionTimestamp to the moment of the request plus the grace period, without the fraction of
    its second: only a second later is the whole period over.
    """
    grace, ends = pod.metadata.deletion_grace_period_seconds, pod.metadata.deletion_timestamp
    if grace is None or ends is None or grace >= pod.spec.termination_grace_period_seconds:
        return None
    return ends + _TRUNCATED if grace else ends


def _killing_events(pod: Pod) -> tuple[EventNote, ...]:
    return tuple(
        EventNote(
            type="Normal",
            reason="Killing",
            message=f"Stopping container {container.name}",
            field_path=f"spec.containers{{{container.name}}}",
        )
        for container in pod.status.container_statuses
        if container.state.running is not None
    )
