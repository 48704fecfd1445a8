"""The network of a Pod and the ports on it.

On the host's network nothing maps a port: a program listens on what is reserved for it. In a bridge each
declared port is mapped from a port of the host, one that Nomad chooses unless the Pod names it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Literal

from translators import annotations
from translators.annotations import Annotations
from translators.errors import Finding, Refused
from translators.pod_to_job.context import JobContext
from translators.pod_to_job.drivers import driver
from translators.pod_to_job.environment import HOST_IP, wants_pod_ip
from translators.pod_to_job.probes import probed_ports
from translators.policy import DOCKER
from translators.records.jobs import Network, Port
from translators.records.pods import Container, ContainerPort, Pod

STATIC = "static"
DYNAMIC = "dynamic"

HOST = "host"
BRIDGE = "bridge"

#: Docker's own network of a container that shares nothing and publishes nothing.
OWN = "own"

_EVERY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - what a Pod may write, not what we bind
_MAPPED_PROTOCOLS = frozenset({"TCP", "UDP", ""})
_LONGEST_HOSTNAME = 63
_ADDRESS_LABEL = "vnode-address"

#: Whose address is the Pod's: the host's, the allocation's own, or nobody's that would reach every port.
Address = Literal["host", "allocation", ""]


@dataclass(frozen=True, slots=True)
class _Declared:
    container: Container
    port: ContainerPort
    value: int


def mode(pod: Pod, drivers: Mapping[str, str]) -> str:
    """Which network the Pod's tasks share; `drivers` are those of its containers."""
    if pod.spec.host_network or DOCKER not in drivers.values():
        return HOST
    containers = pod.spec.lasting_containers
    if len(containers) > 1 or any(container.ports for container in containers):
        return BRIDGE
    return BRIDGE if wants_pod_ip(pod.spec.every_container) or any(probed_ports(containers)) else OWN


def pod_ip(pod: Pod, settings: Annotations, drivers: Mapping[str, str], reached: Address) -> str:
    """What Nomad replaces by the Pod's address, for a Pod that asks for it: its host's, or the allocation's own."""
    if not wants_pod_ip(pod.spec.every_container):
        return ""
    shared = None if mode(pod, drivers) == HOST or reached == "host" else network(pod, settings, drivers)
    if shared is None:
        return HOST_IP
    label = (*shared.reserved_ports, *shared.dynamic_ports)[0].label
    return f"${{NOMAD_ALLOC_IP_{label}}}"


def network(pod: Pod, settings: Annotations, drivers: Mapping[str, str]) -> Network | None:
    """The group's network, or None where the drivers' defaults are right.

    Raises:
        Refused: for a port that Nomad cannot publish as it is written.
    """
    shared = mode(pod, drivers)
    declared = tuple(_declared(pod, settings))
    if shared == OWN or (shared == HOST and not declared):
        return None
    _check(declared, shared)
    reserved: dict[int, Port] = {}
    dynamic: list[Port] = []
    labels: set[str] = set()
    for one in declared:
        port = Port(label=_label(one, labels), value=one.value, to=one.port.container_port if shared == BRIDGE else 0)
        if not one.value:
            dynamic.append(port)
        elif reserved.setdefault(one.value, port).to != port.to:
            raise _refused(one, f"port {one.value} of the host cannot lead to two ports of the Pod")
    if shared == BRIDGE:
        dynamic += (Port(label=_probe_label(number), to=number) for number in probed_ports(pod.spec.lasting_containers))
    if shared == BRIDGE and not (reserved or dynamic) and wants_pod_ip(pod.spec.every_container):
        # Nomad tells a task the address of its allocation only beside a port.
        dynamic.append(Port(label=_ADDRESS_LABEL))
    only_docker = all(name == DOCKER for name in drivers.values())
    return Network(
        mode=shared,
        dynamic_ports=tuple(dynamic),
        reserved_ports=tuple(reserved.values()),
        hostname=hostname(pod) if shared == BRIDGE and only_docker else None,
    )


