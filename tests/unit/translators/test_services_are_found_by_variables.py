from typing import Any

from pydantic import TypeAdapter

from translators.pod_to_job.services import variables
from translators.records.sources import Service

_SERVICE = TypeAdapter(Service)


def service(name: str, address: str, *ports: dict[str, Any]) -> Service:
    return _SERVICE.validate_python({"metadata": {"name": name}, "spec": {"clusterIP": address, "ports": list(ports)}})


def test_the_variables_are_those_of_a_kubelet() -> None:
    """The example of pkg/kubelet/envvars/envvars_test.go, in shape."""
    served = service(
        "foo-bar", "1.2.3.4", {"name": "p-one", "port": 8080}, {"name": "q", "port": 53, "protocol": "UDP"}
    )
    assert variables(None, [served]) == {
        "FOO_BAR_SERVICE_HOST": "1.2.3.4",
        "FOO_BAR_SERVICE_PORT": "8080",
        "FOO_BAR_SERVICE_PORT_P_ONE": "8080",
        "FOO_BAR_SERVICE_PORT_Q": "53",
        "FOO_BAR_PORT": "tcp://1.2.3.4:8080",
        "FOO_BAR_PORT_8080_TCP": "tcp://1.2.3.4:8080",
        "FOO_BAR_PORT_8080_TCP_PROTO": "tcp",
        "FOO_BAR_PORT_8080_TCP_PORT": "8080",
        "FOO_BAR_PORT_8080_TCP_ADDR": "1.2.3.4",
        "FOO_BAR_PORT_53_UDP": "udp://1.2.3.4:53",
        "FOO_BAR_PORT_53_UDP_PROTO": "udp",
        "FOO_BAR_PORT_53_UDP_PORT": "53",
        "FOO_BAR_PORT_53_UDP_ADDR": "1.2.3.4",
    }


def test_a_service_without_an_address_has_none() -> None:
    assert variables(None, [service("headless", "None", {"port": 80}), service("external", "")]) == {}


def test_an_address_of_six_is_bracketed_in_urls() -> None:
    assert variables(None, [service("six", "fd00::1", {"port": 80})])["SIX_PORT"] == "tcp://[fd00::1]:80"
