"""GET /metrics/cadvisor: the container metrics that dashboards are built on, with cadvisor's names and labels.

What Nomad does not measure (network, block devices, file systems of a container) is not there. Source of the names:
google/cadvisor metrics/prometheus.go.
"""

from collections.abc import Callable, Iterator

from prometheus_client.core import Metric

from vnode.kubelet.stats.exposition import counter, gauge
from vnode.kubelet.stats.usage import ContainerUsage, Snapshot, Throttling

_LABELS = ("container", "id", "image", "name", "namespace", "pod")
_NANOSECONDS = 1e9

Value = Callable[[ContainerUsage], float | None]


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """What a snapshot says; a container without a certain value has no series of it."""
    containers = [
        (each, (each.name, each.id, each.image, each.id.removeprefix("nomad://"), pod.namespace, pod.name))
        for pod in snapshot.pods
        for each in pod.containers
    ]
    for make, name, words, value in _FAMILIES:
        samples = ((labels, found, each.sample.at) for each, labels in containers if (found := value(each)) is not None)
        yield make(name, words, _LABELS, samples)
    if snapshot.node is not None:
        host, at = snapshot.node.host, snapshot.node.at
        yield gauge("machine_memory_bytes", "Memory of the clients' hosts", (), [((), host.memory_total, at)])
    yield gauge(
        "container_scrape_error", "1 if something could not be measured", (), [((), bool(snapshot.problem), None)]
    )


def _throttling(container: ContainerUsage, read: Callable[[Throttling], float]) -> float | None:
    throttling = container.sample.throttling
    return None if throttling is None else read(throttling)


_FAMILIES: tuple[tuple[Callable[..., Metric], str, str, Value], ...] = (
    (counter, "container_cpu_usage_seconds_total", "Core-seconds used", lambda each: each.cpu_seconds),
    (
        counter,
        "container_cpu_cfs_throttled_periods_total",
        "Periods in which the CPU limit was reached",
        lambda each: _throttling(each, lambda throttling: throttling.periods),
    ),
    (
        counter,
        "container_cpu_cfs_throttled_seconds_total",
        "Seconds kept from the CPU by its limit",
        lambda each: _throttling(each, lambda throttling: throttling.seconds),
    ),
    (
        gauge,
        "container_memory_working_set_bytes",
        "Memory that cannot be reclaimed",
        lambda each: each.sample.memory.working_set,
    ),
    (gauge, "container_memory_usage_bytes", "Memory, page cache included", lambda each: each.sample.memory.usage),
    (gauge, "container_memory_rss", "Memory of processes of their own, in bytes", lambda each: each.sample.memory.rss),
    (gauge, "container_memory_cache", "Page cache, in bytes", lambda each: each.sample.memory.cache),
    (
        gauge,
        "container_start_time_seconds",
        "When the container began, in seconds since the epoch",
        lambda each: None if each.started is None else each.started / _NANOSECONDS,
    ),
)
