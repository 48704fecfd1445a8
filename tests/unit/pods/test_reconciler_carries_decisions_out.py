import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.pods.observations import (
    NOW,
    UID,
    allocation,
    circumstances,
    event,
    pod,
    started,
    terminated,
)
from tests.unit.pods.peers import Script
from tests.unit.translators.claims import claim, volume
from translators.health import Health
from translators.identity import job_id
from translators.identity import meta as job_meta
from translators.records.jobs import JobRegistration, JobStub
from translators.records.pods import Pod, PodUid
from translators.records.probes import Probe, ProbeKind, TcpSocketAction
from translators.records.sources import ClaimVolumeSource, Volume, VolumeMount
from vnode.errors import Conflict, Denied, NotFound, Rejected, Unavailable, Withheld
from vnode.metrics import Metrics
from vnode.nomad.errors import NamespaceMissing
from vnode.pods.queue import KeyedQueue
from vnode.pods.reconciler import Reconciler
from vnode.view.view import View


class Bench:
    """A reconciler over a view, with scripted peers and a clock that stands still."""

    def __init__(self, **answers: Any) -> None:
        self.script = Script(**answers)
        self.queue: KeyedQueue[PodUid] = KeyedQueue(lambda: 0.0)
        self.view = View(
            cluster="c1",
            node="nomad",
            changed=self.queue.add,
            capacity_changed=lambda: None,
            clock=lambda: 0.0,
        )
        self.known = True
        self.hindrance = ""
        self.published: list[tuple[PodUid, list[str]]] = []
        self.reconciler = Reconciler(
            view=self.view,
            queue=self.queue,
            peers=self.script.peers(),
            circumstances=lambda _: circumstances() if self.known else self.hindrance,
            metrics=Metrics(),
            published=lambda uid: self.published.append((uid, list(self.script.names))),
            now=lambda: NOW,
            clock=lambda: 0.0,
        )

    def knows(self, one: Pod, *, job: bool = False, stopped: bool = False) -> "Bench":
        self.view.pods.apply(one)
        if job:
            self.view.jobs.apply_job(stub(one, stopped=stopped))
        return self

    async def round(self) -> list[str]:
        await self.reconciler.round(UID)
        return self.script.names

    async def attempt(self) -> None:
        """One turn of a worker."""
        worker = asyncio.create_task(self.reconciler.work())
        for _ in range(10):
            await asyncio.sleep(0)
        worker.cancel()


def stub(one: Pod, *, stopped: bool = False) -> JobStub:
    return JobStub(id=job_id(one.uid), meta=job_meta(one, "c1", "nomad"), stop=stopped, modify_index=9)


async def test_a_registered_job_is_known_before_its_echo() -> None:
    bench = Bench().knows(pod())
    assert await bench.round() == ["register"]
    assert bench.view.observation(UID).job is not None


async def test_a_second_round_does_not_register_again() -> None:
    bench = Bench().knows(pod())
    await bench.round()
    await bench.round()
    assert bench.script.names.count("register") == 1


async def test_nothing_is_decided_before_both_sides_are_known() -> None:
    bench = Bench().knows(pod())
    bench.known = False
    assert await bench.round() == []


async def test_a_namespace_that_nomad_denies_is_told_to_its_pods() -> None:
    bench = Bench().knows(pod())
    bench.known, bench.hindrance = False, "Nomad namespace k8s-x: Permission denied"
    await bench.round()
    assert bench.script.calls == [("event", "web-1", "NomadUnavailable")]


async def test_a_job_that_exists_already_is_read_and_adopted() -> None:
    one = pod()
    bench = Bench(register=Conflict("job already exists"), job=stub(one)).knows(one)
    with pytest.raises(Conflict):
        await bench.round()
    assert bench.view.observation(UID).job is not None
    assert bench.script.names == ["register", "job", "job_allocations", "job_evaluations"]


