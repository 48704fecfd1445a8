"""What the events and counters of one task tell about its runs.

Only the last ten events are kept, so counters come from `restarts`, and events only say what the newest
runs were like. Their order in the list is the order of things; clocks may jump. Source: nomad
client/allocrunner/taskrunner/task_runner.go.
"""

from dataclasses import dataclass, field

from translators.allocation_to_status.reasons import StartFailure, start_failure
from translators.records.allocations import TaskEvent, TaskState

_YEAR = 365 * 24 * 3600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that ended.

    `started` is its `Started` event where that is still kept. `killed` says that it was ended from outside,
    `sibling` holds Nomad's text when a sibling's failure was the cause.
    """

    number: int
    terminated: TaskEvent
    started: TaskEvent | None
    killed: bool
    sibling: str


@dataclass(frozen=True, slots=True)
class TaskHistory:
    """The runs of one task of one allocation.

    `run` numbers the run that is up, or that was last. `ended` holds the runs whose end is still kept, oldest
    first. `delay` (ns) is the wait before the next start, as long as that is pending; `parked` marks a wait
    for ever, which is how a job lets a task stay ended while its siblings live. `failure` is the last failure
    to start since the last run, `retries` that Nomad waits to try again. `killed` says that the wait for a
    start was ended from outside.
    """

    has_started: bool
    is_up: bool
    is_pending: bool
    run: int
    ended: tuple[EndedRun, ...]
    delay: int
    retries: bool
    failure: StartFailure | None
    killed: bool

    @property
    def parked(self) -> bool:
        """Whether the next start is so far away that the task has ended."""
        return self.delay > _YEAR

    @property
    def last(self) -> EndedRun | None:
        """The newest run whose end is known."""
        return self.ended[-1] if self.ended else None


@dataclass(slots=True)
class _Reader:
    """What is known while the events are read from the oldest to the newest."""

    ended: list[tuple[TaskEvent, TaskEvent | None, int, bool, str]] = field(default_factory=list)
    started: TaskEvent | None = None
    restarting: TaskEvent | None = None
    failure: StartFailure | None = None
    restarts: int = 0
    killing: bool = False
    sibling: str = ""

    def take(self, event: TaskEvent) -> None:
        match event.type:
            case "Started":
                self._begin_attempt()
                self.started = event
            case "Terminated":
                self.ended.append((event, self.started, self.restarts, self.killing, self.sibling))
                self._begin_attempt()
            case "Restarting":
                self.restarts += 1
                self.restarting = event
            case "Killing" | "Killed":
                self.killing = True
                self.failure = start_failure(event) or self.failure
            case "Sibling Task Failed":
                self.sibling = event.display_message
            case _:
                failure = start_failure(event)
                if failure is not None:
                    self.failure = failure
                    self.restarting = None

    def _begin_attempt(self) -> None:
        self.started = self.restarting = self.failure = None
        self.killing = False
        self.sibling = ""


def read(task: TaskState) -> TaskHistory:
    """Read a task's state and events."""
    reader = _Reader()
    for event in task.events:
        reader.take(event)
    ended = tuple(
        EndedRun(max(0, task.restarts - (reader.restarts - restarts)), terminated, started, killed, sibling)
        for terminated, started, restarts, killed, sibling in reader.ended
    )
    # Between a `Terminated` and the decision about a restart the state still says running.
    is_up = task.state == "running" and (reader.started is not None or not ended)
    has_started = is_up or bool(ended) or reader.started is not None or _is_set(task.started_at)
    restarting = reader.restarting
    return TaskHistory(
        has_started=has_started,
        is_up=is_up,
        is_pending=task.state == "pending",
        run=task.restarts if is_up or not ended else ended[-1].number,
        ended=ended,
        delay=int(restarting.details.get("start_delay") or 0) if restarting is not None else 0,
        retries=restarting is not None and task.state == "pending",
        failure=reader.failure,
        killed=reader.killing,
    )


def _is_set(time: str | None) -> bool:
    return bool(time) and not str(time).startswith("0001-")
