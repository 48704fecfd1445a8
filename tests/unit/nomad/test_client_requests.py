import json
from collections.abc import Awaitable, Callable

import pytest

from tests.unit.nomad.scripted import ScriptedNomad, response
from translators.records.jobs import Job, Resources, RestartPolicy, Task, TaskGroup
from vnode.errors import NotFound, Unavailable
from vnode.nomad.client import NomadClient
from vnode.nomad.transport import Transport

Ask = Callable[[NomadClient], Awaitable[object]]

JOB = Job(
    id="vk-1",
    name="default/web",
    type="batch",
    namespace="team",
    region="eu",
    datacenters=("*",),
    node_pool="default",
    meta={"vk_uid": "1"},
    task_groups=(
        TaskGroup(
            name="pod",
            tasks=(
                Task(
                    name="web",
                    driver="docker",
                    config={"image": "web", "args": ["$${X}"]},
                    resources=Resources(cpu=100, memory_mb=64),
                ),
            ),
            restart_policy=RestartPolicy(attempts=0, interval=1, delay=1, mode="fail"),
        ),
    ),
)


@pytest.fixture
def client(transport: Transport) -> NomadClient:
    return NomadClient(transport)


async def test_a_registration_creates_only(client: NomadClient, nomad: ScriptedNomad) -> None:
    route = nomad.put("/v1/jobs").respond(
        json={"EvalID": "e", "JobModifyIndex": 7, "Warnings": "1 warning", "Index": 7}
    )
    registration = await client.register(JOB)
    body = json.loads(route.last.body)
    assert route.last.url.query["namespace"] == "team"
    assert (body["EnforceIndex"], body["JobModifyIndex"], "Submission" in body) == (True, 0, False)
    assert body["Job"]["TaskGroups"][0]["Tasks"][0]["Config"] == {"image": "web", "args": ["$${X}"]}
    assert "User" not in body["Job"]["TaskGroups"][0]["Tasks"][0]
    assert (registration.eval_id, registration.job_modify_index, registration.warnings) == ("e", 7, "1 warning")


async def test_a_replacement_names_what_it_replaces(client: NomadClient, nomad: ScriptedNomad) -> None:
    route = nomad.put("/v1/jobs").respond(json={})
    await client.register(JOB, check_index=7, submission='{"kind":"Pod"}')
    body = json.loads(route.last.body)
    assert body["JobModifyIndex"] == 7
    assert body["Submission"] == {"Source": '{"kind":"Pod"}', "Format": "json"}


async def test_a_client_of_another_region_says_so(transport: Transport, nomad: ScriptedNomad) -> None:
    route = nomad.put("/v1/jobs").respond(json={})
    await NomadClient(transport, region="us").register(JOB)
    assert route.last.url.query["region"] == "us"


@pytest.mark.parametrize(
    ("ask", "request_line"),
    [
        (lambda c: c.stop("team", "vk-1"), "DELETE /v1/job/vk-1?region=eu&namespace=team&purge=false"),
        (lambda c: c.purge("team", "vk-1"), "DELETE /v1/job/vk-1?region=eu&namespace=team&purge=true"),
        (lambda c: c.job("team", "a/b c"), "GET /v1/job/a%2Fb%20c?region=eu&namespace=team"),
        (
            lambda c: c.jobs("team"),
            "GET /v1/jobs?region=eu&namespace=team&prefix=vk-&meta=true&per_page=200",
        ),
        (
            lambda c: c.allocations("team"),
            (
                "GET /v1/allocations?region=eu&namespace=team&resources=true&task_states=true"
                "&filter=JobID+matches+%22%5Evk-%22&per_page=200"
            ),
        ),
        (
            lambda c: c.allocations("*", prefix=""),
            "GET /v1/allocations?region=eu&namespace=%2A&resources=true&task_states=true&per_page=200",
        ),
        (
            lambda c: c.job_allocations("team", "vk-1"),
            "GET /v1/job/vk-1/allocations?region=eu&namespace=team&all=true",
        ),
        (lambda c: c.allocation("c0ffee"), "GET /v1/allocation/c0ffee?region=eu"),
        (lambda c: c.job_evaluations("team", "vk-1"), "GET /v1/job/vk-1/evaluations?region=eu&namespace=team"),
        (lambda c: c.evaluation("team", "e1"), "GET /v1/evaluation/e1?region=eu&namespace=team"),
        (lambda c: c.clients(), "GET /v1/nodes?region=eu&resources=true&per_page=200"),
        (lambda c: c.client("n1"), "GET /v1/node/n1?region=eu"),
        (lambda c: c.node_pool("gpu"), "GET /v1/node/pool/gpu?region=eu"),
        (lambda c: c.namespaces(), "GET /v1/namespaces?region=eu&per_page=200"),
        (lambda c: c.agent(), "GET /v1/agent/self?region=eu"),
        (lambda c: c.signal("c0ffee", "app", "SIGKILL"), "PUT /v1/client/allocation/c0ffee/signal?region=eu"),
        (
            lambda c: c.list_files("c0ffee", "alloc/logs"),
            "GET /v1/client/fs/ls/c0ffee?region=eu&path=alloc%2Flogs",
        ),
    ],
)
async def test_each_request_is_what_nomad_expects(
    client: NomadClient, nomad: ScriptedNomad, ask: Ask, request_line: str
) -> None:
    everything = {"ID": "x", "JobID": "j", "Name": "n", "config": {"Version": {"Version": "1.11.3"}}}
    listing = any(part in request_line for part in ("per_page", "allocations?", "evaluations?", "/ls/"))
    route = nomad.route().respond(json=[] if listing else everything)
    await ask(client)
    assert f"{route.last.method} {route.last.url.raw_path_qs}" == request_line


