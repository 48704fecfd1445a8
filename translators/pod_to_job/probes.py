"""Probes of a Pod, judged before it starts: whether each can be asked here, and at which port.

A kubelet asks a Pod's own address; from outside of a Nomad client only what is published answers. So a port that
only a probe names is published too.
"""

from collections.abc import Iterable, Iterator, Mapping

from translators.errors import Finding, Refused
from translators.pod_to_job.expansion import expand
from translators.policy import MOCK
from translators.records.hooks import HookKind
from translators.records.pods import Container
from translators.records.probes import ExecAction, Probe, ProbeKind

_FIELDS = {
    ProbeKind.LIVENESS: "livenessProbe",
    ProbeKind.READINESS: "readinessProbe",
    ProbeKind.STARTUP: "startupProbe",
}
_HOOK_FIELDS = {HookKind.POST_START: "postStart", HookKind.PRE_STOP: "preStop"}
_TCP = frozenset({"TCP", ""})
_PORTS = range(1, 65536)


def field_path(container: Container, kind: ProbeKind) -> str:
    """Where a probe stands in the Pod."""
    return f"spec.containers[{container.name}].{_FIELDS[kind]}"


def port_of(probe: Probe, container: Container) -> int | None:
    """The port of the container that a probe asks at; None for a command, and for a name that no port has.

    Source of the order: kubernetes pkg/probe/util.go ResolveContainerPort: a name is looked up, then read as a number.
    """
    return None if probe.port is None else number_of(probe.port, container)


def number_of(wanted: int | str, container: Container) -> int | None:
    """The number of a port of a container that is given by number or name; None for a name that no port has."""
    if isinstance(wanted, int):
        return wanted
    for port in container.ports:
        if port.name == wanted:
            return port.container_port
    return int(wanted) if wanted.isascii() and wanted.isdigit() and int(wanted) in _PORTS else None


def probed_ports(containers: Iterable[Container]) -> Iterator[int]:
    """The ports that probes and hooks ask at and no container declares, once each."""
    asking = [container for container in containers if container.is_probed or container.hooks]
    if not asking:
        return
    seen = {port.container_port for container in containers for port in container.ports if port.protocol in _TCP}
    for container in asking:
        for wanted in _ports_asked_at(container):
            number = number_of(wanted, container)
            if number is not None and number not in seen:
                seen.add(number)
                yield number


def _ports_asked_at(container: Container) -> Iterator[int | str]:
    for probe in container.probes.values():
        if probe.port is not None:
            yield probe.port
    for hook in container.hooks.values():
        if hook.http_get is not None:
            yield hook.http_get.port


def command_of(probe: Probe, container: Container) -> tuple[str, ...]:
    """The command of an exec probe; as with a kubelet, variables that come from elsewhere are not expanded in it."""
    if probe.exec is None:
        return ()
    values = {each.name: each.value for each in container.env if each.value_from is None}
    return tuple(expand(text, values) for text in probe.exec.command)


def check(containers: Iterable[Container], drivers: Mapping[str, str]) -> None:
    """See whether every probe can be asked, and every hook run.

    Raises:
        Refused: for a probe without a question, a port that no container has, and a command in a mock.
    """
    for container in containers:
        for kind, probe in container.probes.items():
            path = field_path(container, kind)
            _check_command(probe.exec, path, drivers[container.name])
            if probe.port is not None and port_of(probe, container) is None:
                message = f"the container has no port named {probe.port!r}; declare it in ports, or give its number"
                raise _refused(path, message)
            if probe.exec is None and probe.port is None:
                raise _refused(path, "has no exec, httpGet, tcpSocket or grpc; add one of them")
        for moment, hook in container.hooks.items():
            path = f"spec.containers[{container.name}].lifecycle.{_HOOK_FIELDS[moment]}"
            _check_command(hook.exec, path, drivers[container.name])
            if hook.http_get is not None and number_of(hook.http_get.port, container) is None:
                message = f"the container has no port named {hook.http_get.port!r}; declare it, or give its number"
                raise _refused(f"{path}.httpGet.port", message)


def _check_command(command: ExecAction | None, path: str, driver: str) -> None:
    if command is not None and driver == MOCK:
        raise _refused(f"{path}.exec", f"driver {MOCK} runs nothing in which a command could be started")


def _refused(path: str, message: str) -> Refused:
    return Refused(Finding("InvalidField", path, message))
