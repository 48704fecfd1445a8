"""Nomad clients as the capacity, conditions, labels and taints of a virtual Node.

Facts about Nodes: kubernetes pkg/kubelet/nodestatus/setters.go and virtual-kubelet's conventions.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from translators import devices
from translators.records.allocations import Client
from translators.records.nodes import (
    DaemonEndpoint,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeStatus,
    NodeSystemInfo,
    Taint,
)

#: Our own condition: whether Nomad's API answers. It is no reason to call the Node itself broken.
NOMAD_REACHABLE = "NomadReachable"
PROVIDER_TAINT = Taint(key="virtual-kubelet.io/provider", value="nomad", effect="NoSchedule")
UNREACHABLE_TAINT = Taint(key="nomad.hashinetes.io/unreachable", effect="NoSchedule")

DEFAULT_PODS_PER_CLIENT = 110  # what a kubelet allows

_DEFAULT_OS = "linux"
_DEFAULT_ARCHITECTURE = "amd64"
_NOT_IN_LABELS = re.compile(r"[^A-Za-z0-9._-]+")
_LABEL_LENGTH = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """Sums of what allocations that are not ours take from the pool: MHz, MiB, MiB, and how many they are."""

    cpu_mhz: int = 0
    memory_mb: int = 0
    disk_mb: int = 0
    allocations: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What a Node's status is judged from, beside the clients.

    `mhz_per_core` is the factor by which jobs turn CPU into MHz, see `min_mhz_per_core`. `reachable` says that
    Nomad's API answers, `unreachable_reason` and `unreachable_message` why it does not; until it was `asked` at all,
    the Node says what it said before. `previous` is what the API holds. `not_ready` is a message when the Node is to
    be called broken whatever Nomad says, as an administrator may wish after a long outage. `declared_features` are
    those of a kubelet that the API server may make use of, in alphabetical order. `devices` are the extended resources
    of the Node, and the devices of Nomad behind them.
    """

    name: str
    address: str
    kubelet_port: int
    kubelet_version: str
    mhz_per_core: float
    node_pool: str = "default"
    reachable: bool = True
    asked: bool = True
    unreachable_reason: str = ""
    unreachable_message: str = ""
    not_ready: str = ""
    pods_per_client: int = DEFAULT_PODS_PER_CLIENT
    previous: NodeStatus | None = None
    declared_features: tuple[str, ...] = ()
    devices: Mapping[str, str] = field(default_factory=dict)


def min_mhz_per_core(clients: Iterable[Client]) -> float | None:
    """The speed of the slowest core that a Pod may land on, so that no CPU request gets less than it asks for.

    None when no schedulable client says how fast it is.
    """
    speeds = [
        resources.cpu.cpu_shares / resources.cpu.total_cpu_cores
        for client in clients
        if client.is_schedulable
        and (resources := client.node_resources) is not None
        and resources.cpu.total_cpu_cores > 0
        and resources.cpu.cpu_shares > 0
    ]
    return min(speeds, default=None)


def node_status(clients: Sequence[Client], reserved: Reserved, facts: NodeFacts, now: datetime) -> NodeStatus:
    """Say what the API should hold for a virtual Node.

    While Nomad is not reachable its capacity stays what it was: the workloads run on, and so does the Node.
    """
    previous = facts.previous
    if not facts.reachable and previous is not None and previous.capacity:
        capacity, allocatable, info = previous.capacity, previous.allocatable, previous.node_info
    else:
        capacity, allocatable = _resources(clients, reserved, facts)
        info = _node_info(clients, facts)
    return NodeStatus(
        capacity=capacity,
        allocatable=allocatable,
        conditions=_conditions(clients, facts, now.replace(microsecond=0)),
        addresses=_addresses(facts),
        daemon_endpoints=NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=facts.kubelet_port)),
        node_info=info,
        declared_features=facts.declared_features,
    )


def node_labels(name: str, region: str, node_pool: str, clients: Sequence[Client]) -> dict[str, str]:
    """The labels of a virtual Node.

    Its zone is its own, so that an outage of Nomad never counts against the zone of real Nodes.
    """
    operating_system, architecture = _platform(clients)
    return {
        "kubernetes.io/hostname": _label(name),
        "kubernetes.io/os": operating_system,
        "kubernetes.io/arch": architecture,
        "beta.kubernetes.io/os": operating_system,
        "beta.kubernetes.io/arch": architecture,
        "kubernetes.io/role": "agent",
        "type": "virtual-kubelet",
        "topology.kubernetes.io/region": _label(region),
        "topology.kubernetes.io/zone": _label(f"{region}-{node_pool}"),
        "node.kubernetes.io/exclude-from-external-load-balancers": "true",
    }


