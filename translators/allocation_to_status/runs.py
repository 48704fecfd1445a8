"""The runs of a container: which one is up, how the last one ended, and which was before it.

The API's own status is the memory for what Nomad no longer tells: an end is kept there once it was seen.
"""

from datetime import datetime

from translators import container_id
from translators.allocation_to_status.situation import Situation
from translators.allocation_to_status.task_history import EndedRun, TaskHistory
from translators.allocation_to_status.timestamps import from_nanoseconds, from_rfc3339
from translators.records.allocations import Allocation, TaskState
from translators.records.pods import ContainerStateRunning, ContainerStateTerminated, ContainerStatus

#: What a kubelet says of a container that it can no longer find.
LOCATION_LOST = "ContainerStatusUnknown"

_UNKNOWN_EXIT = 137

#: Bytes that the messages of one Pod's containers may have: pkg/kubelet/container/runtime.go.
_MESSAGES = 12 * 1024
_NOT_FOUND = "The container could not be located when the pod was terminated"


def container_id_of(situation: Situation, held: ContainerStatus | None, task: str, run: int) -> str:
    """Name a run of the current allocation, with its log position as soon as that is known, and ever after."""
    allocation = situation.current
    return "" if allocation is None else _identity(situation, held, allocation, task, run)


def running(situation: Situation, held: ContainerStatus | None, task: str, identity: str) -> ContainerStateRunning:
    """Say since when the present run is up; what the API holds about the same run is kept."""
    shown = held.state.running if held is not None and _same(held.container_id, identity) else None
    if shown is not None and shown.started_at is not None:
        return shown
    state = _task_state(situation, task)
    return ContainerStateRunning(started_at=from_rfc3339(state.started_at) if state is not None else None)


def last_run(
    situation: Situation, held: ContainerStatus | None, task: str, history: TaskHistory
) -> ContainerStateTerminated:
    """Say how the newest run of the current allocation ended."""
    allocation = situation.current
    if allocation is None:
        msg = "a run belongs to an allocation"
        raise ValueError(msg)
    return _last_run_of(situation, held, allocation, task, history)


def run_before(
    situation: Situation, held: ContainerStatus | None, task: str, history: TaskHistory, identity: str
) -> ContainerStateTerminated | None:
    """Say how the run before the one named `identity` ended; None when there was none."""
    allocation = situation.current
    if allocation is None:
        return None
    for ended in reversed(history.ended):
        if ended.number < history.run:
            return _ended(situation, held, allocation, task, ended)
    remembered = _remembered(held, identity)
    if remembered is not None:
        return remembered
    return run_of_earlier_allocations(situation, held, task)


def run_of_earlier_allocations(
    situation: Situation, held: ContainerStatus | None, task: str
) -> ContainerStateTerminated | None:
    """Say how the newest run before the current allocation ended; None when there was none, or it goes on."""
    for allocation, histories in reversed(situation.chain[:-1]):
        history = histories.get(task)
        if history is None or not history.has_started:
            continue
        if not history.is_up or allocation.is_terminal:
            return _last_run_of(situation, held, allocation, task, history)
        return None
    if held is None or not held.container_id or is_current(situation, held.container_id):
        return None if held is None else held.last_state.terminated
    if held.state.terminated is not None:
        return held.state.terminated
    if held.state.waiting is not None and held.last_state.terminated is not None:
        return held.last_state.terminated
    return vanished(held)


def last_number(state: TaskState, history: TaskHistory) -> int:
    """The number of the newest run of a task that is not up."""
    return history.last.number if history.last is not None else _run_without_end(state)


def is_current(situation: Situation, identity: str) -> bool:
    """Whether a run belongs to the allocation that counts."""
    named = container_id.parse(identity)
    return named is not None and situation.current is not None and named.allocation == situation.current.id


def vanished(status: ContainerStatus) -> ContainerStateTerminated:
    """The end of a run that nobody saw."""
    running = status.state.running
    return ContainerStateTerminated(
        exit_code=_UNKNOWN_EXIT,
        reason=LOCATION_LOST,
        message=_NOT_FOUND,
        started_at=running.started_at if running is not None else None,
        container_id=status.container_id,
    )


