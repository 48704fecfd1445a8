"""The clients of the node pool: can they take Pods, with which drivers, and are they new enough."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from translators.policy import Policy
from translators.records.allocations import Client
from vnode.doctor import versions
from vnode.doctor.findings import Finding, fine, trouble
from vnode.doctor.problems import Problem, Status

#: Nomad's name for the pool that every client is in.
_EVERY_POOL = "all"


def members(clients: Iterable[Client], node_pool: str, datacenters: Sequence[str]) -> tuple[Client, ...]:
    """The clients that a Pod may land on if they are well."""
    return tuple(
        client
        for client in clients
        if node_pool in (_EVERY_POOL, client.node_pool)
        and any(fnmatchcase(client.datacenter, glob) for glob in datacenters)
    )


def judge_pool(clients: Sequence[Client], node_pool: str) -> Finding:
    """Whether there is a client that takes Pods."""
    checked = f"clients of node pool {node_pool}"
    able = sum(client.is_schedulable for client in clients)
    if not clients:
        return trouble(Problem.NOMAD_POOL_EMPTY, checked, "there is none", pool=node_pool)
    counts = Counter(_condition(client) for client in clients)
    text = ", ".join(f"{count} {condition}" for condition, count in sorted(counts.items()))
    return fine(checked, text) if able else trouble(Problem.NOMAD_POOL_EMPTY, checked, text, pool=node_pool)


def judge_drivers(clients: Sequence[Client], default: str, policy: Policy) -> tuple[Finding, ...]:
    """The default driver, and the others that the policy opens to somebody."""
    opened = sorted(name for name, rules in policy.drivers.items() if rules.namespaces and name != default)
    return tuple(_judge_driver(clients, name, is_default=name == default) for name in (default, *opened))


def judge_versions(clients: Iterable[Client], servers: Mapping[str, str]) -> tuple[Finding, ...]:
    """Clients, and servers as name → version, that are too old; one finding when none is."""
    agents = {f"server {name}": version for name, version in servers.items()}
    agents |= {f"client {client.name}": client.version for client in clients}
    minimum = versions.NOMAD_MINIMUM
    old = {name: text for name, text in agents.items() if (version := versions.parse(text)) and version < minimum}
    if old:
        return tuple(
            trouble(Problem.NOMAD_VERSION, f"version of Nomad {name}", text, minimum=versions.written(minimum))
            for name, text in old.items()
        )
    return (fine("versions of Nomad", ", ".join(sorted({text for text in agents.values() if text})) or "not told"),)


def _judge_driver(clients: Sequence[Client], name: str, *, is_default: bool) -> Finding:
    checked = f"driver {name}"
    able = [client for client in clients if client.is_schedulable]
    healthy = [client for client in able if (driver := client.drivers.get(name)) and driver.healthy]
    if healthy:
        return fine(checked, f"healthy on {len(healthy)} of {len(able)} clients")
    status = None if is_default else Status.WARNING
    return trouble(Problem.NOMAD_DRIVER, checked, f"healthy on none of {len(able)} clients", status=status)


def _condition(client: Client) -> str:
    if client.is_schedulable or client.status != "ready":
        return client.status
    return "draining" if client.drain else client.scheduling_eligibility