async def test_a_missing_job_is_none_and_a_missing_allocation_an_error(
    client: NomadClient, nomad: ScriptedNomad
) -> None:
    nomad.get("/v1/job/vk-1").respond(404, text="job not found")
    nomad.get("/v1/allocation/c0ffee").respond(404, text="alloc not found")
    assert await client.job("team", "vk-1") is None
    with pytest.raises(NotFound):
        await client.allocation("c0ffee")


async def test_stopping_what_is_not_there_is_no_error(client: NomadClient, nomad: ScriptedNomad) -> None:
    nomad.delete("/v1/job/vk-1").respond(json={"EvalID": "", "EvalCreateIndex": 0, "Index": 0})
    assert (await client.stop("team", "vk-1")).eval_id == ""


async def test_a_list_is_read_to_its_last_page(client: NomadClient, nomad: ScriptedNomad) -> None:
    nomad.get("/v1/allocations", params={"next_token": "9.b"}).respond(json=[{"ID": "b", "JobID": "vk-2"}])
    nomad.get("/v1/allocations").respond(
        json=[{"ID": "a", "JobID": "vk-1", "TaskStates": None}], headers={"X-Nomad-NextToken": "9.b"}
    )
    assert [allocation.id for allocation in await client.allocations("team")] == ["a", "b"]


async def test_allocations_and_evaluations_of_a_job_come_oldest_first(
    client: NomadClient, nomad: ScriptedNomad
) -> None:
    nomad.get("/v1/job/vk-1/allocations").respond(
        json=[{"ID": "b", "JobID": "vk-1", "CreateIndex": 9}, {"ID": "a", "JobID": "vk-1", "CreateIndex": 7}]
    )
    nomad.get("/v1/job/vk-1/evaluations").respond(json=[{"ID": "f", "CreateIndex": 9}, {"ID": "e", "CreateIndex": 7}])
    assert [allocation.id for allocation in await client.job_allocations("team", "vk-1")] == ["a", "b"]
    assert [evaluation.id for evaluation in await client.job_evaluations("team", "vk-1")] == ["e", "f"]


@pytest.mark.parametrize(
    ("pool", "cluster", "expected"),
    [
        ({"MemoryOversubscriptionEnabled": True}, False, True),
        ({"MemoryOversubscriptionEnabled": False}, True, False),
        ({"MemoryOversubscriptionEnabled": None}, True, True),
        (None, True, True),
        (None, False, False),
        (None, None, None),
    ],
)
async def test_memory_oversubscription_is_that_of_the_pool_else_of_the_cluster_else_unknown(
    client: NomadClient,
    nomad: ScriptedNomad,
    pool: dict[str, bool] | None,
    *,
    cluster: bool | None,
    expected: bool | None,
) -> None:
    nomad.get("/v1/node/pool/gpu").respond(json={"Name": "gpu", "SchedulerConfiguration": pool})
    nomad.get("/v1/operator/scheduler/configuration").always(
        response(403, text="Permission denied")
        if cluster is None
        else response(json={"SchedulerConfig": {"MemoryOversubscriptionEnabled": cluster}})
    )
    assert await client.memory_oversubscription("gpu") is expected


@pytest.mark.parametrize(("prerelease", "version"), [("", "1.11.3"), ("beta.1", "1.11.3-beta.1")])
async def test_an_agent_tells_its_version(
    client: NomadClient, nomad: ScriptedNomad, prerelease: str, version: str
) -> None:
    nomad.get("/v1/agent/self").respond(
        json={"config": {"Version": {"Version": "1.11.3", "VersionPrerelease": prerelease}, "Region": "eu"}}
    )
    assert (await client.agent()).version == version


@pytest.mark.parametrize("body", [b"", b"<html>", b'[{"JobID": 7}]'])
async def test_an_answer_that_is_not_understood_is_no_answer(
    client: NomadClient, nomad: ScriptedNomad, body: bytes
) -> None:
    nomad.get("/v1/jobs").respond(content=body)
    with pytest.raises(Unavailable, match="not understood"):
        await client.jobs("team")


async def test_usage_is_asked_of_the_client_that_runs_the_allocation(client: NomadClient, nomad: ScriptedNomad) -> None:
    task = {
        "ResourceUsage": {
            "MemoryStats": {"RSS": 5, "Cache": 0, "Swap": 0, "Usage": 0, "Measured": ["RSS", "Swap"]},
            "CpuStats": {"Percent": 12.5, "TotalTicks": 300.1, "Measured": ["Percent"]},
            "DeviceStats": [],
        },
        "Timestamp": 7,
        "Pids": {"1": None},
    }
    nomad.get("/v1/client/allocation/a1/stats").respond(json={"Tasks": {"web": task, "late": None}})
    found = await client.allocation_usage("a1")
    usage = found.tasks["web"]
    assert usage is not None
    assert usage.resource_usage is not None
    assert usage.resource_usage.memory_stats is not None
    assert (usage.timestamp, usage.resource_usage.memory_stats.rss, found.tasks["late"]) == (7, 5, None)


async def test_usage_of_a_host_names_the_client(client: NomadClient, nomad: ScriptedNomad) -> None:
    answer = {"Memory": {"Total": 9, "Available": 4}, "CPU": [{"TotalPercent": 3.5}], "Timestamp": 7, "DiskStats": None}
    route = nomad.get("/v1/client/stats").respond(json=answer)
    found = await client.client_usage("c1")
    assert route.last.url.query["node_id"] == "c1"
    assert (found.cores[0].total_percent, found.alloc_dir_stats, found.timestamp) == (3.5, None, 7)