async def test_what_nomad_rejects_fails_the_pod() -> None:
    bench = Bench(register=Rejected("1 error occurred: no")).knows(pod(policy="Never"))
    await bench.round()
    names = await bench.round()
    assert names == ["register", "patch_status", "event"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Denied("ACL token expired"), "NomadUnavailable"),
        (NamespaceMissing("nonexistent namespace"), "NomadNamespaceMissing"),
    ],
)
async def test_what_only_an_administrator_or_time_can_mend_leaves_the_pod_waiting(
    error: Exception, reason: str
) -> None:
    bench = Bench(register=error).knows(pod())
    await bench.attempt()
    assert [call for call in bench.script.calls if call[0] == "event"] == [("event", "web-1", reason)]
    assert "patch_status" not in bench.script.names
    assert bench.queue.failed(UID) == 1.0, "the key was not backed off before"


@pytest.mark.parametrize("claims", [False, True])
async def test_a_denial_of_a_volume_says_nothing_of_other_pods(*, claims: bool) -> None:
    one = pod()
    bench = Bench(register=Denied("Permission denied"))
    if claims:
        one = _with_claim(one)
        bench.view.claims.serve()
        bench.view.claims.claims.replace([replace(claim(), metadata=replace(claim().metadata, namespace="shop"))])
        bench.view.claims.volumes.replace([volume()])
    await bench.knows(one).attempt()
    assert ("denied" in bench.script.names) is not claims
    assert "event" in bench.script.names


def _with_claim(one: Pod) -> Pod:
    data = Volume(name="data", persistent_volume_claim=ClaimVolumeSource(claim_name="data"))
    [only] = one.spec.containers
    mounting = replace(only, volume_mounts=(VolumeMount(name="data", mount_path="/data"),))
    return replace(one, spec=replace(one.spec, volumes=(data,), containers=(mounting,)))


async def test_an_outage_is_told_when_it_lasts_and_not_while_another_server_takes_over() -> None:
    bench = Bench(register=Unavailable("Nomad does not answer")).knows(pod())
    for _ in range(4):
        bench.queue.add(UID)
        await bench.attempt()
    assert "event" not in bench.script.names
    bench.queue.add(UID)
    await bench.attempt()
    assert [call for call in bench.script.calls if call[0] == "event"] == [("event", "web-1", "NomadUnavailable")]
    assert "patch_status" not in bench.script.names


async def test_a_write_that_was_withheld_is_no_failure() -> None:
    bench = Bench(register=Withheld("another replica leads")).knows(pod())
    await bench.attempt()
    assert bench.script.names == ["register"]
    assert bench.queue.due == 0


async def test_a_patched_status_is_known_before_its_echo() -> None:
    bench = Bench().knows(pod(), job=True)
    bench.view.jobs.apply_allocation(allocation("running", events=(started(),)))
    assert await bench.round() == ["patch_status", "event"]
    assert await bench.round() == ["patch_status", "event"]


async def test_what_was_published_is_said_when_its_events_are_told() -> None:
    """Nobody else says so: the echo of our own write is nothing new."""
    bench = Bench().knows(pod(), job=True)
    bench.view.jobs.apply_allocation(allocation("running", events=(started(),)))
    await bench.round()
    await bench.round()
    assert bench.published == [(UID, ["patch_status", "event"])]


async def test_what_was_published_is_said_before_what_failed_is_ended() -> None:
    """So that the failure is told between the start and the end."""
    (plain,) = pod().spec.containers
    probed = replace(plain, liveness_probe=Probe(tcp_socket=TcpSocketAction(port=80)))
    bench = Bench().knows(replace(pod(), spec=replace(pod().spec, containers=(probed,))), job=True)
    bench.view.jobs.apply_allocation(allocation("running", events=(started(),)))
    run = "nomad://a1/app/0"
    bench.view.health.put(UID, "app", Health(run=run, started=True, ready=False, failed=ProbeKind.LIVENESS))
    assert await bench.round() == ["patch_status", "event", "event", "signal"]
    assert bench.published == [(UID, ["patch_status", "event"])]


async def test_a_pod_that_vanished_under_a_patch_is_no_error() -> None:
    bench = Bench(patch_status=NotFound("pods web-1 not found")).knows(pod(), job=True)
    bench.view.jobs.apply_allocation(allocation("running", events=(started(),)))
    assert (await bench.round())[0] == "patch_status"


