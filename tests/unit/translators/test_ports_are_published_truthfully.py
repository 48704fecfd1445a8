import dataclasses
from typing import Any

import pytest

from tests.unit.translators.pods import CONTEXT, binary, container, group, pod, translation
from translators.errors import Refused
from translators.pod_to_job import address
from translators.records.jobs import Port

HTTP = {"name": "http", "containerPort": 80, "protocol": "TCP"}
PUBLISHED = {**HTTP, "hostPort": 8080}
STATIC = {"ports": "static"}
RAW = {"driver": "raw_exec"}
ROUTABLE = dataclasses.replace(CONTEXT, routable_allocations=True)


@pytest.mark.parametrize(
    ("ports", "annotations", "spec", "mode", "reserved", "dynamic", "reached"),
    [
        ([HTTP], {}, {}, "bridge", (), (Port(label="http", to=80),), ""),
        ([HTTP], STATIC, {}, "bridge", (Port(label="http", value=80, to=80),), (), "host"),
        ([PUBLISHED], {}, {}, "bridge", (Port(label="http", value=8080, to=80),), (), ""),
        ([HTTP], {}, {"hostNetwork": True}, "host", (Port(label="http", value=80),), (), "host"),
        ([HTTP], RAW, {}, "host", (), (Port(label="http"),), ""),
        ([HTTP], RAW | STATIC, {}, "host", (Port(label="http", value=80),), (), "host"),
        ([HTTP], RAW | {"ports.web": "static"}, {}, "host", (Port(label="http", value=80),), (), "host"),
        ([PUBLISHED], RAW, {}, "host", (Port(label="http", value=8080),), (), ""),
        ([HTTP], {"driver": "mock_driver"}, {}, "host", (), (Port(label="http"),), ""),
    ],
)
def test_networks(
    ports: list[dict[str, Any]],
    annotations: dict[str, str],
    spec: dict[str, Any],
    mode: str,
    reserved: tuple[Port, ...],
    dynamic: tuple[Port, ...],
    reached: str,
) -> None:
    subject = pod(binary(ports=ports), annotations=annotations, **spec)
    [network] = group(subject).networks
    assert (network.mode, network.reserved_ports, network.dynamic_ports) == (mode, reserved, dynamic)
    assert address(subject, CONTEXT) == reached


@pytest.mark.parametrize(
    ("annotations", "spec", "reached"),
    [
        ({}, {}, ""),
        ({}, {"hostNetwork": True}, "host"),
        (RAW, {}, "host"),
        ({"driver": "mock_driver"}, {}, "host"),
        ({"driver": "nonsense"}, {}, ""),
    ],
)
def test_without_ports_there_is_no_network_to_ask_for(
    annotations: dict[str, str], spec: dict[str, Any], reached: str
) -> None:
    subject = pod(binary(), annotations=annotations, **spec)
    assert address(subject, CONTEXT) == reached
    if annotations.get("driver") != "nonsense":
        assert group(subject).networks == ()


def test_docker_on_the_hosts_network_is_told_so() -> None:
    assert group(pod(container(ports=[HTTP]), hostNetwork=True)).tasks[0].config["network_mode"] == "host"
    assert "network_mode" not in group(pod(container(ports=[HTTP]))).tasks[0].config


def test_containers_of_docker_share_a_bridge_that_carries_the_host_name() -> None:
    found = group(pod(container("a"), container("b"), hostname="db-0"))
    [network] = found.networks
    assert (network.mode, network.hostname) == ("bridge", "db-0")
    assert "hostname" not in found.tasks[0].config


def test_a_bridge_with_another_driver_has_no_host_name() -> None:
    [network] = group(pod(container("a"), binary("b"), annotations={"driver.b": "raw_exec"})).networks
    assert (network.mode, network.hostname) == ("bridge", None)


def test_a_routable_bridge_is_the_pods_address() -> None:
    assert address(pod(container(ports=[HTTP])), ROUTABLE) == "allocation"
    assert address(pod(container(ports=[HTTP]), annotations=STATIC), ROUTABLE) == "allocation"


def test_one_host_port_serves_both_protocols() -> None:
    ports = [{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]
    [fixed] = group(pod(container(ports=ports), annotations=STATIC)).networks
    assert fixed.reserved_ports == (Port(label="p53", value=53, to=53),)
    [free] = group(pod(container(ports=ports))).networks
    assert [port.label for port in free.dynamic_ports] == ["p53", "p53-udp"]


def test_labels_are_unique_over_containers() -> None:
    found = group(pod(container("a", ports=[HTTP]), container("b", ports=[HTTP]), container("c", ports=[HTTP])))
    assert [port.label for port in found.networks[0].dynamic_ports] == ["http", "http-tcp", "http-c"]


@pytest.mark.parametrize(
    ("ports", "annotations", "message"),
    [
        ([HTTP], {"ports": "some"}, "neither static nor dynamic"),
        ([PUBLISHED], {"ports": "dynamic"}, "contradicts hostPort 8080"),
        ([{**HTTP, "protocol": "SCTP"}], {}, "not SCTP"),
        ([{**PUBLISHED, "hostIP": "127.0.0.1"}], {}, "hostIP 127.0.0.1 is not supported"),
        ([PUBLISHED, {**PUBLISHED, "name": "x", "containerPort": 81}], {}, "cannot lead to two ports"),
    ],
)
def test_a_port_that_cannot_be_had_is_refused(
    ports: list[dict[str, Any]], annotations: dict[str, str], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        translation(pod(container(ports=ports), annotations=annotations))


def test_a_host_port_that_nothing_maps_is_warned_about() -> None:
    [finding] = translation(pod(binary(ports=[PUBLISHED]), annotations=RAW)).warnings
    assert finding.reason == "PortNotMapped"
