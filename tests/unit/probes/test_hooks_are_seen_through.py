import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.unit.translators.pods import container, pod
from translators.allocation_to_status import EventNote
from translators.container_id import ContainerId
from translators.hooks import HookOfRun, HookState
from translators.identity import job_id, meta
from translators.records.allocations import Allocation, TaskState
from translators.records.hooks import HookKind
from translators.records.jobs import JobStub
from translators.records.pods import Pod, PodUid
from vnode.probes.answers import Answer, Outcome
from vnode.probes.hooks import HookCall, HookRunner
from vnode.view.runs import RunWatch
from vnode.view.view import View

RUN = ContainerId("a1", "web", 0)
HOOK = HookOfRun(str(RUN), HookKind.PRE_STOP)


class Scene:
    """A Pod whose container is up, and who does what its hooks say."""

    def __init__(self, hook: dict[str, Any], *answers: Answer) -> None:
        self.pod: Pod = pod(container(lifecycle={"preStop": hook}))
        self.view = View(
            cluster="c1", node="nomad", changed=self._wake, capacity_changed=lambda: None, clock=lambda: 0.0
        )
        self.runs = RunWatch(self.view)
        self.answers = list(answers)
        self.events: list[EventNote] = []
        self.told = asyncio.Event()
        self.runner = HookRunner(self.view, self.runs, self, self._changed)
        self.view.pods.replace([self.pod])
        self.view.jobs.apply_job(JobStub(id=job_id(self.pod.uid), meta=meta(self.pod, "c1", "nomad"), modify_index=1))
        self.place("running", 1)

    def place(self, state: str, index: int) -> None:
        states = {"web": TaskState(state=state, started_at="2026-01-01T12:00:00Z")}
        self.view.jobs.apply_allocation(
            Allocation(id="a1", job_id=job_id(self.pod.uid), task_states=states, modify_index=index)
        )

    def state(self) -> HookState:
        return self.view.observation(self.pod.uid).memory.hooks[HOOK]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self.runner.run(self))
            yield
            task.cancel()

    def begin(self, within: float | None = None) -> None:
        self.runner.begin(self.pod, "web", RUN, HookKind.PRE_STOP, within)

    async def do(self, call: HookCall) -> Answer:
        assert (call.run, call.kind) == (RUN, HookKind.PRE_STOP)
        if not self.answers:
            await asyncio.Event().wait()
        return self.answers.pop(0)

    def record(self, pod: Pod, event: EventNote) -> None:
        assert pod.uid == self.pod.uid
        self.events.append(event)

    def _wake(self, uid: PodUid) -> None:
        if hasattr(self, "runs"):
            self.runs.wake(uid)

    def _changed(self, _: PodUid) -> None:
        self.told.set()


@pytest.mark.parametrize("outcome", [Outcome.SUCCESS, Outcome.WARNING])
async def test_what_it_came_to_is_remembered_and_told(outcome: Outcome) -> None:
    scene = Scene({"exec": {"command": ["true"]}}, Answer(outcome))
    scene.begin()
    assert scene.state() is HookState.BEGUN
    async with scene.running():
        await scene.told.wait()
    assert scene.state() is HookState.DONE
    assert scene.events == []


async def test_a_failure_is_an_event_that_says_nothing_of_its_output() -> None:
    scene = Scene({"exec": {"command": ["x"]}}, Answer(Outcome.FAILURE, "password=hunter2"))
    async with scene.running():
        scene.begin()
        await scene.told.wait()
    assert scene.state() is HookState.FAILED
    assert scene.events == [EventNote("Warning", "FailedPreStopHook", "PreStopHook failed", "spec.containers{web}")]


async def test_a_hook_without_an_end_is_given_up_in_time() -> None:
    scene = Scene({"exec": {"command": ["sleep", "60"]}})
    async with scene.running():
        scene.begin(within=0.01)
        await scene.told.wait()
    assert scene.state() is HookState.LATE
    assert scene.events == []


async def test_a_hook_is_over_when_its_run_is() -> None:
    scene = Scene({"sleep": {"seconds": 3600}})
    async with scene.running():
        scene.begin()
        await asyncio.sleep(0)
        scene.place("dead", 2)
        await scene.told.wait()
    assert scene.state() is HookState.DONE


async def test_time_passes_without_asking_anybody() -> None:
    scene = Scene({"sleep": {"seconds": 0}})
    async with scene.running():
        scene.begin()
        await scene.told.wait()
    assert scene.state() is HookState.DONE


async def test_of_earlier_runs_nothing_is_remembered() -> None:
    scene = Scene({"sleep": {"seconds": 0}})
    earlier, other = HookOfRun("nomad://a1/web/7", HookKind.PRE_STOP), HookOfRun("nomad://a1/side/0", HookKind.PRE_STOP)
    scene.view.remember(scene.pod.uid, hooks={earlier: HookState.DONE, other: HookState.DONE})
    scene.begin()
    assert scene.view.observation(scene.pod.uid).memory.hooks == {other: HookState.DONE, HOOK: HookState.BEGUN}
