import json

import pytest

from tests.unit.kubelet.api import OUTAGE, Api, task_usage
from vnode.nomad.usage import AllocationUsage, ClientUsage, HostCore, HostDisk, HostMemory

RESOURCE = """\
# HELP node_cpu_usage_seconds_total Core-seconds used on the hosts of the Node's clients
# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total 0.001 1795435200000
# HELP node_memory_working_set_bytes Memory of the hosts of the Node's clients that cannot be reclaimed
# TYPE node_memory_working_set_bytes gauge
node_memory_working_set_bytes 40.0 1795435200000
# HELP container_cpu_usage_seconds_total Core-seconds used by the container
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container="web",namespace="default",pod="shop"} 0.001 1795435200500
# HELP container_memory_working_set_bytes Memory of the container that cannot be reclaimed
# TYPE container_memory_working_set_bytes gauge
container_memory_working_set_bytes{container="web",namespace="default",pod="shop"} 1.048576e+06 1795435200500
# HELP container_start_time_seconds When the container began, in seconds since the epoch
# TYPE container_start_time_seconds gauge
container_start_time_seconds{container="web",namespace="default",pod="shop"} 1.7954316e+09
# HELP pod_cpu_usage_seconds_total Core-seconds used by the running containers of the Pod
# TYPE pod_cpu_usage_seconds_total counter
pod_cpu_usage_seconds_total{namespace="default",pod="shop"} 0.001 1795435200500
# HELP pod_memory_working_set_bytes Memory of the Pod that cannot be reclaimed
# TYPE pod_memory_working_set_bytes gauge
pod_memory_working_set_bytes{namespace="default",pod="shop"} 1.048576e+06 1795435200500
# HELP scrape_error 1 if something could not be measured
# TYPE scrape_error gauge
scrape_error 0.0
# HELP resource_scrape_error 1 if something could not be measured
# TYPE resource_scrape_error gauge
resource_scrape_error 0.0
"""


@pytest.fixture
def measured(api: Api) -> Api:
    api.usage.allocations["shop"] = AllocationUsage(tasks={"web": task_usage(0.5, 25.0)})
    api.usage.clients["c1"] = ClientUsage(
        memory=HostMemory(total=100, available=60),
        cores=(HostCore(total_percent=50.0),),
        alloc_dir_stats=HostDisk(size=9, used=4, available=5),
        timestamp=1,
    )
    return api


async def test_resource_metrics_carry_the_times_of_their_measurements(measured: Api) -> None:
    async with measured.get("/metrics/resource", token="alices") as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert await answer.text() == RESOURCE


async def test_what_is_not_measured_has_no_series(api: Api) -> None:
    status, text = await api.text("/metrics/resource", token="alices")
    assert status == 200
    assert [line.split()[0] for line in text.splitlines() if line[0] != "#"] == [
        "scrape_error",
        "resource_scrape_error",
    ]


async def test_an_outage_of_nomad_is_a_metric(measured: Api) -> None:
    measured.usage.outage = OUTAGE
    status, text = await measured.text("/metrics/resource", token="alices")
    assert (status, "resource_scrape_error 1.0\n" in text, "container_cpu" in text) == (200, True, False)


async def test_cadvisors_metrics_have_cadvisors_labels(measured: Api) -> None:
    _, text = await measured.text("/metrics/cadvisor", token="alices")
    labels = 'container="web",id="nomad://shop/web/0",image="",name="shop/web/0",namespace="default",pod="shop"'
    lines = [line for line in text.splitlines() if line[0] != "#"]
    assert lines == [
        f"container_cpu_usage_seconds_total{{{labels}}} 0.001 1795435200500",
        f"container_memory_working_set_bytes{{{labels}}} 1.048576e+06 1795435200500",
        f"container_memory_rss{{{labels}}} 1.048576e+06 1795435200500",
        f"container_start_time_seconds{{{labels}}} 1.7954316e+09 1795435200500",
        "machine_memory_bytes 100.0 1795435200000",
        "container_scrape_error 0.0",
    ]


async def test_the_summary_is_a_kubelets(measured: Api) -> None:
    _, text = await measured.text("/stats/summary", token="alices")
    at, cpu = "2026-11-23T12:00:00Z", {"usageNanoCores": 250_000_000, "usageCoreNanoSeconds": 1_000_000}
    assert json.loads(text) == {
        "node": {
            "nodeName": "nomad",
            "startTime": at,
            "cpu": {"time": at, "usageNanoCores": 500_000_000, "usageCoreNanoSeconds": 1_000_000},
            "memory": {"time": at, "availableBytes": 60, "usageBytes": 40, "workingSetBytes": 40},
            "fs": {"time": at, "availableBytes": 5, "capacityBytes": 9, "usedBytes": 4},
        },
        "pods": [
            {
                "podRef": {"name": "shop", "namespace": "default", "uid": "uid-shop"},
                "containers": [
                    {
                        "name": "web",
                        "startTime": "2026-11-23T11:00:00Z",
                        "cpu": {"time": at, **cpu},
                        "memory": {"time": at, "workingSetBytes": 2**20, "rssBytes": 2**20},
                    }
                ],
                "cpu": {"time": at, **cpu},
                "memory": {"time": at, "workingSetBytes": 2**20},
            }
        ],
    }


async def test_the_summary_can_be_short(measured: Api) -> None:
    _, text = await measured.text("/stats/summary?only_cpu_and_memory=true", token="alices")
    assert "fs" not in json.loads(text)["node"]


async def test_a_summary_of_nothing_is_an_error(measured: Api) -> None:
    measured.usage.outage = OUTAGE
    assert await measured.text("/stats/summary", token="alices") == (500, f"Internal Error: {OUTAGE}")


async def test_scrapers_share_one_round(measured: Api) -> None:
    for path in ("/metrics/resource", "/metrics/cadvisor", "/stats/summary"):
        assert (await measured.text(path, token="alices"))[0] == 200
    assert measured.usage.asked == ["c1", "shop"]