async def test_the_first_failure_ends_a_round() -> None:
    bench = Bench(patch_status=Unavailable("the API server does not answer")).knows(pod(), job=True)
    bench.view.jobs.apply_allocation(allocation("running", events=(started(),)))
    with pytest.raises(Unavailable):
        await bench.round()
    assert bench.script.names == ["patch_status"]


async def test_stopping_a_job_that_is_gone_resolves_it() -> None:
    bench = Bench(stop=JobRegistration()).knows(pod(deleted_with_grace=30), job=True)
    await bench.round()
    assert bench.view.observation(UID).is_over


async def test_a_task_that_ended_before_its_kill_is_not_killed_again() -> None:
    one = pod(deleted_with_grace=0)
    bench = Bench(signal=Conflict("Task not running")).knows(one, job=True, stopped=True)
    bench.view.jobs.apply_allocation(allocation("running", events=(started(),)))
    await bench.round()
    await bench.round()
    assert bench.script.names.count("signal") == 1


async def test_a_pod_that_the_list_lacked_keeps_its_job() -> None:
    one = pod()
    bench = Bench(get=one)
    bench.view.jobs.apply_job(stub(one))
    await bench.round()
    assert bench.script.names == ["get"]
    assert bench.view.observation(UID).pod == one


async def test_a_job_whose_pod_is_confirmed_gone_is_stopped() -> None:
    bench = Bench()
    bench.view.jobs.apply_job(stub(pod()))
    await bench.round()
    assert await bench.round() == ["get", "stop"]


async def test_the_next_run_of_a_task_is_measured_into_its_container_id() -> None:
    bench = Bench().knows(pod(), job=True)
    events = (started(), terminated(1), event("Restarting", start_delay="10000000000"))
    bench.view.jobs.apply_allocation(allocation("pending", state="pending", restarts=1, events=events))
    await bench.round()
    assert bench.view.observation(UID).memory.positions == {"app": "nomad://a1/app/1@0.12,0.0"}


async def test_a_defect_met_with_one_pod_does_not_end_the_work() -> None:
    bench = Bench(register=JobRegistration()).knows(pod())
    bench.script.answers["register"] = "not a registration"
    await bench.attempt()
    assert bench.queue.failed(UID) == 1.0, "the key was not backed off before"


def changed_image(one: Pod) -> Pod:
    """The same Pod, of docker, with another image than its job was made of."""
    containers = (replace(one.spec.containers[0], image="example.com/app:2"),)
    return replace(one, metadata=replace(one.metadata, generation=2), spec=replace(one.spec, containers=containers))


def submitted(**answers: Any) -> Bench:
    """A Pod whose image was changed, with the job of before, which was registered at index 8."""
    one = pod(annotations={"nomad.hashinetes.io/driver": "docker"})
    bench = Bench(**answers).knows(changed_image(one))
    bench.view.jobs.apply_job(replace(stub(one), job_modify_index=8))
    return bench


async def test_a_job_is_replaced_at_the_index_that_is_known_and_once() -> None:
    bench = submitted()
    await bench.round()
    await bench.round()
    registrations = [call for call in bench.script.calls if call[0] == "register"]
    assert registrations == [("register", job_id(UID), 8)]
    known = bench.view.observation(UID).job
    assert known is not None
    assert known.job_modify_index == 7


async def test_what_became_of_a_replacement_without_an_answer_is_read() -> None:
    bench = submitted(register=Conflict("conflicting job modify index"))
    now = replace(stub(changed_image(pod())), job_modify_index=10, modify_index=10)
    bench.script.answers["job"] = now
    with pytest.raises(Conflict):
        await bench.round()
    del bench.script.answers["register"]
    bench.script.calls.clear()
    assert "register" not in await bench.round()


async def test_a_pod_whose_change_nomad_refuses_goes_on_and_says_so_once() -> None:
    bench = submitted(register=Rejected("1 error occurred: no"))
    await bench.round()
    await bench.round()
    assert bench.script.names.count("register") == 1
    assert bench.script.calls.count(("event", "web-1", "ImageNotChanged")) == 1
    assert bench.view.observation(UID).memory.refusal is None
    assert "stop" not in bench.script.names
