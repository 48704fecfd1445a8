"""How often a container was started again: the number of runs before the one that its status shows.

Source: kubernetes pkg/kubelet/kuberuntime, where a container's restartCount is fixed when it is created.
"""

from translators import container_id
from translators.allocation_to_status import runs
from translators.allocation_to_status.situation import Situation
from translators.allocation_to_status.task_history import TaskHistory
from translators.records.allocations import TaskState
from translators.records.pods import ContainerStatus


def restart_count(situation: Situation, task: str, held: ContainerStatus | None, identity: str) -> int:
    """Count the runs before the one named `identity`, over the chain of allocations; never less than the API holds.

    As by a kubelet, the restart that a container waits for is none yet. The chain may be incomplete: Nomad forgets
    ended allocations after hours, and a purged job takes its own along. So another run than the API shows counts at
    least one.
    """
    if held is None:
        return _counted(situation, task)
    if held.container_id and container_id.identity(identity) == container_id.identity(held.container_id):
        return held.restart_count
    if _follows(situation, task, identity, held.container_id):
        # What Nomad counts in between are starts that failed.
        return held.restart_count + 1
    return max(
        _counted(situation, task) - _failed_starts(situation, held), held.restart_count + bool(held.container_id)
    )


def _follows(situation: Situation, task: str, identity: str, shown: str) -> bool:
    """Whether the run named `identity` is known to be the one after that which the API shows."""
    run, before = container_id.parse(identity), container_id.parse(shown)
    if run is None or before is None or run.allocation != before.allocation or not runs.is_current(situation, identity):
        return False
    earlier = [each.number for each in situation.history(task).ended if each.number < run.run]
    return bool(earlier) and earlier[-1] == before.run


def _failed_starts(situation: Situation, held: ContainerStatus) -> int:
    """How many of Nomad's restarts came before the first start, by the number of a run that the API shows."""
    shown = container_id.parse(held.container_id)
    if shown is None or len(situation.chain) != 1 or situation.current is None:
        return 0
    return max(0, shown.run - held.restart_count) if shown.allocation == situation.current.id else 0


def _counted(situation: Situation, task: str) -> int:
    """How often the task was started again, by what Nomad tells of the chain."""
    started = 0
    restarted = 0
    for allocation, histories in situation.chain:
        history = histories.get(task)
        if history is None or not history.has_started:
            # What could not be fetched or started was not restarted either.
            continue
        started += 1
        restarted += _restarted(allocation.task_states[task], history, is_last=allocation is situation.current)
    return restarted + max(0, started - 1)


def _restarted(state: TaskState, history: TaskHistory, *, is_last: bool) -> int:
    """The restarts of a task within one allocation."""
    if is_last and history.is_up and not history.ended:
        # It never ended: what Nomad counts are starts that failed.
        return 0
    return state.restarts if history.is_up else runs.last_number(state, history)
