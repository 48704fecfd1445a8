"""Pools, drivers and versions, without a server."""

from typing import Any

import pytest

from translators.policy import DriverPolicy, Policy
from translators.records.allocations import Client, DriverInfo
from vnode.doctor import pool
from vnode.doctor.collection import judge
from vnode.doctor.kubernetes import judge_version
from vnode.doctor.problems import Problem, Status


def client(name: str = "one", *drivers: str, **fields: Any) -> Client:
    usual = {"status": "ready", "version": "1.11.3", "datacenter": "dc1"}
    healthy = {driver: DriverInfo(detected=True, healthy=True) for driver in drivers}
    return Client(id=name, name=name, drivers=healthy, **{**usual, **fields})


@pytest.mark.parametrize(
    ("node_pool", "datacenters", "expected"),
    [
        ("default", ["*"], ["here", "far"]),
        ("edge", ["*"], ["small"]),
        ("all", ["*"], ["here", "far", "small"]),
        ("default", ["dc*"], ["here"]),
        ("default", ["dc2", "eu-1"], ["far"]),
    ],
)
def test_members_are_those_of_pool_and_datacenters(node_pool: str, datacenters: list[str], expected: list[str]) -> None:
    clients = client("here"), client("far", datacenter="eu-1"), client("small", node_pool="edge")
    assert [each.name for each in pool.members(clients, node_pool, datacenters)] == expected


@pytest.mark.parametrize(
    ("clients", "status", "text"),
    [
        ([], Status.FAILURE, "there is none"),
        ([client(status="down")], Status.FAILURE, "1 down"),
        ([client(scheduling_eligibility="ineligible")], Status.FAILURE, "1 ineligible"),
        ([client(drain=True), client(status="down")], Status.FAILURE, "1 down, 1 draining"),
        ([client(), client(drain=True)], Status.OK, "1 draining, 1 ready"),
    ],
)
def test_a_pool_needs_one_client_that_takes_pods(clients: list[Client], status: Status, text: str) -> None:
    finding = pool.judge_pool(clients, "default")
    assert (finding.status, finding.found) == (status, text)


def test_a_driver_of_clients_that_take_no_pods_does_not_count() -> None:
    clients = [client("one", "docker", drain=True), client("two", "exec")]
    (finding,) = pool.judge_drivers(clients, "docker", Policy())
    assert (finding.problem, finding.fails) == (Problem.NOMAD_DRIVER, True)
    assert finding.found == "healthy on none of 1 clients"


def test_a_driver_that_only_the_policy_allows_is_a_warning() -> None:
    rules = {"raw_exec": DriverPolicy(namespaces=("*",)), "exec": DriverPolicy(namespaces=())}
    findings = pool.judge_drivers([client("one", "docker")], "docker", Policy(drivers=rules))
    assert [(each.checked, each.status) for each in findings] == [
        ("driver docker", Status.OK),
        ("driver raw_exec", Status.WARNING),
    ]


@pytest.mark.parametrize(
    ("version", "old"),
    [("1.7.7", True), ("1.7.7+ent", True), ("1.8.0-beta.1", False), ("1.11.3", False), ("2.0.4", False), ("", False)],
)
def test_nomad_is_supported_from_1_8(version: str, *, old: bool) -> None:
    findings = pool.judge_versions([client(version=version)], {"server.global": "1.11.3"})
    assert [finding.problem for finding in findings] == [Problem.NOMAD_VERSION if old else None]


def test_an_old_server_is_named() -> None:
    (finding,) = pool.judge_versions([client()], {"one.global": "1.6.1", "two.global": "1.11.3"})
    assert finding.checked == "version of Nomad server one.global"
    assert "1.8 or newer" in finding.advice


@pytest.mark.parametrize(
    ("version", "old"), [("v1.28.15", True), ("v1.29.0", False), ("v1.29.4-eks-036c24b", False), ("v1.36.3", False)]
)
def test_kubernetes_is_supported_from_1_29(version: str, *, old: bool) -> None:
    assert judge_version(version).problem is (Problem.KUBERNETES_VERSION if old else None)


@pytest.mark.parametrize(
    ("kept", "problems"),
    [
        ({"a": 1000, "b": 500}, [None]),
        ({"a": 499, "b": 1000}, [Problem.GC_MAX_ALLOCS]),
        ({"a": 50, "b": "no way"}, [Problem.GC_MAX_ALLOCS, Problem.GC_MAX_ALLOCS_UNKNOWN]),
        ({"a": "no way"}, [Problem.GC_MAX_ALLOCS_UNKNOWN]),
        ({"a": 0}, [Problem.GC_MAX_ALLOCS]),
    ],
)
def test_a_client_keeps_twice_as_many_allocations_as_pods(
    kept: dict[str, int | str], problems: list[Problem | None]
) -> None:
    assert [finding.problem for finding in judge(kept, max_pods=250)] == problems


def test_the_recommendation_grows_with_the_pods() -> None:
    (finding,) = judge({"a": 1000}, max_pods=800)
    assert "gc_max_allocs = 1600" in finding.advice
