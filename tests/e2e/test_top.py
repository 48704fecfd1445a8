"""`kubectl top` and the HPA: a real metrics-server scrapes vnode, which asks Nomad's clients what they measured."""

import re
from collections.abc import Iterator

import pytest

from tests.e2e import kubelet_api
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.metrics_server import metrics_server
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest, container, deployment, pod
from tests.e2e.namespace import LATER, Namespace

_NODE, _POOL = "measured-node", "measured"
#: About a tenth of a core: there are four of them, and the rest of the bed needs its two as well.
_BUSY = "while true; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.3; done"
_IDLE = "sleep 600"
_RESOURCE, _SUMMARY, _CADVISOR = "/metrics/resource", "/stats/summary", "/metrics/cadvisor"
_DRIVERS = {"raw": "raw_exec", "chroot": "exec", "image": "docker"}

pytestmark = pytest.mark.timeout(240, func_only=True)


@pytest.fixture(scope="module")
def node(bed: Bed) -> Iterator[VnodeProcess]:
    """A Node whose one client measures its tasks, which Nomad's clients do not unless they are told to."""
    bed.nomad.api("/v1/node/pools", "POST", {"Name": _POOL})
    with (
        bed.nomad.joined(_POOL, measures=True),
        bed.vnode(f"--node-pool={_POOL}", node_name=_NODE) as process,
    ):
        yield process
    bed.kubectl("delete", "node", _NODE)


@pytest.fixture(scope="module")
def measured(bed: Bed, node: VnodeProcess, namespaces: Namespaces) -> Iterator[Namespace]:
    """One busy Pod of each driver and an idle one with two containers; then metrics-server."""
    node.child.must_live()
    with namespaces() as namespace:
        names = [*_DRIVERS, "idle"]
        for name, driver in _DRIVERS.items():
            namespace.create(pod(name, _BUSY, driver=driver, node=_NODE))
        pair = (container(_IDLE, name="one"), container(_IDLE, name="two"))
        namespace.create(pod("idle", *pair, node=_NODE))
        namespace.create(_workers())
        for name in names:
            namespace.wait_ready(name)
        with metrics_server(bed):
            yield namespace


def test_top_shows_what_pods_and_node_use(measured: Namespace) -> None:
    def shown() -> dict[str, tuple[int, int]] | None:
        done = measured.kubectl("top", "pods", "--no-headers", "--containers", check=False)
        rows = re.findall(r"^(\S+) +(\S+) +(\d+)m +(\d+)Mi", done.stdout, re.MULTILINE)
        found = {f"{name}/{part}": (int(cpu), int(memory)) for name, part, cpu, memory in rows}
        wanted = {*(f"{name}/main" for name in _DRIVERS), "idle/one", "idle/two"}
        return found if wanted <= set(found) and all(found[f"{name}/main"][0] for name in _DRIVERS) else None

    found = wait_until("kubectl top to show every Pod", shown, within=LATER)
    for name in _DRIVERS:
        assert found[f"{name}/main"][0] > found["idle/one"][0]

    def of_node() -> re.Match[str] | None:
        done = measured.bed.kubectl("top", "node", _NODE, "--no-headers", check=False)
        return re.match(rf"{_NODE} +(\d+)m +\d+% +(\d+)Mi", done.stdout)

    cpu, memory = wait_until("kubectl top to show the Node", of_node, within=LATER).groups()
    assert int(cpu) > 0
    assert int(memory) > 0


def test_an_hpa_scales_a_deployment(measured: Namespace) -> None:
    def replicas() -> int:
        path = f"/apis/apps/v1/namespaces/{measured.name}/deployments/workers"
        return int(measured.bed.control_plane.api(path)["status"].get("readyReplicas", 0))

    measured.apply(_autoscaler())
    try:
        wait_until("the HPA to add a Pod", lambda: replicas() == 2, within=LATER)
    except Exception as problem:
        problem.add_note(measured.kubectl("describe", "hpa").stdout)
        raise
    finally:
        measured.kubectl("delete", "hpa", "workers")


def test_every_value_has_the_time_of_its_measurement_and_none_is_zero(
    bed: Bed, node: VnodeProcess, measured: Namespace
) -> None:
    with kubelet_api.client(bed, node, pair=bed.control_plane.admin) as api:
        lines = [line for line in api.get(_RESOURCE).text.splitlines() if not line.startswith("#")]
        series = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+) (\d{13})$", "\n".join(lines), re.MULTILINE)
        assert {name for name, *_ in series} == {
            "node_cpu_usage_seconds_total",
            "node_memory_working_set_bytes",
            "container_cpu_usage_seconds_total",
            "container_memory_working_set_bytes",
            "pod_cpu_usage_seconds_total",
            "pod_memory_working_set_bytes",
        }
        assert all(float(value) > 0 for _, _, value, _ in series)
        assert "resource_scrape_error 0.0" in lines
        summary = api.get(_SUMMARY).json()
        assert summary["node"]["nodeName"] == _NODE
        uids = {each["podRef"]["uid"] for each in summary["pods"]}
        assert measured.pod("idle")["metadata"]["uid"] in uids
        assert 'container="two",id="nomad://' in api.get(_CADVISOR).text


def _workers() -> Manifest:
    """A Deployment that uses many times of what it asks for."""
    return deployment("workers", _BUSY, 1, node=_NODE)


def _autoscaler() -> Manifest:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "workers"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "workers"},
            "minReplicas": 1,
            "maxReplicas": 2,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
                }
            ],
        },
    }
