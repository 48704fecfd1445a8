import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.pods.observations import NOW, RUNNING, UID, allocation, started
from tests.unit.view.objects import Notified, view
from translators.allocation_to_status import EventNote
from translators.health import Health
from translators.records.pods import Pod, PodUid
from translators.records.probes import ProbeKind
from translators.support import decode_pod
from vnode.probes.answers import Answer, Outcome
from vnode.probes.prober import Prober
from vnode.probes.questions import Question

RUN = "nomad://a1/app/0"
YES, NO = Answer(Outcome.SUCCESS), Answer(Outcome.FAILURE, "no")


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class Container:
    """Answers what it was told to, and remembers what it was asked and when."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.asked: list[tuple[float, str]] = []
        self.answers: dict[ProbeKind, Answer] = {}
        self.hangs = asyncio.Event()
        self.hangs.set()

    async def ask(self, question: Question) -> Answer:
        kind = next(kind for kind, probe in question.container.probes.items() if probe is question.probe)
        self.asked.append((self.clock.time, str(kind)))
        await self.hangs.wait()
        return self.answers.get(kind, YES)


class Recorded:
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def record(self, pod: Pod, event: EventNote) -> None:
        assert pod.uid == UID
        self.reasons.append(event.reason)


def probed(*, status: dict[str, Any] | None = None, leaving: bool = False, **probes: dict[str, Any]) -> Pod:
    fields = {f"{kind}Probe": {"tcpSocket": {"port": 80}, **settings} for kind, settings in probes.items()}
    metadata = {"name": "web-1", "namespace": "shop", "uid": UID, "resourceVersion": "1"}
    if leaving:
        metadata |= {"deletionTimestamp": NOW.isoformat(), "resourceVersion": "2"}
    spec = {"containers": [{"name": "app", "image": "x", **fields}]}
    return decode_pod({"metadata": metadata, "spec": spec, "status": status or {"phase": "Pending"}})


class Stage:
    """A Pod that runs, and a prober at work."""

    def __init__(self) -> None:
        self.clock, self.changed, self.recorded = Clock(), Notified(), Recorded()
        self.container = Container(self.clock)
        self.view = view()
        self.prober = Prober(
            self.view, self.recorded, self.changed, clock=self.clock, now=lambda: NOW, random=lambda: 0.5
        )

    @property
    def health(self) -> Health | None:
        return self.view.health.of(UID).get("app")

    def show(self, pod: Pod, *, restarts: int = 0, state: str = "running") -> None:
        self.view.pods.apply(pod)
        index = 11 + restarts * 2 + (state != "running")
        seen = allocation("running", state=state, restarts=restarts, events=(started(),))
        self.view.jobs.apply_allocation(replace(seen, modify_index=index))
        self.prober.wake(UID)

    async def at(self, seconds: float) -> None:
        """Let the clock stand at so many seconds after the beginning, and everything happen that is due."""
        self.clock.time = 1000.0 + seconds
        self.prober.hurry()
        for _ in range(20):
            await asyncio.sleep(0)

    def asked(self) -> list[tuple[float, str]]:
        return [(time - 1000.0, kind) for time, kind in self.container.asked]


@asynccontextmanager
async def working(stage: Stage) -> AsyncIterator[Stage]:
    task = asyncio.create_task(stage.prober.run(stage.container))
    try:
        yield stage
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_pod_without_probes_is_not_asked() -> None:
    async with working(Stage()) as stage:
        stage.show(probed())
        await stage.at(100)
        assert (len(stage.prober), stage.asked()) == (0, [])


async def test_a_probe_is_asked_at_once_and_then_every_period() -> None:
    async with working(Stage()) as stage:
        stage.show(probed(readiness={"periodSeconds": 3}))
        for second in range(8):
            await stage.at(second)
        assert stage.asked() == [(0, "Readiness"), (3, "Readiness"), (6, "Readiness")]


async def test_the_initial_delay_is_waited_for() -> None:
    async with working(Stage()) as stage:
        stage.show(probed(readiness={"initialDelaySeconds": 5}))
        await stage.at(4)
        assert stage.asked() == []
        await stage.at(5)
        assert stage.asked() == [(5, "Readiness")]


async def test_a_verdict_wakes_the_pod_and_the_same_one_does_not() -> None:
    async with working(Stage()) as stage:
        stage.show(probed(readiness={"periodSeconds": 1}))
        await stage.at(0)
        assert stage.health == Health(run=RUN, started=True, ready=True)
        assert stage.changed.take() == {UID}
        await stage.at(1)
        assert stage.changed.take() == set()


async def test_the_others_begin_as_soon_as_the_startup_probe_has_its_verdict() -> None:
    async with working(Stage()) as stage:
        stage.container.answers[ProbeKind.STARTUP] = NO
        stage.show(probed(startup={"periodSeconds": 2, "failureThreshold": 9}, readiness={}, liveness={}))
        await stage.at(0)
        stage.container.answers[ProbeKind.STARTUP] = YES
        await stage.at(2)
        assert stage.asked()[:2] == [(0, "Startup"), (2, "Startup")]
        assert sorted(stage.asked()[2:]) == [(2, "Liveness"), (2, "Readiness")]


async def test_what_fails_is_told_after_the_start_of_its_run() -> None:
    """The status is written while the first question is asked; its echo may come before the start is told."""
    async with working(Stage()) as stage:
        stage.container.answers[ProbeKind.READINESS] = NO
        stage.show(probed(readiness={"periodSeconds": 1}))
        await stage.at(0)
        assert (len(stage.asked()), stage.recorded.reasons) == (1, [])
        stage.show(probed(status=RUNNING, readiness={"periodSeconds": 1}))
        assert stage.recorded.reasons == []
        stage.prober.published(UID)
        assert stage.recorded.reasons == ["Unhealthy"]
        await stage.at(1)
        assert stage.recorded.reasons == ["Unhealthy", "Unhealthy"]


async def test_what_fails_is_told_also_when_nobody_says_that_the_start_was() -> None:
    """The answer to a write may be lost; that it was done is seen, and nothing is told with it."""
    async with working(Stage()) as stage:
        stage.container.answers[ProbeKind.READINESS] = NO
        stage.show(probed(readiness={"periodSeconds": 5}))
        await stage.at(0)
        stage.show(probed(status=RUNNING, readiness={"periodSeconds": 5}))
        await stage.at(1)
        assert stage.recorded.reasons == []
        await stage.at(5)
        assert stage.recorded.reasons == ["Unhealthy"]


async def test_what_failed_its_liveness_is_not_asked_again_until_another_run() -> None:
    async with working(Stage()) as stage:
        stage.container.answers[ProbeKind.LIVENESS] = NO
        stage.show(probed(liveness={"periodSeconds": 1, "failureThreshold": 2}))
        for second in range(5):
            await stage.at(second)
        assert stage.asked() == [(0, "Liveness"), (1, "Liveness")]
        assert stage.health == Health(run=RUN, started=True, ready=True, failed=ProbeKind.LIVENESS)
        await stage.at(5)
        stage.show(probed(liveness={"periodSeconds": 1, "failureThreshold": 2}), restarts=1)
        await stage.at(5)
        assert stage.asked()[2:] == [(5, "Liveness")]


async def test_an_answer_about_a_run_that_ended_is_thrown_away() -> None:
    async with working(Stage()) as stage:
        stage.container.hangs.clear()
        stage.show(probed(readiness={}))
        await stage.at(0)
        stage.show(probed(readiness={}), restarts=1, state="pending")
        stage.container.hangs.set()
        await stage.at(1)
        assert (stage.health, stage.changed.take()) == (None, set())


async def test_a_probe_that_is_slow_is_asked_once_at_a_time() -> None:
    async with working(Stage()) as stage:
        stage.container.hangs.clear()
        stage.show(probed(readiness={"periodSeconds": 1}))
        for second in range(5):
            await stage.at(second)
        assert stage.asked() == [(0, "Readiness")]
        stage.container.hangs.set()
        await stage.at(5)
        assert stage.asked() == [(0, "Readiness"), (5, "Readiness")]


@pytest.mark.parametrize("gone", ["ended", "deleted"])
async def test_nothing_is_kept_of_what_is_gone(gone: str) -> None:
    async with working(Stage()) as stage:
        pod = probed(readiness={})
        stage.show(pod)
        assert len(stage.prober) == 1
        if gone == "ended":
            stage.show(pod, state="dead")
        else:
            stage.view.pods.remove(pod)
            stage.prober.wake(UID)
        await stage.at(100)
        assert (len(stage.prober), stage.asked()) == (0, [])


async def test_a_pod_that_leaves_is_asked_for_its_readiness_only() -> None:
    async with working(Stage()) as stage:
        stage.show(probed(readiness={"periodSeconds": 1}, liveness={"periodSeconds": 1}))
        await stage.at(0)
        stage.show(probed(readiness={"periodSeconds": 1}, liveness={"periodSeconds": 1}, leaving=True))
        await stage.at(1)
        await stage.at(2)
        assert [kind for time, kind in stage.asked() if time] == ["Readiness", "Readiness"]


async def test_a_run_that_was_ready_before_we_began_stays_so_and_is_asked_in_its_own_time() -> None:
    async with working(Stage()) as stage:
        stage.show(probed(status=RUNNING, readiness={"periodSeconds": 10}, liveness={"periodSeconds": 10}))
        await stage.at(4)
        assert (stage.asked(), stage.health) == ([], None)
        await stage.at(5)
        assert sorted(kind for _, kind in stage.asked()) == ["Liveness", "Readiness"]
        assert stage.health == Health(run=RUN, started=True, ready=True)


async def test_a_run_that_was_told_of_just_now_is_asked_at_once() -> None:
    """As one is whose postStart hook is done: before, it was not to be asked."""
    shown: Any = RUNNING["containerStatuses"]
    young = {**RUNNING, "containerStatuses": [{**shown[0], "state": {"running": {"startedAt": NOW.isoformat()}}}]}
    async with working(Stage()) as stage:
        stage.show(probed(status=young, readiness={"periodSeconds": 10}))
        await stage.at(0)
        assert stage.asked() == [(0, "Readiness")]


async def test_the_initial_delay_of_such_a_run_counts_from_its_own_beginning() -> None:
    assert (NOW - timedelta(seconds=59)).strftime("%FT%TZ") in str(RUNNING)
    async with working(Stage()) as stage:
        stage.show(probed(status=RUNNING, liveness={"periodSeconds": 2, "initialDelaySeconds": 70}))
        await stage.at(10)
        assert stage.asked() == []
        await stage.at(11)
        assert stage.asked() == [(11, "Liveness")]


async def test_a_defect_met_with_one_probe_does_not_end_the_others() -> None:
    class Broken(Container):
        async def ask(self, question: Question) -> Answer:
            await super().ask(question)
            raise AssertionError

    stage = Stage()
    stage.container = Broken(stage.clock)
    async with working(stage):
        stage.show(probed(readiness={"periodSeconds": 1}))
        stage.show(probed(status=RUNNING, readiness={"periodSeconds": 1}))
        stage.prober.published(UID)
        await stage.at(0)
        await stage.at(1)
        assert [time for time, _ in stage.asked()] == [0, 1]
        assert stage.recorded.reasons == ["Unhealthy", "Unhealthy"]


def test_a_wake_of_a_stranger_is_harmless() -> None:
    stage = Stage()
    stage.prober.wake(PodUid("nobody"))
    assert len(stage.prober) == 0
