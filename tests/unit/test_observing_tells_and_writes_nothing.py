from collections.abc import AsyncGenerator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from vnode.errors import Withheld
from vnode.observing import ObservedKubernetes, ObservedNomad, ObservedVariables, Told
from vnode.settings import load

STATUS = "/api/v1/namespaces/shop/pods/web/status"


class Reads:
    """A connection that answers GET, and fails the test for anything else."""

    async def request(self, method: str, path: str, **_: Any) -> bytes:
        assert method == "GET"
        return path.encode()

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        yield f"{path} {query}".encode()


async def intend(kubernetes: ObservedKubernetes, body: bytes) -> None:
    with pytest.raises(Withheld, match="--observe"):
        await kubernetes.request("PATCH", STATUS, body=body)


async def test_a_write_is_told_and_withheld() -> None:
    kubernetes = ObservedKubernetes(Reads(), Told())
    with capture_logs() as logs:
        await intend(kubernetes, b'{"status":{"phase":"Running"}}')
    assert [(line["event"], line["body"]) for line in logs] == [
        (f"would PATCH {STATUS}", '{"status":{"phase":"Running"}}')
    ]


async def test_it_is_told_once_until_it_changes() -> None:
    kubernetes = ObservedKubernetes(Reads(), Told())
    with capture_logs() as logs:
        for body in (b'{"at":"2026-01-01T00:00:00Z"}', b'{"at":"2026-01-01T00:00:07Z"}', b'{"phase":"Failed"}'):
            await intend(kubernetes, body)
    assert len(logs) == 2


async def test_reads_and_watches_go_through() -> None:
    kubernetes = ObservedKubernetes(Reads(), Told())
    assert await kubernetes.request("GET", "/api/v1/nodes") == b"/api/v1/nodes"
    assert [line async for line in kubernetes.watch("/api/v1/pods", {})] == [b"/api/v1/pods {}"]


async def test_a_job_is_named_without_what_stands_in_it() -> None:
    task = SimpleNamespace(driver="raw_exec", config={"command": "/bin/true"}, env={"PASSWORD": "hunter2"})
    groups = (SimpleNamespace(tasks=(task,)),)
    job: Any = SimpleNamespace(id="vk-1", name="shop/web", namespace="default", task_groups=groups)
    with capture_logs() as logs, pytest.raises(Withheld):
        await ObservedNomad(_nobody(), Told()).register(job)
    assert logs == [
        {
            "event": "would register vk-1",
            "log_level": "info",
            "job": "shop/web",
            "namespace": "default",
            "drivers": ["raw_exec"],
        }
    ]


async def test_a_variable_is_named_without_its_items() -> None:
    variables: Any = SimpleNamespace()
    with capture_logs() as logs, pytest.raises(Withheld):
        await ObservedVariables(variables, Told()).create("default", "nomad/jobs/vk-1", {"password": "hunter2"})
    assert "hunter2" not in str(logs)
    assert logs[0]["event"] == "would write variable nomad/jobs/vk-1"


def test_it_is_a_setting() -> None:
    assert load({}, None).observe is False


def _nobody() -> Any:
    """No Nomad: nothing may be asked of it."""