def _resources(
    clients: Sequence[Client], reserved: Reserved, facts: NodeFacts
) -> tuple[dict[str, str], dict[str, str]]:
    cpu = memory = disk = pods = 0
    for client in clients:
        own = client.node_resources
        if not client.is_schedulable or own is None:
            continue
        kept = client.reserved_resources
        cpu += own.cpu.cpu_shares - (kept.cpu.cpu_shares if kept is not None else 0)
        memory += own.memory.memory_mb - (kept.memory.memory_mb if kept is not None else 0)
        disk += own.disk.disk_mb - (kept.disk.disk_mb if kept is not None else 0)
        pods += client.node_max_allocs or facts.pods_per_client
    free = (cpu - reserved.cpu_mhz, memory - reserved.memory_mb, disk - reserved.disk_mb, pods - reserved.allocations)
    counted = devices.capacity(facts.devices, (each for each in clients if each.is_schedulable))
    extended = {name: str(number) for name, number in counted.items()}
    return {**_quantities((cpu, memory, disk, pods), facts), **extended}, {**_quantities(free, facts), **extended}


def _quantities(amounts: tuple[int, int, int, int], facts: NodeFacts) -> dict[str, str]:
    cpu, memory, disk, pods = (max(0, amount) for amount in amounts)
    millicores = int(cpu * 1000 / facts.mhz_per_core) if facts.mhz_per_core > 0 else 0
    cores, rest = divmod(millicores, 1000)
    return {
        "cpu": f"{millicores}m" if rest else str(cores),
        "memory": f"{memory}Mi",
        "ephemeral-storage": f"{disk}Mi",
        "pods": str(pods),
    }


def _node_info(clients: Sequence[Client], facts: NodeFacts) -> NodeSystemInfo:
    operating_system, architecture = _platform(clients)
    version = _most_common(client.version or client.attributes.get("nomad.version", "") for client in clients)
    return NodeSystemInfo(
        container_runtime_version=f"nomad://{version or 'unknown'}",
        kubelet_version=facts.kubelet_version,
        operating_system=operating_system,
        architecture=architecture,
    )


def _platform(clients: Sequence[Client]) -> tuple[str, str]:
    names = (
        _most_common(client.attributes.get(attribute, "") for client in clients)
        for attribute in ("kernel.name", "cpu.arch")
    )
    operating_system, architecture = names
    return operating_system or _DEFAULT_OS, architecture or _DEFAULT_ARCHITECTURE


def _most_common(names: Iterable[str]) -> str:
    counts = Counter(name for name in names if name)
    return min(counts, key=lambda name: (-counts[name], name), default="")


def _addresses(facts: NodeFacts) -> tuple[NodeAddress, ...]:
    """Only an IP: an API server prefers a Hostname by default, and could not resolve this Node's name."""
    return (NodeAddress(type="InternalIP", address=facts.address),)


def _conditions(clients: Sequence[Client], facts: NodeFacts, now: datetime) -> tuple[NodeCondition, ...]:
    stated = (
        _ready(clients, facts),
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("NetworkUnavailable", "False", "RouteCreated", "Nomad provides the network"),
        _reachable(facts),
    )
    held = {each.type: each for each in facts.previous.conditions} if facts.previous is not None else {}
    return tuple(_stamped(each, held.get(each[0]), now) for each in stated)


def _ready(clients: Sequence[Client], facts: NodeFacts) -> tuple[str, str, str, str]:
    if facts.not_ready:
        return "Ready", "False", "KubeletNotReady", facts.not_ready
    if facts.reachable and not any(client.status == "ready" for client in clients):
        counts = sorted(Counter(client.status for client in clients).items())
        known = ", ".join(f"{count} {status}" for status, count in counts) or "there is none"
        text = f"no Nomad client of node pool {facts.node_pool} is ready: {known}"
        return "Ready", "False", "KubeletNotReady", text
    held = _held(facts, "Ready")
    if not facts.reachable and held is not None and held.reason == "KubeletNotReady":
        # What Nomad said last stands until it answers again.
        return "Ready", held.status, held.reason, held.message
    return "Ready", "True", "KubeletReady", "kubelet is posting ready status"


def _reachable(facts: NodeFacts) -> tuple[str, str, str, str]:
    if facts.reachable:
        return NOMAD_REACHABLE, "True", "NomadAnswers", "Nomad's API answers"
    held = _held(facts, NOMAD_REACHABLE)
    if not facts.asked and held is not None:
        return NOMAD_REACHABLE, held.status, held.reason, held.message
    reason = facts.unreachable_reason or "NomadUnreachable"
    return NOMAD_REACHABLE, "False", reason, facts.unreachable_message or "Nomad's API does not answer"


def _held(facts: NodeFacts, kind: str) -> NodeCondition | None:
    """A condition as the API holds it."""
    conditions = facts.previous.conditions if facts.previous is not None else ()
    return next((each for each in conditions if each.type == kind), None)


def _stamped(stated: tuple[str, str, str, str], held: NodeCondition | None, now: datetime) -> NodeCondition:
    kind, status, reason, message = stated
    since = held.last_transition_time if held is not None and held.status == status else None
    return NodeCondition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        last_heartbeat_time=now,
        last_transition_time=since or now,
    )


def _label(text: str) -> str:
    """Make a label value: at most 63 letters, digits, `-`, `_`, `.`, and an alphanumeric at both ends."""
    return _NOT_IN_LABELS.sub("-", text)[:_LABEL_LENGTH].strip("-_.")
