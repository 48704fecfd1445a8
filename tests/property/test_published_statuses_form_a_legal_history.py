"""Whatever Nomad goes through, and whichever of its states are seen, the Pod's history stays a true one."""

from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.translators.allocation_to_status.api_server import ApiServer
from tests.unit.translators.allocation_to_status.samples import SECOND, START, YEARS, event, facts, pod
from translators import container_id
from translators.allocation_to_status import Facts, final_status, outcome, pod_events, pod_status, status_patch
from translators.records.allocations import Allocation, DesiredTransition, TaskEvent, TaskState
from translators.records.pods import Container, ContainerStatus, Pod, PodSpec, PodStatus

ORDER = {"Pending": 0, "Running": 1, "Succeeded": 2, "Failed": 2}
TERMINAL = {"Succeeded", "Failed"}
KEPT_EVENTS = 10
TASKS = (0, 1, 2)

MIGRATION = Container(name="migration", image="web:1")
PROXY = Container(name="proxy", image="web:1", restart_policy="Always")
#: Init containers and containers of a Pod.
Shape = tuple[tuple[Container, ...], tuple[str, ...]]
SHAPES: tuple[Shape, ...] = (
    ((), ("web",)),
    ((), ("web", "db")),
    ((MIGRATION,), ("web",)),
    ((PROXY,), ("web",)),
    ((MIGRATION, PROXY), ("web",)),
    ((PROXY, MIGRATION), ("web",)),
)

#: What happens often in a life stands here often: starts and ends, then what comes from outside.
ACTIONS = st.sampled_from(
    [
        *[("start", index) for index in TASKS] * 6,
        *[("exit", (index, code)) for index in TASKS for code in (0, 0, 1, 137)] * 2,
        *[(failure, index) for failure in ("pull fails", "cannot start", "setup", "noise") for index in TASKS],
        *[(event, None) for event in ("place", "purge", "update", "settle", "lose", "reconnect", "drain")] * 3,
        *[(event, None) for event in ("forget", "stop", "preempt")],
    ]
)


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
            for _ in range(KEPT_EVENTS):
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
            task.events = [*task.events, *events][-KEPT_EVENTS:]

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


def check_container(spec: PodSpec, old: ContainerStatus | None, new: ContainerStatus, *, final: bool) -> None:
    state = new.state
    first = {each.name: each.is_sidecar for each in spec.init_containers}
    runs_once_before = first.get(new.name) is False
    assert sum(each is not None for each in (state.waiting, state.running, state.terminated)) == 1
    if runs_once_before:
        assert new.ready == (state.terminated is not None and state.terminated.exit_code == 0)
    else:
        assert not new.ready or state.running is not None
    assert bool(new.started) == (state.running is not None)
    if state.running is not None:
        assert new.container_id
    if old is None:
        return
    assert new.restart_count >= old.restart_count
    assert not old.container_id or new.container_id
    ended = old.state.terminated
    if ended is not None and (final or not may_run_again(spec, new.name, ended.exit_code)):
        assert new == old
    if spec.restart_policy == "Never" and old.container_id and not first.get(new.name):
        assert container_id.identity(new.container_id) == container_id.identity(old.container_id)
        assert new.restart_count == old.restart_count


def may_run_again(spec: PodSpec, name: str, exit_code: int) -> bool:
    """Whether a container may run once more that ended; an init container does in another allocation."""
    for each in spec.init_containers:
        if each.name == name:
            return each.is_sidecar or spec.restart_policy != "Never"
    return restarts(spec.restart_policy, exit_code)


def check_step(spec: PodSpec, old: PodStatus, new: PodStatus) -> None:
    assert ORDER[new.phase] >= ORDER[old.phase]
    assert old.phase not in TERMINAL or new.phase == old.phase
    assert old.start_time in {None, new.start_time}
    every = (*new.init_container_statuses, *new.container_statuses)
    known = {each.name: each for each in (*old.init_container_statuses, *old.container_statuses)}
    for status in every:
        check_container(spec, known.get(status.name), status, final=old.phase in TERMINAL)
    if new.phase in TERMINAL:
        assert not any(each.state.running for each in every)
    conditions = {each.type: each for each in new.conditions}
    before = {each.type: each for each in old.conditions}
    lasting = {each.name for each in spec.lasting_containers}
    everything_ready = new.phase == "Running" and all(each.ready for each in every if each.name in lasting)
    assert (conditions["ContainersReady"].status == "True") == everything_ready
    assert (conditions["Ready"].status == "True") == everything_ready
    for name, condition in conditions.items():
        assert condition.last_transition_time is not None
        if name in before and before[name].status == condition.status:
            assert condition.last_transition_time == before[name].last_transition_time


def publish(server: ApiServer, desired: PodStatus, state: Facts, now: datetime) -> None:
    old = server.pod
    check_step(old.spec, old.status, desired)
    server.publish(desired)
    held = server.pod
    assert held.status.container_statuses == desired.container_statuses
    assert held.status.init_container_statuses == desired.init_container_statuses
    assert held.status.phase == desired.phase
    assert {each.type: each for each in held.status.conditions} == {each.type: each for each in desired.conditions}
    later = now + timedelta(seconds=30)
    again = pod_status(held, state, later)
    assert status_patch(held, again) is None
    assert pod_events(held, again) == ()


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
@settings(max_examples=100, deadline=None)
@given(shape=st.sampled_from(SHAPES), steps=st.lists(st.tuples(ACTIONS, st.booleans()), min_size=8, max_size=24))
@example(
    shape=SHAPES[0],
    steps=[
        (("pull fails", 0), False),
        (("start", 0), True),
        (("exit", (0, 0)), False),
        (("pull fails", 0), True),
    ],
)
def test_any_history(policy: str, shape: Shape, steps: list[tuple[tuple[str, object], bool]]) -> None:
    first, containers = shape
    subject = pod(policy, containers=containers, init=first)
    nomad, server = Nomad(subject), ApiServer(subject)
    for index, ((action, argument), seen) in enumerate([(("place", None), True), *steps]):
        nomad.act(action, argument)
        if not seen:
            continue
        now = START + timedelta(seconds=index, milliseconds=377)
        state = nomad.facts()
        outcome(server.pod, state)
        publish(server, pod_status(server.pod, state, now), state, now)
    end = START + timedelta(hours=1)
    final = final_status(server.pod, nomad.facts(), end)
    assert final.phase in TERMINAL
    publish(server, final, nomad.facts(), end)
