import pytest

from translators.port_addresses import Endpoint, Placement, port_addresses
from translators.records.allocations import (
    AllocatedPort,
    AllocatedResources,
    AllocatedSharedResources,
    Allocation,
    NetworkStatus,
)
from translators.records.pods import Container, ContainerPort, ObjectMeta, Pod, PodSpec

HOST = "10.0.0.7"


def a_pod(driver: str, *ports: ContainerPort, host_network: bool = False, setting: str = "") -> Pod:
    annotations = {"nomad.hashinetes.io/driver": driver}
    if setting:
        annotations["nomad.hashinetes.io/ports"] = setting
    return Pod(
        metadata=ObjectMeta(name="shop", namespace="default", uid="u", annotations=annotations),
        spec=PodSpec(containers=(Container(name="web", image="x", ports=ports),), host_network=host_network),
    )


def placed(*ports: AllocatedPort, address: str = "") -> Placement:
    allocation = Allocation(
        id="a",
        job_id="j",
        network_status=NetworkStatus(address=address),
        allocated_resources=AllocatedResources(shared=AllocatedSharedResources(ports=ports)),
    )
    return Placement(allocation=allocation, host_ip=HOST)


WEB = ContainerPort(container_port=80, name="web")
DYNAMIC = AllocatedPort(label="web", value=23000)
MAPPED = AllocatedPort(label="web", value=23000, to=80, host_ip="10.0.0.8")


@pytest.mark.parametrize(
    ("pod", "placement", "routable", "expected"),
    [
        (a_pod("raw_exec", WEB), placed(DYNAMIC), False, [Endpoint(HOST, 23000)]),
        (a_pod("raw_exec", WEB, setting="static"), placed(AllocatedPort(label="web", value=80)), False,
         [Endpoint(HOST, 80)]),
        (a_pod("exec"), placed(), False, [Endpoint(HOST, 80)]),
        (a_pod("docker", host_network=True), placed(), False, [Endpoint(HOST, 80)]),
        (a_pod("docker", WEB), placed(MAPPED, address="172.26.64.2"), False, [Endpoint("10.0.0.8", 23000)]),
        (a_pod("docker", WEB), placed(MAPPED, address="172.26.64.2"), True,
         [Endpoint("172.26.64.2", 80), Endpoint("10.0.0.8", 23000)]),
        (a_pod("docker", ContainerPort(container_port=81)), placed(address="172.26.64.2"), False, []),
        (a_pod("docker"), placed(), True, []),
        (a_pod("docker", ContainerPort(container_port=80, protocol="UDP")), placed(MAPPED), False, []),
        (a_pod("nonsense", WEB, setting="neither"), placed(MAPPED), False, []),
    ],
    ids=["dynamic", "static", "undeclared", "host-network", "mapped", "routable", "unmapped", "own", "udp", "refused"],
)  # fmt: skip
def test_a_port_is_reached_where_nomad_put_it(
    pod: Pod, placement: Placement, *, routable: bool, expected: list[Endpoint]
) -> None:
    assert list(port_addresses(pod, placement, 80, default_driver="docker", routable=routable)) == expected


def test_an_address_of_version_six_is_written_in_brackets() -> None:
    assert str(Endpoint("fd00::1", 80)) == "[fd00::1]:80"
