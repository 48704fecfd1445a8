"""Ends that come from outside: somebody stopped the job, another job took its place, a drain."""

from collections.abc import Iterable
from dataclasses import dataclass

from translators import container_id
from translators.allocation_to_status.conditions import NODE_LOST
from translators.allocation_to_status.events import WARNING, EventNote
from translators.allocation_to_status.runs import LOCATION_LOST
from translators.allocation_to_status.situation import Situation, restarts
from translators.records.allocations import Allocation
from translators.records.pods import ContainerStatus, PodStatus

#: Text of nomad/scheduler/structs, StatusAllocLost.
_LOST = "alloc is lost since its node is down"

_PREEMPTED, _DRAINED = "Preempted", "NodeDrained"
NOMAD_JOB_CHANGED = "NomadJobChanged"
_CHANGED = "Its Nomad job was registered anew, and not by Kubernetes"


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a Pod ended that did not end by itself, as its status says it."""

    reason: str
    message: str

    @property
    def is_disruption(self) -> bool:
        """Whether Nomad needed the place or lost it, which is no fault of the Pod, and nobody's wish that it ends."""
        return self.reason in {_PREEMPTED, _DRAINED, NODE_LOST}


def ending(situation: Situation, containers: tuple[ContainerStatus, ...]) -> Ending | None:
    """Judge an allocation that was told to stop and has stopped, while its Pod is to live on.

    None where the containers had ended before, and where Nomad replaces the allocation by itself.
    """
    current = situation.current
    if current is None or current.desired_status == "run" or not situation.is_over:
        return None
    if situation.pod.metadata.deletion_timestamp is not None or _ended_by_themselves(situation, containers):
        return None
    if current.desired_status == "evict" or current.preempted_by_allocation:
        return Ending(_PREEMPTED, current.desired_description or "Nomad gave the place to a job of higher priority")
    return None if is_replaced(situation) else _ended_by(current)


def _ended_by(current: Allocation) -> Ending:
    client = current.node_name or current.node_id
    if current.desired_description == _LOST:
        return Ending(NODE_LOST, f"Nomad lost its client {client}, and a Pod that runs once is not started again")
    if current.was_changed:
        return Ending(NOMAD_JOB_CHANGED, f"{_CHANGED}, and a Pod that runs once is not started again")
    if current.desired_transition.migrate:
        return Ending(_DRAINED, f"The Nomad client {client} was drained and the Pod is not moved")
    return Ending("NomadJobStopped", f"The Nomad job {current.job_id} was stopped, and not by Kubernetes")


def is_replaced(situation: Situation) -> bool:
    """Whether Nomad stopped the current allocation to place another one for it.

    A drain moves services only: a batch job, which is what a Pod becomes that may end, is not placed again. In the
    place of a lost allocation, or of one whose job was changed, Nomad puts another one, which a Pod that runs once does
    not let start.
    """
    current = situation.current
    if current is None or current.desired_status != "stop":
        return False
    policy = situation.pod.spec.restart_policy
    if current.was_changed or current.desired_description == _LOST:
        return policy != "Never"
    return _migrates(current) and policy == "Always"


def change_of_the_job(held: PodStatus, desired: PodStatus, allocations: Iterable[Allocation]) -> EventNote | None:
    """Tell, when a status leaves an allocation behind, that what takes its place may not be what the Pod says.

    `allocations` are those that we did not have replaced ourselves.
    """
    left = _named(held) - _named(desired)
    if not any(each.was_changed and each.id in left for each in allocations):
        return None
    return EventNote(
        WARNING, NOMAD_JOB_CHANGED, f"{_CHANGED}: what runs may not be what the Pod says; delete it for that"
    )


def _named(status: PodStatus) -> set[str]:
    """The allocations of which a status tells."""
    found = (container_id.parse(each.container_id) for each in status.container_statuses)
    return {each.allocation for each in found if each is not None}


def _migrates(allocation: Allocation) -> bool:
    return bool(allocation.desired_transition.migrate)


def _ended_by_themselves(situation: Situation, containers: tuple[ContainerStatus, ...]) -> bool:
    specified = {each.name: each for each in situation.pod.spec.containers}
    for status in containers:
        terminated = status.state.terminated
        if terminated is None or terminated.reason == LOCATION_LOST:
            return False
        if restarts(situation.pod, specified[status.name], terminated.exit_code):
            return False
        last = situation.history(status.name).last
        if last is not None and last.killed:
            return False
    return True
