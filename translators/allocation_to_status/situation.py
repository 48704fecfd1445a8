"""A Pod and its allocations seen together: what every part of the status is judged from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from translators.allocation_to_status import task_history
from translators.allocation_to_status.facts import Facts
from translators.allocation_to_status.task_history import TaskHistory
from translators.container_id import ContainerId
from translators.records.allocations import Allocation, TaskState
from translators.records.pods import Container, ContainerStatus, Pod

TERMINAL_PHASES = frozenset({"Succeeded", "Failed"})

_NEVER_BEGUN = TaskHistory(
    has_started=False,
    is_up=False,
    is_pending=True,
    run=0,
    ended=(),
    delay=0,
    retries=False,
    failure=None,
    killed=False,
)


@dataclass(frozen=True, slots=True)
class Situation:
    """One Pod, the allocation that counts for it, and the ones before that.

    Each allocation of `chain`, which ends with `current`, stands beside the histories of its tasks.
    """

    pod: Pod
    facts: Facts
    current: Allocation | None
    chain: tuple[tuple[Allocation, dict[str, TaskHistory]], ...]

    @property
    def histories(self) -> dict[str, TaskHistory]:
        """The tasks of the current allocation."""
        return self.chain[-1][1] if self.chain else {}

    @property
    def is_lost(self) -> bool:
        """Whether nobody can say what the tasks do, for their client is gone; they may well run."""
        return self.current is not None and self.current.client_status == "unknown"

    @property
    def is_over(self) -> bool:
        """Whether every task of the current allocation is known to have ended for good.

        An allocation counts as failed from the first task that failed; its siblings take their time to stop. What
        tasks of a lost one did last is not known; they have ended.
        """
        current = self.current
        if current is not None and current.client_status == "lost":
            return True
        return (
            current is not None
            and current.client_status in {"complete", "failed"}
            and not any(task.state == "running" for task in current.task_states.values())
        )

    @property
    def is_up(self) -> bool:
        """Whether a task of the current allocation runs, as far as anybody can tell."""
        return any(history.is_up for history in self.histories.values())

    @property
    def has_started(self) -> bool:
        """Whether any task of any allocation ever ran."""
        return any(history.has_started for _, histories in self.chain for history in histories.values())

    def history(self, task: str) -> TaskHistory:
        """What the current allocation tells about one task."""
        return self.histories.get(task, _NEVER_BEGUN)


def see(pod: Pod, facts: Facts) -> Situation:
    """Find the allocation that counts: the newest one.

    Of a Pod that never restarts it is the first one: what Nomad places after it is kept from starting. One whose job
    was changed goes on until it has ended, for what takes its place waits for that (nomad client/allocwatcher).
    """
    chain = [
        (allocation, {name: _read(allocation, task) for name, task in allocation.task_states.items()})
        for allocation in facts.allocations
    ]
    if pod.spec.restart_policy == "Never":
        del chain[1:]
    elif len(chain) > 1 and _goes_on(*chain[-2:]):
        del chain[-1:]
    return Situation(pod=pod, facts=facts, current=chain[-1][0] if chain else None, chain=tuple(chain))


def _goes_on(
    before: tuple[Allocation, dict[str, TaskHistory]], newest: tuple[Allocation, dict[str, TaskHistory]]
) -> bool:
    """Whether an allocation that is ended for a change of its job is known not to have ended yet."""
    allocation, histories = before
    return (
        allocation.was_changed
        and allocation.client_status == "running"
        and any(history.is_up for history in histories.values())
        and not any(history.has_started for history in newest[1].values())
    )


def runs_up(pod: Pod, allocations: Sequence[Allocation]) -> dict[str, ContainerId]:
    """Which run of each task is up, as far as anybody can tell."""
    situation = see(pod, Facts(allocations=tuple(allocations)))
    current = situation.current
    if current is None or situation.is_lost:
        return {}
    return {
        task: ContainerId(allocation=current.id, task=task, run=history.run)
        for task, history in situation.histories.items()
        if history.is_up
    }


def _read(allocation: Allocation, task: TaskState) -> TaskHistory:
    """The history of a task; of a lost allocation nothing is up, whatever its client told last."""
    history = task_history.read(task)
    return replace(history, is_up=False, is_pending=False) if allocation.client_status == "lost" else history


def is_sidecar(container: Container) -> bool:
    """Whether an init container runs beside the others; only meaningful among the init containers."""
    return container.is_sidecar


def restarts(pod: Pod, container: Container, exit_code: int) -> bool:
    """Whether a container that ended so is to be started again."""
    policy = container.restart_policy or pod.spec.restart_policy
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def is_finished(pod: Pod, container: Container, status: ContainerStatus) -> bool:
    """Whether the container has ended and may never be shown in another state."""
    ended = status.state.terminated
    return ended is not None and not restarts(pod, container, ended.exit_code)


def pod_text(pod: Pod) -> str:
    """Name a Pod as the kubelet's messages do (`p_ns(uid)`)."""
    metadata = pod.metadata
    return f"{metadata.name}_{metadata.namespace}({metadata.uid})"
