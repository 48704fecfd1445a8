"""Ends that come from outside: somebody stopped the job, another job took its place, a drain."""

from dataclasses import dataclass

from translators.allocation_to_status.situation import Situation, restarts
from translators.records.allocations import Allocation
from translators.records.pods import ContainerStatus

_UPDATED = "alloc is being updated due to job update"  # scheduler/structs/const.go StatusAllocUpdating


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a Pod ended that did not end by itself, as its status says it."""

    reason: str
    message: str


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
        return Ending("Preempted", current.desired_description or "Nomad gave the place to a job of higher priority")
    if is_replaced(situation):
        return None
    if current.desired_transition.migrate:
        client = current.node_name or current.node_id
        return Ending("NodeDrained", f"The Nomad client {client} was drained and the Pod is not moved")
    return Ending("NomadJobStopped", f"The Nomad job {current.job_id} was stopped, and not by Kubernetes")


def is_replaced(situation: Situation) -> bool:
    """Whether Nomad stopped the current allocation to place another one for it.

    A drain moves services only: a batch job, which is what a Pod becomes that may end, is not placed again.
    """
    current = situation.current
    if current is None or current.desired_status != "stop":
        return False
    if current.desired_description == _UPDATED:
        return True
    return _migrates(current) and situation.pod.spec.restart_policy == "Always"


def _migrates(allocation: Allocation) -> bool:
    return bool(allocation.desired_transition.migrate)


def _ended_by_themselves(situation: Situation, containers: tuple[ContainerStatus, ...]) -> bool:
    specified = {each.name: each for each in situation.pod.spec.containers}
    for status in containers:
        terminated = status.state.terminated
        if terminated is None or restarts(situation.pod, specified[status.name], terminated.exit_code):
            return False
        last = situation.history(status.name).last
        if last is not None and last.killed:
            return False
    return True
