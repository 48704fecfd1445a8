import json

import pytest

from tests.unit.kubelet.api import Api, running_pod
from translators.records.pods import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStatus,
    ObjectMeta,
    Pod,
    PodStatus,
)


@pytest.mark.parametrize("path", ["/healthz", "/healthz/ping", "/healthz/log", "/healthz/syncloop"])
async def test_a_healthy_node_says_ok(api: Api, path: str) -> None:
    assert await api.text(path, token="alices") == (200, "ok")


async def test_a_node_in_trouble_says_why(api: Api) -> None:
    api.trouble[0] = "no consistent list of Pods for 3 minutes"
    for path in ("/healthz", "/healthz/syncloop"):
        status, text = await api.text(path, token="alices")
        assert (status, "no consistent list of Pods for 3 minutes" in text) == (500, True)
    assert await api.text("/healthz/ping", token="alices") == (200, "ok")


async def test_the_configuration_is_shown(api: Api) -> None:
    _, text = await api.text("/configz", token="alices")
    assert json.loads(text) == {"kubeletconfig": {"kind": "KubeletConfiguration"}}


async def test_metrics_are_prometheus_text(api: Api) -> None:
    async with api.get("/metrics", token="alices") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert "vnode_things_total 1.0\n" in await answer.text()


async def test_all_pods_are_listed(api: Api) -> None:
    api.everything.known["other"] = running_pod("other")
    async with api.get("/pods", token="alices") as answer:
        assert answer.headers["Content-Type"] == "application/json"
        listed = await answer.json()
    assert (listed["kind"], listed["apiVersion"]) == ("PodList", "v1")
    first = listed["items"][0]
    assert [pod["metadata"]["name"] for pod in listed["items"]] == ["shop", "other"]
    assert first["metadata"]["creationTimestamp"] == "2026-11-23T11:00:00Z"
    assert first["spec"]["restartPolicy"] == "Always"
    assert first["status"]["containerStatuses"][0]["state"] == {"running": {"startedAt": "2026-11-23T11:00:00Z"}}
    assert "unsupported" not in first


async def test_running_pods_hold_their_running_containers(api: Api) -> None:
    ended = ContainerState(terminated=ContainerStateTerminated(exit_code=0))
    api.everything.known["ended"] = Pod(
        metadata=ObjectMeta(name="ended", namespace="default"),
        status=PodStatus(container_statuses=(ContainerStatus(name="web", state=ended),)),
    )
    _, text = await api.text("/runningpods/", token="alices")
    assert json.loads(text)["items"] == [
        {
            "metadata": {"name": "shop", "namespace": "default", "uid": "uid-shop"},
            "spec": {"containers": [{"name": "web", "image": "busybox", "resources": {}}]},
            "status": {},
        }
    ]


async def test_a_node_without_pods_lists_none(api: Api) -> None:
    api.everything.known.clear()
    for path in ("/pods", "/runningpods/"):
        _, text = await api.text(path, token="alices")
        assert json.loads(text)["items"] == []


@pytest.mark.parametrize(
    ("method", "path", "subject"),
    [
        ("POST", "/run/default/shop/web", "running a command"),
    ],
)
async def test_what_is_not_supported_yet_says_so(api: Api, method: str, path: str, subject: str) -> None:
    async with api.get(path, token="alices", method=method) as answer:
        text = await answer.text()
        assert (answer.status, answer.headers["Content-Type"]) == (501, "text/plain; charset=utf-8")
    assert subject in text
    assert text.endswith("is not supported yet by this virtual node.")


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/nowhere", 404, "404: Page Not Found"),
        ("GET", "/", 404, "404: Page Not Found"),
        ("POST", "/pods", 405, "405: Method Not Allowed"),
    ],
)
async def test_other_paths_and_methods_are_refused(api: Api, method: str, path: str, status: int, text: str) -> None:
    assert await api.text(path, token="alices", method=method) == (status, text)
