import pytest

from tests.unit.kubelet.api import task_usage
from vnode.kubelet.stats.usage import HostSample, Memory, TaskSample, Throttling, host_sample, task_sample
from vnode.nomad.usage import (
    ClientUsage,
    CpuUsage,
    HostCore,
    HostDisk,
    HostMemory,
    MemoryUsage,
    ResourceUsage,
    TaskUsage,
)

CGROUP_CPU = ("System Mode", "User Mode", "Throttled Periods", "Throttled Time", "Percent")
CGROUP_MEMORY = ("RSS", "Cache", "Swap", "Usage")


def usage(cpu: CpuUsage | None, memory: MemoryUsage | None, timestamp: int = 7) -> TaskUsage:
    return TaskUsage(resource_usage=ResourceUsage(cpu_stats=cpu, memory_stats=memory), timestamp=timestamp)


def cpu(percent: float = 50.0, measured: tuple[str, ...] = ("Percent",)) -> CpuUsage:
    return CpuUsage(percent=percent, throttled_periods=3, throttled_time=1_500_000_000, measured=measured)


def test_a_cgroup_tells_working_set_and_throttling() -> None:
    memory = MemoryUsage(rss=30, cache=40, usage=100, measured=CGROUP_MEMORY)
    assert task_sample(usage(cpu(150.0, CGROUP_CPU), memory)) == TaskSample(
        at=7,
        cores=1.5,
        memory=Memory(working_set=60, usage=100, rss=30, cache=40),
        throttling=Throttling(periods=3, seconds=1.5),
    )


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (MemoryUsage(rss=30, usage=999, measured=("RSS", "Swap")), Memory(working_set=30, rss=30)),
        (MemoryUsage(rss=30, usage=90, measured=("RSS", "Usage")), Memory(working_set=90, usage=90, rss=30)),
        (
            MemoryUsage(rss=3, cache=90, usage=90, measured=("RSS", "Cache", "Usage")),
            Memory(working_set=3, usage=90, rss=3, cache=90),
        ),
        (
            MemoryUsage(cache=90, usage=90, measured=("RSS", "Cache", "Usage")),
            Memory(working_set=90, usage=90, rss=0, cache=90),
        ),
        (MemoryUsage(rss=0, measured=("RSS",)), None),
        (MemoryUsage(rss=30, usage=90), None),
    ],
)
def test_memory_counts_as_far_as_it_was_measured(memory: MemoryUsage, expected: Memory | None) -> None:
    sample = task_sample(usage(cpu(), memory))
    assert (sample.memory if sample is not None else None) == expected


@pytest.mark.parametrize(
    "nothing",
    [
        None,
        TaskUsage(),
        usage(None, MemoryUsage(rss=1, measured=("RSS",))),
        usage(cpu(), None),
        usage(cpu(measured=()), MemoryUsage(rss=1, measured=("RSS",))),
        usage(cpu(), MemoryUsage(rss=1, measured=("RSS",)), timestamp=0),
    ],
)
def test_half_a_measurement_is_none(nothing: TaskUsage | None) -> None:
    assert task_sample(nothing) is None


def test_a_task_without_cgroup_has_no_throttling() -> None:
    sample = task_sample(task_usage(0, 12.5))
    assert sample is not None
    assert (sample.cores, sample.throttling) == (0.125, None)


def test_a_host_is_the_sum_of_its_cores() -> None:
    host = ClientUsage(
        memory=HostMemory(total=100, available=60),
        cores=(HostCore(total_percent=25.0), HostCore(total_percent=100.0)),
        alloc_dir_stats=HostDisk(size=9, used=4, available=5),
        timestamp=7,
    )
    assert host_sample(host) == HostSample(
        at=7, cores=1.25, memory_total=100, memory_available=60, disk_size=9, disk_used=4, disk_available=5
    )


@pytest.mark.parametrize("nothing", [ClientUsage(), ClientUsage(memory=HostMemory(total=9), timestamp=1)])
def test_a_host_that_was_not_measured_yet_is_none(nothing: ClientUsage) -> None:
    assert host_sample(nothing) is None
