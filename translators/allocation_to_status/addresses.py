"""The addresses of a Pod and of its host."""

from functools import lru_cache
from ipaddress import ip_address

from translators import container_id
from translators.allocation_to_status.facts import Facts
from translators.records.allocations import Allocation
from translators.records.pods import Pod


def host_ip(pod: Pod, facts: Facts) -> str:
    """The address of the client that runs the Pod; what the API holds while it is not known.

    A client may be known by a name only: the API takes nothing but addresses.
    """
    return facts.host_ip if _is_address(facts.host_ip) else pod.status.host_ip


def pod_ip(pod: Pod, facts: Facts, allocation: Allocation | None, host: str) -> str:
    """The address where the Pod's ports are reached; empty when there is none that may be published.

    It stays as it is while the same allocation lives. Loopback, link-local, multicast and unspecified
    addresses are never published: one such podIP stops every update of the Services that select the Pod.
    """
    held = pod.status.pod_ip
    if allocation is None or (held and is_publishable(held) and _belongs_to(pod, allocation)):
        return held
    address = _address(pod, facts, allocation, host)
    return address if is_publishable(address) else ""


def _address(pod: Pod, facts: Facts, allocation: Allocation, host: str) -> str:
    if pod.spec.host_network:
        return host
    if facts.reached_at == "host":
        return host
    network = allocation.network_status
    return network.address if facts.reached_at == "allocation" and network is not None else ""


def _belongs_to(pod: Pod, allocation: Allocation) -> bool:
    """Whether the address that the API holds can be this allocation's: no other one has been shown yet."""
    for status in pod.status.container_statuses:
        shown = container_id.parse(status.container_id)
        if shown is not None:
            return shown.allocation == allocation.id
    return True


@lru_cache(maxsize=4096)
def is_publishable(address: str) -> bool:
    """Whether an EndpointSlice accepts the address."""
    if not _is_address(address):
        return False
    ip = ip_address(address)
    return not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified)


@lru_cache(maxsize=4096)
def _is_address(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True
