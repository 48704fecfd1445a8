"""Placement and downloads: what annotations ask of Nomad, and what is said while no client fits."""

import functools
import http.server
import threading
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest, container, pod, settings
from tests.e2e.namespace import LATER, SOON, Namespace, condition, container_status, phase

_PROGRAM = b"#!/bin/sh\necho downloaded\nexec sleep 3600\n"
_DATA = b"told by a file\n"
_PLACED = "nomad.hashinetes.io/Placed"
_RUNS = "exec sleep 3600"


@pytest.fixture(scope="module")
def server(bed: Bed) -> Iterator[str]:
    """Address of a server of downloads, on the address of the machine that the clients reach."""
    folder = bed.directory / "downloads"
    folder.mkdir()
    (folder / "serve").write_bytes(_PROGRAM)
    (folder / "data").write_bytes(_DATA)
    address = (bed.node_address, bed.free_port())
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(address, handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        try:
            yield "http://{}:{}".format(*address)
        finally:
            running.shutdown()


@pytest.mark.parametrize("driver", ["raw_exec", "exec"])
def test_a_downloaded_program_is_run(scene: Namespace, server: str, driver: str) -> None:
    name = f"program-{driver.replace('_', '-')}"
    artifact = f"{server}/serve?checksum=sha256:{sha256(_PROGRAM).hexdigest()}"
    scene.create(pod(name, container(), driver=driver, annotations=settings(artifact=artifact)))
    scene.wait_ready(name)
    wait_until(f"the log of {name}", lambda: scene.logs(name) == "downloaded\n", within=SOON)


@pytest.mark.parametrize("driver", ["raw_exec", "exec", "docker"])
def test_a_command_finds_what_was_downloaded_for_it(scene: Namespace, server: str, driver: str) -> None:
    name = f"data-{driver.replace('_', '-')}"
    artifact = f"{server}/data?checksum=sha256:{sha256(_DATA).hexdigest()}"
    manifest = pod(name, "cat $NOMAD_TASK_DIR/data; sleep 2", driver=driver, annotations=settings(artifact=artifact))
    manifest["spec"]["restartPolicy"] = "Never"
    scene.create(manifest)
    assert phase(scene.wait_phase(name, "Succeeded", "Failed")) == "Succeeded"
    wait_until(f"the log of {name}", lambda: scene.logs(name) == _DATA.decode(), within=SOON)


@pytest.mark.parametrize(
    ("name", "asked", "clients"),
    [
        ("by-name", {"constraints": "${node.unique.name} = edge-1"}, {"edge-1"}),
        ("by-two", {"constraints": "${attr.kernel.name} = linux\n${node.unique.name} regexp ^default-[12]$"},
         {"default-1", "default-2"}),
        ("by-pool", {"node_pool": "edge"}, {"edge-0", "edge-1"}),
        ("by-pool-and-name", {"node_pool": "edge", "constraints": "${node.unique.name} != edge-0"}, {"edge-1"}),
    ],
)  # fmt: skip
def test_a_pod_runs_where_it_asks_to(scene: Namespace, name: str, asked: dict[str, str], clients: set[str]) -> None:
    scene.create(pod(name, _RUNS, annotations=settings(**asked)))
    (allocation,) = scene.allocations(scene.wait_ready(name))
    assert allocation["NodeName"] in clients


def test_what_nomad_weighs_is_in_the_job_as_nomad_holds_it(bed: Bed, scene: Namespace) -> None:
    asked = settings(datacenters="dc1, eu-*", priority="70", affinities="${node.unique.name} = default-2 weight=-80")
    scene.create(pod("weighed", _RUNS, annotations=asked))
    job = _job(bed, scene.wait_ready("weighed"))
    assert job["Datacenters"] == ["dc1", "eu-*"]
    assert job["Priority"] == 70
    affinity = {"LTarget": "${node.unique.name}", "Operand": "=", "RTarget": "default-2", "Weight": -80}
    assert job["Affinities"] == [affinity]


def test_a_class_of_kubernetes_is_a_priority_of_nomad_where_an_administrator_says_so(
    bed: Bed, scene: Namespace
) -> None:
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
    for name, value in (("urgent", 1000), ("nameless", 2000)):
        scene.apply({**kind, "metadata": {"name": name}, "value": value})
        scene.create(pod(name, _RUNS, priorityClassName=name))
    assert [_job(bed, scene.wait_ready(name))["Priority"] for name in ("urgent", "nameless")] == [80, 50]


@pytest.mark.parametrize(
    ("name", "asked", "pool"),
    [
        ("no-datacenter", {"datacenters": "mars-1"}, "all"),
        ("of-a-pool", {"node_pool": "default", "datacenters": "x"}, "default"),
    ],
)
def test_datacenters_without_clients_are_said(scene: Namespace, name: str, asked: dict[str, str], pool: str) -> None:
    scene.create(pod(name, _RUNS, annotations=settings(**asked)))
    assert f'No clients are available in node pool "{pool}" in the datacenters asked for' in _unplaced(scene, name)


def test_no_place_is_a_condition_and_an_event_with_numbers_until_there_is_one(bed: Bed, scene: Namespace) -> None:
    asked = settings(constraints="${meta.e2e_placement} = open")
    scene.create(pod("late", _RUNS, annotations=asked))
    said = _unplaced(scene, "late")
    assert said.startswith("Nomad cannot place the Pod: ")
    assert f'Constraint "${{meta.e2e_placement}} = open": {len(bed.nomad.clients)} clients excluded by filter' in said
    client = bed.nomad.clients["edge-0"]
    _write_metadata(bed, client.node["ID"], "open")
    try:
        found = scene.wait_ready("late", within=LATER)
        assert condition(found, _PLACED) == {}
        assert [each["NodeName"] for each in scene.allocations(found)] == [client.name]
        assert container_status(found)["restartCount"] == 0
        assert len(scene.events("late", "Unschedulable")) == 1
    finally:
        _write_metadata(bed, client.node["ID"], None)


def test_a_resource_that_is_exhausted_is_named(scene: Namespace) -> None:
    large = container(_RUNS, resources={"limits": {"memory": "9Gi"}})
    fits = settings(constraints="${node.unique.name} = default-0")
    scene.create(pod("first", large, annotations=fits))
    scene.wait_ready("first")
    scene.create(pod("second", large, annotations=fits))
    said = _unplaced(scene, "second")
    assert 'Dimension "memory" exhausted on 1 client' in said
    scene.delete("first", grace=1)
    found = scene.wait_ready("second", within=LATER)
    assert condition(found, _PLACED) == {}


def _unplaced(namespace: Namespace, name: str) -> str:
    """Wait until a Pod says that it has no place, in its condition and in an Event alike; return what it says."""
    found = namespace.wait(
        name, "to say that it has no place", lambda found: condition(found, _PLACED).get("status") == "False"
    )
    assert phase(found) == "Pending"
    said = str(condition(found, _PLACED)["message"])
    assert condition(found, _PLACED)["reason"] == "Unschedulable"
    assert namespace.wait_event(name, "Unschedulable", said)["type"] == "Warning"
    return said


def _write_metadata(bed: Bed, node: str, text: str | None) -> None:
    """What `nomad node meta apply` does; None takes it back."""
    bed.nomad.api(f"/v1/client/metadata?node_id={node}", "POST", {"Meta": {"e2e_placement": text}})


def _job(bed: Bed, found: Manifest) -> dict[str, Any]:
    return dict(bed.nomad.api(f"/v1/job/vk-{found['metadata']['uid']}"))


def test_a_device_is_part_of_the_node_and_asked_of_nomad(bed: Bed, namespaces: Namespaces) -> None:
    """No client of the bed has one, and Nomad says so."""
    policy = {"drivers": {"raw_exec": {"namespaces": ["*"]}}}
    own = {"devices": {"example.com/fpga": "acme/fpga"}, "policy": policy}
    with bed.vnode("--node-pool=all", node_name="devices", settings=own), namespaces() as namespace:
        capacity = bed.control_plane.api("/api/v1/nodes/devices")["status"]["capacity"]
        assert capacity["example.com/fpga"] == "0"
        asks = container(_RUNS, resources={"limits": {"example.com/fpga": "1"}})
        # Bound by hand: the scheduler knows better.
        namespace.create(pod("asks", asks, node="devices", nodeName="devices"))
        waiting = namespace.wait(
            "asks", "to say that it has no place", lambda found: condition(found, _PLACED).get("status") == "False"
        )
        assert "missing devices" in condition(waiting, _PLACED)["message"]
    bed.kubectl("delete", "node", "devices")
