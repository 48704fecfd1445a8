"""Where a port of a running Pod is reached from outside.

What a Pod calls its port and what Nomad made of it differ: a dynamic port of the host's network has another number,
one of a bridge is mapped from a port of the host.
"""

from dataclasses import dataclass

from translators import annotations
from translators.errors import Refused
from translators.pod_to_job import ports
from translators.pod_to_job.drivers import driver
from translators.records.allocations import AllocatedPort, Allocation
from translators.records.pods import Pod


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The allocation that runs a Pod now, and the address of its client's host, empty where that is not known."""

    allocation: Allocation
    host_ip: str


def port_addresses(
    pod: Pod, placement: Placement, port: int, *, default_driver: str, routable: bool
) -> tuple[Endpoint, ...]:
    """The places where TCP to a containerPort leads into the Pod, the likeliest first; empty where there is none.

    `routable` says that addresses of allocations in a bridge answer from where we are.
    """
    try:
        mode = _mode(pod, default_driver)
        label = ports.labels(pod, annotations.read(pod)).get(port, "")
    except Refused:
        return ()
    found: list[Endpoint] = []
    allocated = _allocated(placement.allocation, label)
    if allocated is not None:
        found.append(Endpoint(allocated.host_ip or placement.host_ip, allocated.value))
    elif mode == ports.HOST:
        found.append(Endpoint(placement.host_ip, port))
    network = placement.allocation.network_status
    if mode == ports.BRIDGE and routable and network is not None:
        found.insert(0, Endpoint(network.address, port))
    return tuple(endpoint for endpoint in found if endpoint.host and endpoint.port)


def has_own_network(pod: Pod, *, default_driver: str) -> bool:
    """Whether a Pod's loopback is not that of its host."""
    try:
        return _mode(pod, default_driver) != ports.HOST
    except Refused:
        return False


def _mode(pod: Pod, default_driver: str) -> str:
    settings = annotations.read(pod)
    drivers = {one.name: driver(one, pod, settings, default_driver) for one in pod.spec.every_container}
    return ports.mode(pod, drivers)


def _allocated(allocation: Allocation, label: str) -> AllocatedPort | None:
    if not label or allocation.allocated_resources is None:
        return None
    shared = allocation.allocated_resources.shared
    return next((one for one in shared.ports if one.label == label), None)