def _last_run_of(
    situation: Situation, held: ContainerStatus | None, allocation: Allocation, task: str, history: TaskHistory
) -> ContainerStateTerminated:
    if history.last is not None and not history.is_up:
        return _ended(situation, held, allocation, task, history.last)
    state = allocation.task_states.get(task)
    run = _run_without_end(state)
    identity = _identity(situation, held, allocation, task, run)
    seen = _seen_end(held, identity)
    if seen is not None:
        return seen
    return ContainerStateTerminated(
        exit_code=_UNKNOWN_EXIT,
        reason=LOCATION_LOST,
        message=_NOT_FOUND,
        started_at=from_rfc3339(state.started_at) if state is not None else None,
        finished_at=from_rfc3339(state.finished_at) if state is not None else None,
        container_id=identity,
    )


def _run_without_end(state: TaskState | None) -> int:
    if state is None:
        return 0
    return max(0, state.restarts - 1) if state.state == "pending" else state.restarts


def _ended(
    situation: Situation, held: ContainerStatus | None, allocation: Allocation, task: str, run: EndedRun
) -> ContainerStateTerminated:
    identity = _identity(situation, held, allocation, task, run.number)
    seen = _seen_end(held, identity)
    if seen is not None and seen.reason != LOCATION_LOST:
        return seen
    details = run.terminated.details
    exit_code, reason, message = _outcome(details, run)
    left = situation.facts.messages.get(container_id.identity(identity), "")
    return ContainerStateTerminated(
        exit_code=exit_code,
        reason=reason,
        message=_shortened(": ".join(filter(None, (message, left))), situation),
        started_at=_started_at(held, allocation.task_states.get(task), run, identity),
        finished_at=from_nanoseconds(run.terminated.time),
        container_id=identity,
    )


def _outcome(details: dict[str, str], run: EndedRun) -> tuple[int, str, str]:
    exit_code = int(details.get("exit_code") or 0)
    if details.get("oom_killed") == "true":
        return exit_code or _UNKNOWN_EXIT, "OOMKilled", run.sibling
    if exit_code < 0:
        # The client lost sight of the process: its exit code is not known.
        return _UNKNOWN_EXIT, LOCATION_LOST, details.get("exit_message", "")
    return exit_code, "Error" if exit_code else "Completed", run.sibling


def _shortened(message: str, situation: Situation) -> str:
    """As much of it as all messages of a Pod may have together allows (kubelet/status normalizeStatus)."""
    spec = situation.pod.spec
    most = _MESSAGES // (len(spec.every_container) + len(spec.ephemeral_containers))
    return message.encode()[:most].decode(errors="ignore") if len(message) > most // 4 else message


def _started_at(held: ContainerStatus | None, state: TaskState | None, run: EndedRun, identity: str) -> datetime | None:
    if held is not None and held.state.running is not None and _same(held.container_id, identity):
        return held.state.running.started_at
    if run.started is not None:
        return from_nanoseconds(run.started.time)
    started = from_rfc3339(state.started_at) if state is not None else None
    ended = from_nanoseconds(run.terminated.time)
    return started if started is not None and ended is not None and started <= ended else None


def _remembered(held: ContainerStatus | None, identity: str) -> ContainerStateTerminated | None:
    """What the API holds about the run before, of a task that may have begun another one since."""
    if held is None:
        return None
    if held.state.running is not None or _same(held.container_id, identity):
        return held.last_state.terminated
    return held.state.terminated or held.last_state.terminated


def _seen_end(held: ContainerStatus | None, identity: str) -> ContainerStateTerminated | None:
    if held is None:
        return None
    for state in (held.state, held.last_state):
        if state.terminated is not None and _same(state.terminated.container_id, identity):
            return state.terminated
    return None


def _identity(situation: Situation, held: ContainerStatus | None, allocation: Allocation, task: str, run: int) -> str:
    plain = str(container_id.ContainerId(allocation.id, task, run))
    known = situation.facts.run_positions.get(task, "")
    if held is not None:
        if _same(held.container_id, plain) and "@" in held.container_id:
            return held.container_id
        seen = _seen_end(held, plain)
        if seen is not None and "@" in seen.container_id:
            return seen.container_id
    return known if _same(known, plain) else plain


def _same(one: str, other: str) -> bool:
    return container_id.identity(one) == container_id.identity(other)


def _task_state(situation: Situation, task: str) -> TaskState | None:
    return None if situation.current is None else situation.current.task_states.get(task)
