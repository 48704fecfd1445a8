"""What a virtual Node says about the Nomad clients behind it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from translators.clients_to_node import (
    NodeFacts,
    Reserved,
    min_mhz_per_core,
    node_labels,
    node_status,
)
from translators.records.allocations import Client, ClientCpu, ClientDisk, ClientMemory, ClientResources
from translators.records.nodes import Node, NodeCondition, NodeStatus

NOW = datetime(2026, 11, 23, 12, 0, 0, 500_000, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def client(mhz: int = 8000, cores: int = 4, **more: Any) -> Client:
    resources = ClientResources(
        cpu=ClientCpu(cpu_shares=mhz, total_cpu_cores=cores),
        memory=ClientMemory(memory_mb=4096),
        disk=ClientDisk(disk_mb=10_000),
    )
    return Client(**{"id": "c", "status": "ready", "node_resources": resources, "version": "1.11.3", **more})


def facts(**more: Any) -> NodeFacts:
    usual = {"name": "nomad", "address": "10.0.0.1", "kubelet_port": 10250, "kubelet_version": "v1.36.0"}
    return NodeFacts(**{**usual, "mhz_per_core": 2000.0, **more})


def condition(status: NodeStatus, kind: str) -> NodeCondition:
    return next(each for each in status.conditions if each.type == kind)


def test_capacity_is_the_sum_over_clients_that_take_work() -> None:
    clients = [client(), client(node_max_allocs=50), client(scheduling_eligibility="ineligible"), client(status="down")]
    status = node_status(clients, Reserved(cpu_mhz=3000, memory_mb=92, disk_mb=1, allocations=2), facts(), NOW)
    assert status.capacity == {"cpu": "8", "memory": "8192Mi", "ephemeral-storage": "20000Mi", "pods": "160"}
    assert status.allocatable == {"cpu": "6500m", "memory": "8100Mi", "ephemeral-storage": "19999Mi", "pods": "158"}


def test_what_a_client_keeps_for_itself_is_no_capacity() -> None:
    kept = ClientResources(
        cpu=ClientCpu(cpu_shares=2000), memory=ClientMemory(memory_mb=96), disk=ClientDisk(disk_mb=1)
    )
    status = node_status([client(reserved_resources=kept)], Reserved(), facts(), NOW)
    assert (status.capacity["cpu"], status.capacity["memory"]) == ("3", "4000Mi")


def test_allocatable_is_never_negative() -> None:
    status = node_status([client()], Reserved(cpu_mhz=99_999, allocations=999), facts(), NOW)
    assert (status.allocatable["cpu"], status.allocatable["pods"]) == ("0", "0")


@pytest.mark.parametrize(
    ("clients", "slowest"),
    [([], None), ([client(8000, 4), client(3000, 2), client(10, 1, status="down")], 1500.0), ([client(0, 0)], None)],
)
def test_the_slowest_core_sets_the_factor(clients: list[Client], slowest: float | None) -> None:
    assert min_mhz_per_core(clients) == slowest


@pytest.mark.parametrize(
    ("clients", "more", "ready", "reachable"),
    [
        ([client()], {}, "True", "True"),
        ([client(scheduling_eligibility="ineligible")], {}, "True", "True"),
        ([client(status="down")], {}, "False", "True"),
        ([], {}, "False", "True"),
        ([], {"reachable": False, "unreachable_reason": "Refused"}, "True", "False"),
        ([client()], {"not_ready": "Nomad has not answered for an hour"}, "False", "True"),
    ],
)
def test_readiness(clients: list[Client], more: dict[str, Any], ready: str, reachable: str) -> None:
    status = node_status(clients, Reserved(), facts(**more), NOW)
    assert (condition(status, "Ready").status, condition(status, "NomadReachable").status) == (ready, reachable)


@pytest.mark.parametrize("reachable", [True, False])
def test_until_nomad_was_asked_the_node_says_what_it_said_before(*, reachable: bool) -> None:
    before = node_status([], Reserved(), facts(reachable=reachable), NOW)
    start = node_status([], Reserved(), facts(reachable=False, asked=False, previous=before), NOW + 60 * SECOND)
    held, kept = condition(before, "NomadReachable"), condition(start, "NomadReachable")
    assert (kept.status, kept.reason, kept.message) == (held.status, held.reason, held.message)
    assert kept.last_transition_time == held.last_transition_time


def test_a_new_node_takes_no_pods_until_nomad_was_asked() -> None:
    start = node_status([], Reserved(), facts(reachable=False, asked=False), NOW)
    assert condition(start, "NomadReachable").status == "False"


def test_an_outage_of_nomad_changes_nothing_but_its_own_condition() -> None:
    before = node_status([client()], Reserved(), facts(), NOW)
    during = node_status([], Reserved(), facts(reachable=False, previous=before), NOW + 60 * SECOND)
    assert (during.capacity, during.allocatable, during.node_info) == (
        before.capacity,
        before.allocatable,
        before.node_info,
    )
    assert condition(during, "Ready").last_transition_time == condition(before, "Ready").last_transition_time
    assert condition(during, "Ready").last_heartbeat_time == NOW.replace(microsecond=0) + 60 * SECOND


def test_the_runtime_is_the_version_of_nomad_and_the_platform_that_of_its_clients() -> None:
    arm = client(attributes={"kernel.name": "linux", "cpu.arch": "arm64"})
    status = node_status([arm, arm, client()], Reserved(), facts(), NOW)
    info = status.node_info
    assert (info.container_runtime_version, info.architecture) == ("nomad://1.11.3", "arm64")
    assert node_labels("nomad", "global", "default", [client()])["kubernetes.io/arch"] == "amd64"


def test_the_port_is_spelled_as_the_api_spells_it() -> None:
    status = node_status([client()], Reserved(), facts(), NOW)
    encoded = TypeAdapter(NodeStatus).dump_python(status, by_alias=True)
    assert encoded["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 10250}}
    assert encoded["nodeInfo"]["systemUUID"] == ""
    assert list(encoded["addresses"]) == [{"type": "InternalIP", "address": "10.0.0.1"}]


def test_labels_are_valid_whatever_the_names() -> None:
    labels = node_labels("nomad", "eu/west", "x" * 80, [])
    assert labels["topology.kubernetes.io/zone"] == ("eu-west-" + "x" * 80)[:63]
    assert labels["type"] == "virtual-kubelet"


def test_a_node_is_read_with_null_lists() -> None:
    node = TypeAdapter(Node).validate_python(
        {"metadata": {"name": "nomad"}, "spec": {"taints": None, "providerID": "nomad://global/x"}, "status": {}}
    )
    assert (node.spec.taints, node.spec.provider_id) == ((), "nomad://global/x")
