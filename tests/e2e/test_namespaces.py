"""Namespaces: with a pattern, each Kubernetes namespace has a Nomad namespace of its own, followed as it is needed."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import pod
from tests.e2e.namespace import LATER, SOON, Namespace

_NODE = "mapped"
_POD = "main"


@pytest.fixture(scope="module")
def mapped(bed: Bed) -> Iterator[VnodeProcess]:
    with bed.vnode("--node-pool=all", "--namespace-map=k8s-{namespace}", node_name=_NODE) as process:
        yield process
    bed.kubectl("delete", "node", _NODE)


@pytest.fixture
def teams(bed: Bed, mapped: VnodeProcess, namespaces: Namespaces) -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces on both sides; Nomad's outlive what ran in them."""
    mapped.child.must_live()
    with ExitStack() as cleanup:
        made = []
        for prefix in ("team-a", "team-b"):
            namespace = cleanup.enter_context(namespaces(prefix))
            bed.nomad.api(f"/v1/namespace/{_nomad(namespace)}", "POST", {"Name": _nomad(namespace)})
            made.append(namespace)
        yield made[0], made[1]


def test_pods_of_one_name_run_apart_in_two_namespaces(bed: Bed, teams: tuple[Namespace, Namespace]) -> None:
    for team in teams:
        team.create(pod(_POD, f"echo {team.name}; sleep 3600", node=_NODE))
    for team in teams:
        found = team.wait_ready(_POD)
        assert [allocation["Namespace"] for allocation in team.allocations(found)] == [_nomad(team)]
        assert _job_names(bed, team) == [f"{team.name}/{_POD}"]
        wait_until("its log", partial(_has_logged, team), within=SOON)
    one, other = teams
    before = other.pod(_POD)
    one.delete(_POD, grace=1)
    one.wait_gone(_POD)
    one.wait_until_nomad_is_empty()
    assert _job_names(bed, one) == []
    assert _job_names(bed, other) == [f"{other.name}/{_POD}"]
    assert other.pod(_POD)["status"] == before["status"]


def test_orphans_are_found_in_every_namespace_after_a_restart(
    mapped: VnodeProcess, teams: tuple[Namespace, Namespace]
) -> None:
    for team in teams:
        team.create(pod(_POD, "exec sleep 3600", node=_NODE))
        team.wait_ready(_POD)
    mapped.stop()
    try:
        for team in teams:
            team.kubectl("delete", "pod", _POD, "--grace-period=0", "--force")
            assert len(team.nomad_jobs()) == 1
    finally:
        mapped.start()
    for team in teams:
        team.wait_until_nomad_is_empty(within=LATER)


def _has_logged(namespace: Namespace) -> bool:
    return namespace.logs(_POD) == f"{namespace.name}\n"


def _nomad(namespace: Namespace) -> str:
    return f"k8s-{namespace.name}"


def _job_names(bed: Bed, namespace: Namespace) -> list[str]:
    return [job["Name"] for job in bed.nomad.api(f"/v1/jobs?namespace={_nomad(namespace)}")]
