"""A Pod with a job: its status follows the allocation, and what came to nothing is tried again."""

from dataclasses import replace
from datetime import UTC, datetime

from translators import container_id
from translators.allocation_to_status import (
    Outcome,
    Stage,
    failed_status,
    outcome,
    pod_events,
    pod_status,
    status_patch,
)
from translators.errors import Finding, Refused
from translators.pod_to_job import translate
from translators.records.allocations import AllocationId
from translators.records.pods import Pod, PodStatus
from vnode.pods.actions import Action, Decision, MeasureLogs, Note, PatchStatus, Purge, Register, Remember, Reread, Stop
from vnode.pods.decide.circumstances import Circumstances, facts, retry_delay
from vnode.pods.decide.refusal import refuse
from vnode.view.observation import JobFacts, Observation

_STOPPED = Finding(
    "NomadJobStopped",
    "",
    "Its Nomad job was stopped, and not by Kubernetes; delete the Pod, or let its controller replace it.",
)


def decide_running(
    observation: Observation, pod: Pod, job: JobFacts, circumstances: Circumstances, now: datetime
) -> Decision:
    """Publish what the allocation shows, or bring a Pod forward whose allocation is at its end."""
    if job.stopped and not observation.allocations:
        return _stopped_unplaced(observation, pod, job, now)
    if _may_be_purged(observation):
        return _reread(observation, job)
    seen = outcome(pod, facts(observation, pod, circumstances))
    if seen.stage is Stage.NEVER_STARTED and seen.permanent:
        finding = Finding(seen.reason, "", seen.message)
        return _fail(observation, pod, job, finding, circumstances, now)
    if seen.stage in {Stage.NEVER_STARTED, Stage.DEAD}:
        return _try_again(observation, pod, job, seen, circumstances, now)
    return _publish(observation, pod, circumstances, now, why=str(seen.stage))


def _publish(observation: Observation, pod: Pod, circumstances: Circumstances, now: datetime, *, why: str) -> Decision:
    desired = pod_status(pod, facts(observation, pod, circumstances), now)
    body = status_patch(pod, desired)
    measures = _measures(observation, pod)
    if body is None:
        return Decision(why, (*_repeated_failures(observation, pod, desired), *measures))
    settles_at = _settles_at(pod, desired, circumstances)
    if settles_at is not None and settles_at > now:
        return Decision("waits a moment for the placement", wake_at=settles_at)
    events = tuple(Note(event) for event in pod_events(pod, desired))
    return Decision(why, (PatchStatus(body), *events, *measures))


def _repeated_failures(observation: Observation, pod: Pod, desired: PodStatus) -> tuple[Action, ...]:
    """The Events of a start that failed once more, though the status says the same as before."""
    failing = {each.name for each in desired.container_statuses if each.state.waiting and each.state.waiting.message}
    if not failing or not observation.allocations:
        return ()
    allocation = observation.allocations[-1]
    states = allocation.task_states.items()
    told = {f"{allocation.id}/{task}": state.restarts for task, state in states if task in failing}
    if told == observation.memory.told or not (any(told.values()) or observation.memory.attempts):
        return ()
    events = pod_events(replace(pod, status=PodStatus()), desired)
    notes = tuple(Note(event) for event in events if event.reason in {"Failed", "BackOff"})
    return (*notes, Remember({"told": told}))


def _settles_at(pod: Pod, desired: PodStatus, circumstances: Circumstances) -> datetime | None:
    """Until when a status may be held back that says no more than that the Pod is being started."""
    created = pod.metadata.creation_timestamp
    starting = desired.phase == "Pending" and all(
        status.state.waiting is not None and not status.state.waiting.message for status in desired.container_statuses
    )
    placed = not any(condition.type.startswith("nomad.") for condition in desired.conditions)
    if created is None or not (starting and placed) or pod.status.start_time is not None:
        return None
    return created + circumstances.settling


def _measures(observation: Observation, pod: Pod) -> tuple[Action, ...]:
    """Where the next run of a restarting task begins; nothing is written to its logs until then."""
    if not observation.allocations:
        return ()
    allocation = observation.allocations[-1]
    if not any(state.restarts for state in allocation.task_states.values()):
        return ()
    names = {container.name for container in pod.spec.containers}
    return tuple(
        MeasureLogs(AllocationId(allocation.id), task, state.restarts)
        for task, state in allocation.task_states.items()
        if task in names
        and state.state == "pending"
        and state.restarts
        and not _is_measured(observation, allocation.id, task, state.restarts)
    )


def _is_measured(observation: Observation, allocation: str, task: str, run: int) -> bool:
    known = container_id.parse(observation.memory.positions.get(task, ""))
    return known is not None and (known.allocation, known.run) == (allocation, run)


def _try_again(
    observation: Observation, pod: Pod, job: JobFacts, seen: Outcome, circumstances: Circumstances, now: datetime
) -> Decision:
    """Register the job anew after a back-off; the old one is purged, for a stopped job is never un-stopped."""
    ended_at = datetime.fromtimestamp(observation.allocations[-1].modify_time / 1e9, UTC)
    due = ended_at + retry_delay(observation.memory.attempts)
    if now < due:
        published = _publish(observation, pod, circumstances, now, why=f"{seen.stage}, waits to be tried again")
        return Decision(published.why, published.actions, due)
    try:
        translation = translate(pod, circumstances.job, circumstances.policy)
    except Refused as refused:
        return refuse(observation, pod, refused.finding, circumstances, now)
    counted = Remember({"attempts": observation.memory.attempts + 1, "positions": {}})
    return Decision(f"{seen.stage}, is tried again", (Purge(job.namespace, job.id), counted, Register(translation.job)))


def _fail(
    observation: Observation, pod: Pod, job: JobFacts, finding: Finding, circumstances: Circumstances, now: datetime
) -> Decision:
    """Refuse a Pod that Nomad showed to be impossible, and leave nothing of it there."""
    refused = refuse(observation, pod, finding, circumstances, now)
    remembered = Remember({"refusal": finding})
    if not observation.is_over and job.stopped:
        return Decision(refused.why, (remembered, *refused.actions), refused.wake_at)
    end = Purge(job.namespace, job.id) if observation.is_over else Stop(job.namespace, job.id)
    return Decision(refused.why, (remembered, *refused.actions, end), refused.wake_at)


def _stopped_unplaced(observation: Observation, pod: Pod, job: JobFacts, now: datetime) -> Decision:
    if not job.resolved:
        return _reread(observation, job)
    body = status_patch(pod, failed_status(pod, _STOPPED, now))
    return Decision("its job was stopped", () if body is None else (PatchStatus(body),))


def _may_be_purged(observation: Observation) -> bool:
    """Whether somebody else ended the job and its allocations may be gone without an event."""
    evaluation = observation.evaluation
    if evaluation is None or evaluation.triggered_by != "job-deregister":
        return False
    return not observation.is_over and observation.memory.reread_at < evaluation.modify_index


def _reread(observation: Observation, job: JobFacts) -> Decision:
    index = observation.evaluation.modify_index if observation.evaluation else 0
    if index and observation.memory.reread_at >= index:
        return Decision("waits for the end of a job that was stopped")
    return Decision("somebody ended its job", (Remember({"reread_at": index}), Reread(job.namespace, job.id)))