def labels(pod: Pod, settings: Annotations) -> dict[int, str]:
    """Which label of the group's network each TCP port of a container has that is declared, or that a probe names.

    Raises:
        Refused: for contradictory settings of ports.
    """
    taken: set[str] = set()
    labelled = [(one, _label(one, taken)) for one in _declared(pod, settings)]
    tcp = [(one.port.container_port, label) for one, label in labelled if one.port.protocol in {"TCP", ""}]
    probed = {number: _probe_label(number) for number in probed_ports(pod.spec.lasting_containers)}
    return {**probed, **dict(reversed(tcp))}


def hostname(pod: Pod) -> str:
    """The name that a Pod's containers call their host, as a kubelet shortens it."""
    return (pod.spec.hostname or pod.metadata.name)[:_LONGEST_HOSTNAME].rstrip("-.")


def address(pod: Pod, context: JobContext) -> Address:
    """At whose address every declared port of a Pod is reachable under its containerPort.

    Never raises: a Pod that cannot be translated is reachable nowhere.
    """
    try:
        settings = annotations.read(pod)
        drivers = {one.name: driver(one, pod, settings, context.default_driver) for one in pod.spec.every_container}
        return reached_at(pod, settings, drivers, routable=context.routable_allocations)
    except Refused:
        return ""


def reached_at(pod: Pod, settings: Annotations, drivers: Mapping[str, str], *, routable: bool) -> Address:
    """As `address`, for settings and drivers that are known already.

    Raises:
        Refused: for contradictory settings of ports.
    """
    shared = mode(pod, drivers)
    if shared == BRIDGE and routable:
        return "allocation"
    declared = tuple(_declared(pod, settings))
    fixed = all(one.value == one.port.container_port for one in declared)
    return "host" if fixed and (shared == HOST or (shared == BRIDGE and declared)) else ""


def warnings(pod: Pod, settings: Annotations, drivers: Mapping[str, str]) -> tuple[Finding, ...]:
    """Host ports that differ from the container's port where nothing maps the one to the other."""
    if mode(pod, drivers) != HOST:
        return ()
    return tuple(
        Finding(
            "PortNotMapped",
            _path(one),
            f"on the host's network nothing maps port {one.value} to {one.port.container_port}; let the program "
            f"listen on {one.value}, which it finds in NOMAD_PORT_<name>",
        )
        for one in _declared(pod, settings)
        if one.value not in {0, one.port.container_port}
    )


def _declared(pod: Pod, settings: Annotations) -> Iterator[_Declared]:
    for container in pod.spec.lasting_containers:
        if not container.ports:
            continue
        setting = settings.setting(annotations.PORTS, container.name)
        if setting is not None and setting.text not in {STATIC, DYNAMIC}:
            raise setting.refused(f"{setting.text!r} is neither {STATIC} nor {DYNAMIC}")
        for port in container.ports:
            if port.host_port and setting is not None and setting.text == DYNAMIC:
                raise setting.refused(f"contradicts hostPort {port.host_port} of container {container.name}")
            fixed = pod.spec.host_network or (setting is not None and setting.text == STATIC)
            yield _Declared(container, port, port.host_port or (port.container_port if fixed else 0))


def _check(declared: tuple[_Declared, ...], shared: str) -> None:
    for one in declared:
        if one.port.host_ip not in _EVERY_ADDRESS:
            raise _refused(one, f"hostIP {one.port.host_ip} is not supported; the port is published on every address")
        if shared == BRIDGE and one.port.protocol not in _MAPPED_PROTOCOLS:
            raise _refused(one, f"Nomad maps TCP and UDP, not {one.port.protocol}; use hostNetwork")


def _label(one: _Declared, taken: set[str]) -> str:
    """A label that no other port has; the task finds its port in NOMAD_PORT_<label>."""
    base = one.port.name or f"p{one.port.container_port}"
    candidates = chain(
        (base, f"{base}-{one.port.protocol.lower()}", f"{base}-{one.container.name}"),
        (f"{base}-{number}" for number in count(2)),
    )
    label = next(name for name in candidates if name not in taken)
    taken.add(label)
    return label


def _probe_label(number: int) -> str:
    return f"vnode-probe-{number}"


def _path(one: _Declared) -> str:
    return f"spec.containers[{one.container.name}].ports[{one.port.container_port}]"


def _refused(one: _Declared, message: str) -> Refused:
    return Refused(Finding("InvalidPort", _path(one), message))
