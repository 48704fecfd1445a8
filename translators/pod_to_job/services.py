"""The variables by which a task finds Services, as a kubelet makes them.

Source: kubernetes pkg/kubelet/envvars/envvars.go and kubelet_pods.go getServiceEnvVarMap.
"""

from collections.abc import Iterable

from translators.records.sources import Service

_NO_ADDRESS = frozenset({"", "None"})


def variables(kubernetes: tuple[str, int] | None, services: Iterable[Service]) -> dict[str, str]:
    """The variables of the API server's Service, at the address where tasks reach it, and of a Pod's neighbours."""
    found: dict[str, str] = {}
    for service in services:
        if service.spec.cluster_ip not in _NO_ADDRESS and service.spec.ports:
            found |= _of_service(service)
    if kubernetes is not None:
        host, port = kubernetes
        found |= {
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": str(port),
            "KUBERNETES_SERVICE_PORT_HTTPS": str(port),
            "KUBERNETES_PORT": _url("tcp", host, port),
            **_port("KUBERNETES", host, port, "TCP"),
        }
    return found


def _of_service(service: Service) -> dict[str, str]:
    name, host, ports = _name(service.metadata.name), service.spec.cluster_ip, service.spec.ports
    found = {f"{name}_SERVICE_HOST": host, f"{name}_SERVICE_PORT": str(ports[0].port)}
    found |= {f"{name}_SERVICE_PORT_{_name(port.name)}": str(port.port) for port in ports if port.name}
    found[f"{name}_PORT"] = _url(ports[0].protocol.lower(), host, ports[0].port)
    for port in ports:
        found |= _port(name, host, port.port, port.protocol)
    return found


def _port(name: str, host: str, port: int, protocol: str) -> dict[str, str]:
    base, protocol = f"{name}_PORT_{port}_{protocol.upper()}", protocol.lower()
    return {
        base: _url(protocol, host, port),
        f"{base}_PROTO": protocol,
        f"{base}_PORT": str(port),
        f"{base}_ADDR": host,
    }


def _url(protocol: str, host: str, port: int) -> str:
    return f"{protocol}://[{host}]:{port}" if ":" in host else f"{protocol}://{host}:{port}"


def _name(name: str) -> str:
    return name.upper().replace("-", "_")
