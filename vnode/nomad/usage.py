"""What Nomad's clients measure, once a second, of the tasks that they run and of their hosts.

Source of names and shapes: nomad client/structs/structs.go (AllocResourceUsage), client/hoststats/host.go.
"""

from dataclasses import field
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from translators.records.base import NOMAD, Many, Mapped


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class MemoryUsage:
    """Memory of a task, bytes. A driver measures some of it: only what `measured` names is more than a zero."""

    rss: Annotated[int, Field(alias="RSS")] = 0
    cache: int = 0
    usage: int = 0
    measured: Many[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class CpuUsage:
    """CPU of a task: `percent` of one core during the last second; throttling since the task began, in ns."""

    percent: float = 0.0
    throttled_periods: int = 0
    throttled_time: int = 0
    measured: Many[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class ResourceUsage:
    """What one task uses."""

    memory_stats: MemoryUsage | None = None
    cpu_stats: CpuUsage | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class TaskUsage:
    """A measurement of one task; `timestamp` in ns of its client's clock."""

    resource_usage: ResourceUsage | None = None
    timestamp: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class AllocationUsage:
    """The latest measurement of each task that was measured at all."""

    tasks: Mapped[str, TaskUsage | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class HostMemory:
    """Memory of a client's host, bytes; `available` counts what can be reclaimed."""

    total: int = 0
    available: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class HostCore:
    """One core of a client's host, per cent of it that was busy during the last second."""

    total_percent: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class HostDisk:
    """A file system of a client's host, bytes."""

    size: int = 0
    used: int = 0
    available: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class ClientUsage:
    """What a client's host uses, tasks and all else; `timestamp` in ns of its own clock."""

    memory: HostMemory | None = None
    cores: Annotated[Many[HostCore], Field(alias="CPU")] = ()
    alloc_dir_stats: HostDisk | None = None
    timestamp: int = 0
