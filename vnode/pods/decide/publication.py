"""What is published of a Pod with a job: its status where that is new, and the Events that this is worth."""

from dataclasses import replace
from datetime import datetime

from translators import container_id
from translators.allocation_to_status import change_of_the_job, pod_events, status_patch
from translators.records.allocations import AllocationId
from translators.records.pods import Pod, PodStatus
from vnode.pods.actions import Action, Decision, MeasureLogs, Note, PatchStatus, Remember
from vnode.pods.decide import changes, overwritten
from vnode.pods.decide.circumstances import Circumstances
from vnode.pods.decide.look import Look
from vnode.view.observation import Observation


def publish(look: Look) -> Decision:
    """Write what is new, with the Events that it is worth."""
    observation, pod, why = look.observation, look.pod, str(look.outcome.stage)
    desired = look.status
    body = status_patch(pod, desired)
    measures = _measures(observation, pod)
    if body is None:
        return Decision(why, (*_repeated_failures(observation, pod, desired), *measures))
    settles_at = _settles_at(pod, desired, look.circumstances)
    if settles_at is not None and settles_at > look.now:
        return Decision("waits a moment for the placement", wake_at=settles_at)
    if (due := overwritten.left_until(look)) is not None:
        return Decision("somebody else writes its status too", wake_at=due)
    if pod.overwritten_by:
        # What is new in it is new to its other writer only.
        return Decision(why, (PatchStatus(body), *overwritten.told(look), *measures))
    events = tuple(Note(event) for event in pod_events(pod, desired))
    changed = change_of_the_job(pod.status, desired, changes.of_others(look))
    return Decision(why, (PatchStatus(body), *events, *(() if changed is None else (Note(changed),)), *measures))


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
        status.state.waiting is not None and not (status.state.waiting.message or status.container_id)
        for status in desired.container_statuses
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
    names = {container.name for container in pod.spec.every_container}
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
