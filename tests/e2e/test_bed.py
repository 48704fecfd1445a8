"""The bed itself: is everything there that the other tests take for granted?"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx2
import pytest

from tests.e2e.bed import audit, kubectls
from tests.e2e.bed.bed import RIGHTS, VNODE_USER, Bed
from tests.e2e.bed.nomad import POOLS
from tests.e2e.bed.nomad_configuration import DRIVERS
from tests.e2e.bed.processes import run, wait_until

_PLACED_SECONDS = 30


def test_control_plane_answers(bed: Bed) -> None:
    bed.kubectl("create", "deployment", "paper", "--image=busybox:1.36")
    try:
        wait_until(
            "the Deployment's Pod, made by the controllers and refused by the scheduler",
            lambda: "Unschedulable" in bed.kubectl("get", "pods", "--selector=app=paper", "--output=json").stdout,
            within=20,
        )
    finally:
        bed.kubectl("delete", "deployment", "paper", "--wait=false")


@pytest.mark.parametrize("version", [None, *kubectls.VERSIONS])
def test_kubectl_answers(bed: Bed, version: str | None) -> None:
    answer = json.loads(bed.kubectl("version", "--output=json", version=version).stdout)
    assert answer["serverVersion"]["minor"] == "36"
    if version is not None:
        assert answer["clientVersion"]["gitVersion"].startswith(f"v{version}.")


def test_a_killed_api_server_comes_back(bed: Bed) -> None:
    bed.control_plane.apiserver.kill()
    assert bed.kubectl("get", "namespaces", check=False).returncode
    bed.control_plane.apiserver.start()
    bed.control_plane.wait_ready()
    assert "kube-system" in bed.kubectl("get", "namespaces").stdout


def test_five_clients_in_two_pools_with_healthy_drivers_and_real_addresses(bed: Bed) -> None:
    nodes = bed.nomad.api("/v1/nodes?os=true")
    assert {pool: sum(node["NodePool"] == pool for node in nodes) for pool in POOLS} == dict(POOLS)
    for node in nodes:
        assert node["Status"] == "ready"
        assert {name for name, driver in node["Drivers"].items() if driver["Healthy"]} == set(DRIVERS)
        attributes = bed.nomad.api(f"/v1/node/{node['ID']}")["Attributes"]
        assert attributes["unique.network.ip-address"] == bed.nomad.clients[node["Name"]].address
    assert len({client.address for client in bed.nomad.clients.values()}) == len(nodes)


def test_docker_in_bridge_mode_answers_at_its_own_address_and_at_the_host_port(bed: Bed) -> None:
    script = "mkdir /tmp/www && echo hello >/tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www"
    web = _task("web", "docker", image="busybox:1.36", command="sh", args=["-c", script])
    network = {"Mode": "bridge", "DynamicPorts": [{"Label": "http", "To": 8080}]}
    side = _task("side", "docker", image="busybox:1.36", args=["sleep", "600"])
    with _job(bed, "bridge", [web, side], network) as job:
        port = job["AllocatedResources"]["Shared"]["Ports"][0]
        addresses = f"{job['NetworkStatus']['Address']}:8080", f"{port['HostIP']}:{port['Value']}"
        for address in addresses:
            answer = wait_until(address, partial(_get, f"http://{address}/"), within=10)
            assert answer == "hello\n"


def test_docker_publishes_ports_without_a_bridge(bed: Bed) -> None:
    web = _task("web", "docker", image="busybox:1.36", ports=["http"], args=["httpd", "-f", "-p", "80", "-h", "/etc"])
    with _job(bed, "published", [web], {"DynamicPorts": [{"Label": "http", "To": 80}]}) as job:
        port = job["AllocatedResources"]["Shared"]["Ports"][0]
        answer = wait_until("httpd", lambda: _get(f"http://{port['HostIP']}:{port['Value']}/passwd"), within=10)
        assert answer.startswith("root:")


def test_exec_is_isolated(bed: Bed) -> None:
    script = "id -un; ls /; echo end"
    with _job(bed, "exec", [_task("main", "exec", command="/bin/sh", args=["-c", f"{script}; sleep 600"])]) as job:
        lines = _output(bed, job)
        assert lines[0] == "nobody"
        assert "secrets" in lines
        assert "home" not in lines


def test_raw_exec_inherits_nothing_of_the_developer(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere")
    main = _task("main", "raw_exec", command="/bin/sh", args=["-c", "env; echo end; sleep 600"])
    with _job(bed, "raw", [main], pool="edge") as job:
        names = {line.partition("=")[0] for line in _output(bed, job)}
        assert {name for name in names if not name.startswith("NOMAD_")} <= {"PATH", "PWD", "_", "SHLVL", "end"}


def test_clients_come_and_go(bed: Bed) -> None:
    with bed.nomad.joined("edge") as client:
        sleeper = _task("main", "raw_exec", command="/bin/sleep", args=["601"])
        only_here = [{"LTarget": "${node.unique.name}", "RTarget": client.name, "Operand": "="}]
        with _job(bed, "sleeper", [sleeper], pool="edge", constraints=only_here) as job:
            client.kill()
            client.start()
            client.wait_ready()
            assert bed.nomad.api(f"/v1/allocation/{job['ID']}")["ClientStatus"] == "running"
            client.drain(-1)
            wait_until("the drain", lambda: not client.node["Drain"], within=30)
            client.undrain()
            client.remove()
    assert client.name not in {node["Name"] for node in bed.nomad.api("/v1/nodes")}
    assert client.address not in run("ip", "address")


def test_secured_nomad_refuses_strangers(bed: Bed) -> None:
    if bed.profile != "secured":
        pytest.skip("the plain profile is open")
    with bed.nomad.http(token=None) as tokenless:
        assert tokenless.get("/v1/jobs").status_code == 403
    stranger = bed.nomad.http(token=bed.nomad.management_token, with_certificate=False)
    with stranger, pytest.raises(httpx2.TransportError):
        stranger.get("/v1/jobs")
    with bed.nomad.http(token=bed.nomad.vnode_token) as vnode:
        assert vnode.get("/v1/jobs?namespace=k8s-team-b").status_code == 200
        assert vnode.get("/v1/nodes").status_code == 200
        assert vnode.get("/v1/acl/tokens").status_code == 403
        assert vnode.get("/v1/jobs?namespace=other").status_code == 403


def test_secured_vnode_has_the_shipped_rights_and_no_more(bed: Bed) -> None:
    if bed.profile != "secured":
        pytest.skip("in the plain profile vnode is administrator")
    nodes = bed.kubectl("get", "nodes", kubeconfig=bed.vnode_kubeconfig)
    assert nodes.returncode == 0
    secrets = bed.kubectl("get", "secrets", "--all-namespaces", kubeconfig=bed.vnode_kubeconfig, check=False)
    assert "forbidden" in secrets.stderr
    list_nodes, list_secrets = audit.Right("list", "", "nodes"), audit.Right("list", "", "secrets")
    used, granted = audit.used(bed.audit_log, VNODE_USER), audit.granted(RIGHTS)
    assert {list_nodes, list_secrets} <= used
    assert list_nodes in granted
    assert list_secrets in granted, "to be bound in single namespaces"


def _task(name: str, driver: str, **config: object) -> dict[str, Any]:
    return {"Name": name, "Driver": driver, "Config": config, "Resources": {"CPU": 50, "MemoryMB": 32}}


@contextmanager
def _job(
    bed: Bed,
    name: str,
    tasks: list[dict[str, Any]],
    network: dict[str, Any] | None = None,
    *,
    pool: str = "default",
    constraints: list[dict[str, str]] | None = None,
) -> Iterator[dict[str, Any]]:
    """Run a job straight on Nomad and yield its running allocation."""
    group = {"Name": "pod", "Tasks": tasks, "Networks": [network] if network else None}
    job = {"ID": name, "NodePool": pool, "Datacenters": ["*"], "TaskGroups": [group], "Constraints": constraints}
    bed.nomad.api("/v1/jobs", "POST", {"Job": job})
    try:
        yield wait_until(f"job {name} to run", lambda: _running(bed, name), within=_PLACED_SECONDS)
    finally:
        bed.nomad.api(f"/v1/job/{name}?purge=true", "DELETE")


def _running(bed: Bed, job: str) -> dict[str, Any] | None:
    for stub in bed.nomad.api(f"/v1/job/{job}/allocations"):
        allocation: dict[str, Any] = bed.nomad.api(f"/v1/allocation/{stub['ID']}")
        if allocation["ClientStatus"] == "running":
            return allocation
        states = {name: state["Events"][-1]["DisplayMessage"] for name, state in (stub["TaskStates"] or {}).items()}
        assert stub["ClientStatus"] == "pending", states
    return None


def _output(bed: Bed, allocation: dict[str, Any]) -> list[str]:
    """Standard output up to the line "end"."""
    path = f"/v1/client/fs/logs/{allocation['ID']}?task=main&type=stdout&plain=true"
    with bed.nomad.http(token=bed.nomad.management_token) as nomad:
        text = wait_until("the task's output", lambda: text if "end\n" in (text := nomad.get(path).text) else None,
                          within=10)  # fmt: skip
    return text.splitlines()


def _get(url: str) -> str:
    return httpx2.get(url, trust_env=False, timeout=2).text
