import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
import structlog

from tests.unit.kubelet.api import OLD, OUTAGE, Everything, FakeUsage, running_pod, task_usage
from translators.records.allocations import Client
from translators.records.pods import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateWaiting,
    ContainerStatus,
    ObjectMeta,
    Pod,
    PodStatus,
)
from vnode.errors import Denied
from vnode.kubelet.stats.cpu_counter import LEAST_SECONDS
from vnode.kubelet.stats.ledger import UNMEASURED
from vnode.kubelet.stats.measurements import KEPT, Measurements
from vnode.nomad.usage import AllocationUsage, ClientUsage, HostCore, HostMemory

CLIENTS = (Client(id="c1", status="ready"), Client(id="c2", status="ready"), Client(id="c3", status="down"))


@dataclass
class Scene:
    usage: FakeUsage = field(default_factory=FakeUsage)
    everything: Everything = field(default_factory=Everything)
    clock: float = 0.0
    clients: Iterable[Client] = CLIENTS
    now: int = 9

    def __post_init__(self) -> None:
        self.measurements = Measurements(
            self.usage,
            self.everything,
            lambda: self.clients,
            clock=lambda: self.clock,
            now=lambda: self.now,
            within=0.05,
        )

    def runs(self, name: str, seconds: float = 0, percent: float = 50.0) -> None:
        self.everything.known[name] = running_pod(name)
        self.usage.allocations[name] = AllocationUsage(tasks={"web": task_usage(seconds, percent)})


def busy(percent: float, timestamp: int = 1, memory: int = 100) -> ClientUsage:
    return ClientUsage(
        memory=HostMemory(total=memory, available=40), cores=(HostCore(total_percent=percent),), timestamp=timestamp
    )


async def test_without_anybody_asking_nothing_is_asked() -> None:
    scene = Scene()
    scene.runs("shop")
    assert scene.usage.asked == []


async def test_all_who_ask_at_the_same_time_cost_one_round() -> None:
    scene = Scene()
    scene.runs("shop")
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(scene.measurements.current())
    assert sorted(scene.usage.asked) == ["c1", "c2", "shop"]


async def test_an_answer_is_kept_for_a_while() -> None:
    scene = Scene()
    scene.runs("shop")
    first = await scene.measurements.current()
    scene.clock = KEPT - 0.1
    assert await scene.measurements.current() is first
    scene.clock = KEPT
    assert await scene.measurements.current() is not first


async def test_who_gives_up_does_not_leave_the_others_without() -> None:
    scene = Scene()
    scene.runs("shop")
    async with asyncio.TaskGroup() as group:
        impatient = group.create_task(scene.measurements.current())
        patient = group.create_task(scene.measurements.current())
        await asyncio.sleep(0)
        impatient.cancel()
    assert [pod.name for pod in patient.result().pods] == ["shop"]


async def test_a_full_node_is_asked_a_few_at_a_time() -> None:
    scene = Scene(clients=())
    most, now = 0, 0

    class Counting(FakeUsage):
        async def allocation_usage(self, allocation_id: str) -> AllocationUsage:  # noqa: ARG002 - all are alike
            nonlocal most, now
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1
            return AllocationUsage(tasks={"web": task_usage(0, 1.0)})

    scene.usage = Counting()
    scene.__post_init__()
    for number in range(50):
        scene.everything.known[f"pod-{number}"] = running_pod(f"pod-{number}")
    assert len((await scene.measurements.current()).pods) == 50
    assert most == 4


async def test_a_slow_client_costs_only_its_own_pods() -> None:
    class Slow(FakeUsage):
        async def allocation_usage(self, allocation_id: str) -> AllocationUsage:
            if allocation_id == "slow":
                await asyncio.Event().wait()
            return await super().allocation_usage(allocation_id)

    scene = Scene(usage=Slow())
    scene.runs("shop")
    scene.runs("slow")
    snapshot = await scene.measurements.current()
    assert [pod.name for pod in snapshot.pods] == ["shop"]
    assert snapshot.problem == "Nomad did not answer for everything within 0.05 s"


