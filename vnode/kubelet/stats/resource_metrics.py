"""GET /metrics/resource: the few families that metrics-server reads, as of Kubernetes 1.36.

Every value carries the time of its measurement, for rates are taken between those and not between scrapes. Source of
the names: kubernetes pkg/kubelet/metrics/collectors/resource_metrics.go.
"""

from collections.abc import Iterator

from prometheus_client.core import Metric

from vnode.kubelet.stats.exposition import counter, gauge
from vnode.kubelet.stats.usage import Snapshot

_CONTAINER = ("container", "pod", "namespace")
_POD = ("pod", "namespace")
_NANOSECONDS = 1e9


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """What a snapshot says."""
    yield from _node(snapshot)
    containers = [(each, (each.name, pod.name, pod.namespace)) for pod in snapshot.pods for each in pod.containers]
    pods = [(each, (each.name, each.namespace)) for each in snapshot.pods]
    yield counter(
        "container_cpu_usage_seconds_total",
        "Core-seconds used by the container",
        _CONTAINER,
        ((labels, each.cpu_seconds, each.sample.at) for each, labels in containers),
    )
    yield gauge(
        "container_memory_working_set_bytes",
        "Memory of the container that cannot be reclaimed",
        _CONTAINER,
        ((labels, each.sample.memory.working_set, each.sample.at) for each, labels in containers),
    )
    yield gauge(
        "container_start_time_seconds",
        "When the container began, in seconds since the epoch",
        _CONTAINER,
        ((labels, each.started / _NANOSECONDS, None) for each, labels in containers if each.started is not None),
    )
    yield counter(
        "pod_cpu_usage_seconds_total",
        "Core-seconds used by the running containers of the Pod",
        _POD,
        ((labels, each.cpu_seconds, each.at) for each, labels in pods),
    )
    yield gauge(
        "pod_memory_working_set_bytes",
        "Memory of the Pod that cannot be reclaimed",
        _POD,
        ((labels, each.working_set, each.at) for each, labels in pods),
    )
    yield from _errors(snapshot)


def _node(snapshot: Snapshot) -> Iterator[Metric]:
    node = snapshot.node
    if node is None:
        return
    yield counter(
        "node_cpu_usage_seconds_total",
        "Core-seconds used on the hosts of the Node's clients",
        (),
        [((), node.cpu_seconds, node.at)],
    )
    yield gauge(
        "node_memory_working_set_bytes",
        "Memory of the hosts of the Node's clients that cannot be reclaimed",
        (),
        [((), node.working_set, node.at)],
    )


def _errors(snapshot: Snapshot) -> Iterator[Metric]:
    for name in ("scrape_error", "resource_scrape_error"):
        yield gauge(name, "1 if something could not be measured", (), [((), float(bool(snapshot.problem)), None)])
