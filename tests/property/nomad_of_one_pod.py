"""Nomad as far as one Pod is concerned: its job, and the allocations that come and go for it."""

from datetime import timedelta

from tests.unit.translators.allocation_to_status.samples import SECOND, START, YEARS, event, facts
from translators.allocation_to_status import Facts
from translators.records.allocations import Allocation, DesiredTransition, TaskEvent, TaskState
from translators.records.pods import Pod

_KEPT_EVENTS = 10


class Task:
    """One task as Nomad's client runs it, by its own restart policy."""

    def __init__(self, policy: str) -> None:
        self.policy = policy
        self.state = "pending"
        self.failed = False
        self.restarts = 0
        self.started_at: str | None = None
        self.events: list[TaskEvent] = []

    @property
    def up(self) -> bool:
        return self.state == "running"

    def record(self) -> TaskState:
        return TaskState(
            state=self.state,
            failed=self.failed,
            restarts=self.restarts,
            started_at=self.started_at,
            events=tuple(self.events),
        )


class Nomad:
    """A job of one group and the allocations that come and go for it."""

    def __init__(self, subject: Pod) -> None:
        self.policy = subject.spec.restart_policy
        self.mains = [each.name for each in subject.spec.containers]
        self.first = {each.name: each.is_sidecar for each in subject.spec.init_containers}
        self.names = [*self.first, *self.mains]
        self.clock = 0
        self.allocations: list[dict[str, object]] = []
        self.tasks: list[dict[str, Task]] = []
        self.count = 0

    def act(self, action: str, argument: object) -> None:
        self.clock += 1
        getattr(self, action.replace(" ", "_"))(argument)
        if self.allocations and self._is_live():
            self._report()

    def facts(self) -> Facts:
        return facts(
            *(
                Allocation(**known, task_states={name: task.record() for name, task in tasks.items()})  # type: ignore[arg-type]
                for known, tasks in zip(self.allocations, self.tasks, strict=True)
            ),
            run_positions={},
        )

    def place(self, _: object) -> None:
        if self.allocations and self._is_live():
            return
        self._append()

    def _append(self) -> None:
        self.count += 1
        self.allocations.append({"id": f"alloc-{self.count}", "job_id": "vk-1", "client_status": "pending"})
        self.tasks.append({name: Task(self._policy_of(name)) for name in self.names})

    def _policy_of(self, name: str) -> str:
        if name not in self.first:
            return self.policy
        if self.first[name]:
            return "Always"
        return "Never" if self.policy == "Never" else "OnFailure"

    def setup(self, index: object) -> None:
        self._emit(self._task(index), event("Task Setup", self.clock))

    def noise(self, index: object) -> None:
        task = self._task(index)
        if task is not None and task.up:
            for _ in range(_KEPT_EVENTS):
                self._emit(task, event("Signaling", self.clock))

    def start(self, index: object) -> None:
        task = self._task(index)
        if task is None or not self._may_start(task):
            return
        task.state = "running"
        task.started_at = f"{START + timedelta(seconds=self.clock):%Y-%m-%dT%H:%M:%SZ}"
        self._emit(task, event("Started", self.clock))

    def exit(self, argument: object) -> None:
        assert isinstance(argument, tuple)
        index, code = argument
        task = self._task(index)
        if task is None or not task.up:
            return
        self._emit(task, event("Terminated", self.clock, exit_code=str(code)))
        self._decide(task, code)

    def pull_fails(self, index: object) -> None:
        self._fail_start(index, "Failed to pull `web:1`: refused")

    def cannot_start(self, index: object) -> None:
        self._fail_start(index, 'binary "nope" could not be found')

    def stop(self, _: object) -> None:
        self._end("alloc not needed due to job update")

    def drain(self, _: object) -> None:
        self._end("alloc is being migrated", desired_transition=DesiredTransition(migrate=True))
        if self.policy == "Always":
            self.place(None)

    def update(self, _: object) -> None:
        """An update places the next allocation before the old one has ended."""
        if self.allocations and self._is_live() and self.policy != "Never":
            why = "alloc is being updated due to job update"
            self.allocations[-1].update({"desired_status": "stop", "desired_description": why})
            self._append()

    def settle(self, _: object) -> None:
        """Allocations that have successors come to their end."""
        for index in range(len(self.allocations) - 1):
            if self.allocations[index]["client_status"] in {"pending", "running"}:
                self._kill_all(index)

    def preempt(self, _: object) -> None:
        self._end("Preempted by alloc ID x", desired_status="evict")

    def lose(self, _: object) -> None:
        if self.allocations and self._is_live():
            pending = self.allocations[-1]["client_status"] == "pending"
            self.allocations[-1]["client_status"] = "lost" if pending else "unknown"
            if pending:
                self.allocations[-1]["desired_status"] = "stop"
                self.place(None)

    def reconnect(self, _: object) -> None:
        if self.allocations and self.allocations[-1]["client_status"] == "unknown":
            self._report()

    def forget(self, _: object) -> None:
        if len(self.allocations) > 1:
            del self.allocations[0], self.tasks[0]

    def purge(self, _: object) -> None:
        if self.policy != "Never":
            self.allocations.clear()
            self.tasks.clear()

    def _is_live(self) -> bool:
        return self.allocations[-1]["client_status"] in {"pending", "running"}

    def _is_fenced(self) -> bool:
        return self.policy == "Never" and self.count > 1

    def _is_parked(self, task: Task) -> bool:
        return any(each.details.get("start_delay") == str(YEARS) for each in task.events)

    def _may_start(self, task: Task) -> bool:
        """Init containers take turns, a sidecar's start is enough for what follows it."""
        if task.state != "pending" or self._is_fenced() or self._is_parked(task):
            return False
        for name, is_sidecar in self.first.items():
            before = self.tasks[-1][name]
            if before is task:
                return True
            if not (before.started_at if is_sidecar else before.state == "dead" and not before.failed):
                return False
        return True

    def _task(self, index: object) -> Task | None:
        assert isinstance(index, int)
        if not self.allocations or not self._is_live():
            return None
        return self.tasks[-1][self.names[index % len(self.names)]]

    def _emit(self, task: Task | None, *events: TaskEvent) -> None:
        if task is not None and task.state != "dead":
            task.events = [*task.events, *events][-_KEPT_EVENTS:]

    def _decide(self, task: Task, code: int) -> None:
        parks = self.policy == task.policy == "Never" and self._is_main(task) and len(self.mains) > 1 and code
        if parks or restarts(task.policy, code):
            task.state = "pending"
            task.restarts += 1
            delay = YEARS if parks else 10 * SECOND
            self._emit(task, event("Restarting", self.clock, start_delay=str(delay)))
        elif code:
            self._give_up(task)
        else:
            task.state = "dead"
            if all(self.tasks[-1][name].state == "dead" for name in self.mains):
                self._kill_all()
            self._report()

    def _is_main(self, task: Task) -> bool:
        return any(self.tasks[-1][name] is task for name in self.mains)

    def _give_up(self, task: Task) -> None:
        self._emit(task, event("Not Restarting", self.clock, fails_task="true"))
        task.failed, task.state = True, "dead"
        self._kill_all(-1, event("Sibling Task Failed", self.clock, "sibling failed"))

    def _fail_start(self, index: object, text: str) -> None:
        task = self._task(index)
        if task is None or not self._may_start(task):
            return
        self._emit(task, event("Driver Failure", self.clock, driver_error=text))
        if task.policy == "Never":
            self._give_up(task)
        else:
            task.restarts += 1
            self._emit(task, event("Restarting", self.clock, start_delay=str(10 * SECOND)))

    def _kill_all(self, index: int = -1, *why: TaskEvent) -> None:
        for task in self.tasks[index].values():
            if task.state == "dead":
                continue
            self._emit(task, *why, event("Killing", self.clock))
            if task.up:
                self._emit(task, event("Terminated", self.clock, exit_code="143"))
            task.state = "dead"
        self._report(index)

    def _end(self, description: str, **more: object) -> None:
        if self.allocations and self._is_live():
            self.allocations[-1].update({"desired_status": "stop", "desired_description": description, **more})
            self._kill_all()

    def _report(self, index: int = -1) -> None:
        """Nomad client getClientStatus."""
        tasks = self.tasks[index].values()
        if any(task.state == "dead" and task.failed for task in tasks):
            status = "failed"
        elif any(task.up for task in tasks):
            status = "running"
        elif any(task.state == "pending" for task in tasks):
            status = "pending"
        else:
            status = "complete"
        self.allocations[index]["client_status"] = status


def restarts(policy: str, exit_code: int) -> bool:
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)
