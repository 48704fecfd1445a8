from typing import Any

import pytest

from tests.unit.translators.pods import binary, container, group, pod, translation
from translators.errors import Refused
from translators.pod_to_job.probes import probed_ports

HTTP = {"httpGet": {"path": "/", "port": 8080, "scheme": "HTTP"}}


def probe(action: dict[str, Any], **settings: int) -> dict[str, Any]:
    """A probe as the API server completes it."""
    return {
        **action,
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
        **settings,
    }


@pytest.mark.parametrize("field", ["livenessProbe", "readinessProbe", "startupProbe"])
@pytest.mark.parametrize(
    "action",
    [HTTP, {"tcpSocket": {"port": 8080}}, {"grpc": {"port": 8080, "service": "it"}}, {"exec": {"command": ["true"]}}],
    ids=["http", "tcp", "grpc", "exec"],
)
def test_probes_pass_silently(field: str, action: dict[str, Any]) -> None:
    own = {"periodSeconds": 1, "initialDelaySeconds": 3, "terminationGracePeriodSeconds": 5}
    assert translation(pod({**container(), field: probe(action, **own)})).warnings == ()


@pytest.mark.parametrize(
    ("action", "path"),
    [
        ({"httpGet": {"port": 80, "host": "10.0.0.1"}}, "livenessProbe.httpGet.host"),
        ({"tcpSocket": {"port": 80, "host": "db"}}, "livenessProbe.tcpSocket.host"),
        ({"httpGet": {"port": "http"}}, "livenessProbe"),
        ({"tcpSocket": {"port": "http"}}, "livenessProbe"),
        ({}, "livenessProbe"),
    ],
)
def test_a_probe_that_cannot_be_asked_is_refused(action: dict[str, Any], path: str) -> None:
    with pytest.raises(Refused) as refused:
        translation(pod(container(livenessProbe=probe(action))))
    assert refused.value.finding.field == f"spec.containers[web].{path}"


def test_a_mock_runs_no_commands() -> None:
    subject = pod(
        container(readinessProbe=probe({"exec": {"command": ["true"]}})), annotations={"driver": "mock_driver"}
    )
    with pytest.raises(Refused) as refused:
        translation(subject)
    assert refused.value.finding.field == "spec.containers[web].readinessProbe.exec"


def test_a_port_that_only_a_probe_names_is_published() -> None:
    network = group(pod(container(readinessProbe=probe(HTTP), livenessProbe=probe(HTTP)))).networks[0]
    assert network.mode == "bridge"
    assert [(port.label, port.value, port.to) for port in network.dynamic_ports] == [("vnode-probe-8080", 0, 8080)]


def test_a_declared_port_is_published_once() -> None:
    declared = container(ports=[{"containerPort": 8080, "name": "web"}], readinessProbe=probe(HTTP))
    network = group(pod(declared)).networks[0]
    assert [port.label for port in network.dynamic_ports] == ["web"]


def test_on_the_network_of_the_host_nothing_needs_to_be_published() -> None:
    subject = pod(binary(readinessProbe=probe(HTTP)), annotations={"driver": "raw_exec"})
    assert group(subject).networks == ()


def test_a_command_needs_no_port() -> None:
    subject = pod(container(readinessProbe=probe({"exec": {"command": ["true"]}})))
    assert list(probed_ports(subject.spec.containers)) == []
    assert group(subject).networks == ()