async def test_cpu_seconds_grow_between_rounds() -> None:
    scene = Scene()
    scene.runs("shop", seconds=0)
    assert (await scene.measurements.current()).pods[0].cpu_seconds == LEAST_SECONDS
    scene.clock = 15
    scene.runs("shop", seconds=15)
    assert (await scene.measurements.current()).pods[0].cpu_seconds == LEAST_SECONDS + 7.5


async def test_a_pod_is_whole_or_missing() -> None:
    running = ContainerState(running=ContainerStateRunning())
    scene = Scene()
    scene.everything.known["pair"] = Pod(
        metadata=ObjectMeta(name="pair", namespace="default"),
        status=PodStatus(
            container_statuses=(
                ContainerStatus(name="one", state=running, container_id="nomad://pair/one/0"),
                ContainerStatus(name="two", state=running, container_id="nomad://pair/two/0"),
                ContainerStatus(name="waits", state=ContainerState(waiting=ContainerStateWaiting())),
            )
        ),
    )
    scene.usage.allocations["pair"] = AllocationUsage(tasks={"one": task_usage(0, 1.0), "waits": task_usage(0, 1.0)})
    assert (await scene.measurements.current()).pods == ()
    scene.clock = KEPT
    scene.usage.allocations["pair"] = AllocationUsage(tasks={"one": task_usage(9, 1.0), "two": task_usage(9, 1.0)})
    pod = (await scene.measurements.current()).pods[0]
    assert [container.name for container in pod.containers] == ["one", "two"]


@pytest.mark.parametrize(("age", "problem"), [(29, ""), (31, UNMEASURED)])
async def test_clients_that_measure_no_tasks_are_told_what_to_set(age: int, problem: str) -> None:
    scene = Scene(now=int(OLD.timestamp() + age) * 10**9)
    scene.everything.known["shop"] = running_pod("shop")
    scene.usage.allocations["shop"] = AllocationUsage()
    assert (await scene.measurements.current()).problem == problem


async def test_the_node_is_the_sum_of_its_ready_clients() -> None:
    scene = Scene()
    scene.usage.clients = {"c1": busy(50.0), "c2": busy(25.0), "c3": busy(99.0)}
    node = (await scene.measurements.current()).node
    assert node is not None
    assert (node.host.cores, node.host.memory_total, node.working_set) == (0.75, 200, 120)


async def test_the_nodes_counter_does_not_go_back_with_a_client_that_leaves() -> None:
    scene = Scene()
    scene.usage.clients = {"c1": busy(100.0, 10**9), "c2": busy(100.0, 10**9)}
    await scene.measurements.current()
    scene.clock = 10
    scene.usage.clients = {"c1": busy(100.0, 11 * 10**9), "c2": busy(100.0, 11 * 10**9)}
    before = (await scene.measurements.current()).node
    scene.clock = 20
    del scene.usage.clients["c2"]
    scene.usage.clients["c1"] = busy(100.0, 12 * 10**9)
    after = (await scene.measurements.current()).node
    assert before is not None
    assert after is not None
    assert before.cpu_seconds == pytest.approx(20 + 2 * LEAST_SECONDS)
    assert after.cpu_seconds == pytest.approx(21 + 2 * LEAST_SECONDS)


async def test_an_outage_is_said_once_and_leaves_nothing() -> None:
    scene = Scene()
    scene.runs("shop")
    scene.usage.outage = OUTAGE
    with structlog.testing.capture_logs() as logged:
        for second in (0, 10, 20):
            scene.clock = second
            snapshot = await scene.measurements.current()
            assert (snapshot.pods, snapshot.node, snapshot.problem) == ((), None, str(OUTAGE))
    assert [line["problem"] for line in logged] == [str(OUTAGE)]


async def test_missing_rights_are_said() -> None:
    scene = Scene()
    scene.runs("shop")
    scene.usage.outage = Denied("Permission denied")
    assert (await scene.measurements.current()).problem == "Permission denied"


async def test_what_has_gone_is_no_problem() -> None:
    scene = Scene()
    scene.everything.known["gone"] = running_pod("gone")
    snapshot = await scene.measurements.current()
    assert (snapshot.pods, snapshot.problem) == ((), "")
