"""What was measured at one moment, and how Nomad's measurements become it."""

from collections.abc import Mapping
from dataclasses import dataclass

from vnode.nomad.usage import ClientUsage, CpuUsage, MemoryUsage, TaskUsage

_NANOSECONDS = 1e9
_PER_CENT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes; None is what the driver does not measure. The working set is never 0.

    Swap is left out: what Nomad calls so is memory and swap together where the driver is exec, and nothing tells.
    """

    working_set: int
    usage: int | None = None
    rss: int | None = None
    cache: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttling:
    """How often, and for how many seconds in all, a task was kept from the CPU by its limit."""

    periods: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSample:
    """One measurement of a task; `at` in ns of its client's clock, `cores` busy at that moment."""

    at: int
    cores: float
    memory: Memory
    throttling: Throttling | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSample:
    """One measurement of a client's host; memory and disk in bytes."""

    at: int
    cores: float
    memory_total: int
    memory_available: int
    disk_size: int = 0
    disk_used: int = 0
    disk_available: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerUsage:
    """One running container; `started` in ns since the epoch, where it is known."""

    name: str
    id: str
    image: str
    started: int | None
    sample: TaskSample
    cpu_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PodUsage:
    """A Pod all of whose running containers were measured: a part of them would look like the whole."""

    namespace: str
    name: str
    uid: str
    started: int | None
    containers: tuple[ContainerUsage, ...]

    @property
    def at(self) -> int:
        """When the last of them was measured."""
        return max(container.sample.at for container in self.containers)

    @property
    def cores(self) -> float:
        """Cores that are busy for the Pod."""
        return sum(container.sample.cores for container in self.containers)

    @property
    def cpu_seconds(self) -> float:
        """Core-seconds of its running containers."""
        return sum(container.cpu_seconds for container in self.containers)

    @property
    def working_set(self) -> int:
        """Bytes."""
        return sum(container.sample.memory.working_set for container in self.containers)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeUsage:
    """The sum over the hosts of the Node's clients; `at` is our own clock, for theirs differ."""

    at: int
    since: int
    cpu_seconds: float
    host: HostSample

    @property
    def working_set(self) -> int:
        """Bytes that cannot be reclaimed."""
        return max(self.host.memory_total - self.host.memory_available, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything at one moment; `problem` says why something of it is missing, empty when nothing is."""

    pods: tuple[PodUsage, ...] = ()
    node: NodeUsage | None = None
    problem: str = ""


def task_sample(usage: TaskUsage | None) -> TaskSample | None:
    """What was measured of a task; None when CPU or memory was not, so that no zero is taken for a measurement."""
    resources = usage.resource_usage if usage is not None else None
    if usage is None or resources is None or resources.cpu_stats is None or resources.memory_stats is None:
        return None
    cpu, memory = resources.cpu_stats, _memory(resources.memory_stats)
    if memory is None or "Percent" not in cpu.measured or usage.timestamp <= 0:
        return None
    return TaskSample(
        at=usage.timestamp, cores=max(cpu.percent, 0.0) / _PER_CENT, memory=memory, throttling=_throttling(cpu)
    )


def host_sample(usage: ClientUsage) -> HostSample | None:
    """What was measured of a host; None before its client's first measurement."""
    if usage.memory is None or not usage.memory.total or not usage.cores or usage.timestamp <= 0:
        return None
    disk = usage.alloc_dir_stats
    return HostSample(
        at=usage.timestamp,
        cores=sum(max(core.total_percent, 0.0) for core in usage.cores) / _PER_CENT,
        memory_total=usage.memory.total,
        memory_available=usage.memory.available,
        disk_size=disk.size if disk is not None else 0,
        disk_used=disk.used if disk is not None else 0,
        disk_available=disk.available if disk is not None else 0,
    )


def hosts_together(samples: Mapping[str, HostSample], at: int) -> HostSample:
    """The sum of what hosts use."""
    found = samples.values()
    return HostSample(
        at=at,
        cores=sum(each.cores for each in found),
        memory_total=sum(each.memory_total for each in found),
        memory_available=sum(each.memory_available for each in found),
        disk_size=sum(each.disk_size for each in found),
        disk_used=sum(each.disk_used for each in found),
        disk_available=sum(each.disk_available for each in found),
    )


def _memory(memory: MemoryUsage) -> Memory | None:
    """The working set is what cannot be reclaimed: all but the page cache, or what processes hold of their own."""
    measured = set(memory.measured)
    usage = memory.usage if "Usage" in measured else None
    rss = memory.rss if "RSS" in measured else None
    cache = memory.cache if "Cache" in measured else None
    kept = usage - (cache or 0) if usage is not None else 0
    # A cgroup's counters lag behind by some pages, so that the smallest program can seem to hold nothing.
    working_set = next((each for each in (kept, rss, usage) if each is not None and each > 0), None)
    if working_set is None:
        return None
    return Memory(working_set=working_set, usage=usage, rss=rss, cache=cache)


def _throttling(cpu: CpuUsage) -> Throttling | None:
    if "Throttled Time" not in cpu.measured:
        return None
    return Throttling(periods=cpu.throttled_periods, seconds=cpu.throttled_time / _NANOSECONDS)
