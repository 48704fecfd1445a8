"""GET /stats/summary: the same as JSON, for older agents.

Source of the shape: k8s.io/kubelet pkg/apis/stats/v1alpha1 types.go; everything in it is optional but names and times.
"""

from datetime import UTC, datetime
from typing import Any

from vnode.kubelet.stats.usage import ContainerUsage, Memory, NodeUsage, PodUsage, Snapshot

_NANOSECONDS = 10**9


def summary(node_name: str, snapshot: Snapshot, *, only_cpu_and_memory: bool = False) -> dict[str, Any]:
    """The body of the answer."""
    node = _node(snapshot.node, only_cpu_and_memory=only_cpu_and_memory) if snapshot.node is not None else {}
    return {"node": {"nodeName": node_name, **node}, "pods": [_pod(pod) for pod in snapshot.pods]}


def _node(node: NodeUsage, *, only_cpu_and_memory: bool) -> dict[str, Any]:
    at, host = _time(node.at), node.host
    found = {
        "startTime": _time(node.since),
        "cpu": _cpu(at, host.cores, node.cpu_seconds),
        "memory": {
            "time": at,
            "availableBytes": host.memory_available,
            "usageBytes": node.working_set,
            "workingSetBytes": node.working_set,
        },
    }
    if host.disk_size and not only_cpu_and_memory:
        found["fs"] = {
            "time": at,
            "availableBytes": host.disk_available,
            "capacityBytes": host.disk_size,
            "usedBytes": host.disk_used,
        }
    return found


def _pod(pod: PodUsage) -> dict[str, Any]:
    at = _time(pod.at)
    return {
        "podRef": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
        **({"startTime": _time(pod.started)} if pod.started is not None else {}),
        "containers": [_container(container) for container in pod.containers],
        "cpu": _cpu(at, pod.cores, pod.cpu_seconds),
        "memory": {"time": at, "workingSetBytes": pod.working_set},
    }


def _container(container: ContainerUsage) -> dict[str, Any]:
    at, sample = _time(container.sample.at), container.sample
    return {
        "name": container.name,
        **({"startTime": _time(container.started)} if container.started is not None else {}),
        "cpu": _cpu(at, sample.cores, container.cpu_seconds),
        "memory": _memory(at, sample.memory),
    }


def _cpu(at: str, cores: float, seconds: float) -> dict[str, Any]:
    return {
        "time": at,
        "usageNanoCores": round(cores * _NANOSECONDS),
        "usageCoreNanoSeconds": round(seconds * _NANOSECONDS),
    }


def _memory(at: str, memory: Memory) -> dict[str, Any]:
    measured = {"usageBytes": memory.usage, "workingSetBytes": memory.working_set, "rssBytes": memory.rss}
    return {"time": at, **{name: amount for name, amount in measured.items() if amount is not None}}


def _time(at: int) -> str:
    return datetime.fromtimestamp(at // _NANOSECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
