"""Builders for the decide tests: a plain raw_exec Pod and the allocation that Nomad makes of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from translators.identity import job_id, owner_of
from translators.identity import meta as job_meta
from translators.pod_to_job import JobContext
from translators.policy import DriverPolicy, Policy
from translators.records.allocations import Allocation, Evaluation, TaskEvent, TaskState
from translators.records.jobs import JobStub
from translators.records.pods import Pod, PodUid
from translators.support import decode_pod
from vnode.pods.decide import Circumstances
from vnode.view.observation import JobFacts, Observation

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
UID = PodUid("0000-1")


def circumstances(*, placeable: bool = True) -> Circumstances:
    job = JobContext(
        cluster_id="c1",
        node_name="nomad",
        nomad_namespace="default",
        region="global",
        datacenters=("*",),
        node_pool="default",
        mhz_per_core=2000,
        memory_oversubscription=False,
        default_driver="raw_exec",
    )
    policy = Policy(drivers={"raw_exec": DriverPolicy(namespaces=("*",))})
    return Circumstances(job=job, policy=policy, placeable=placeable)


def pod(
    *,
    policy: str = "Always",
    status: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
    owner: str = "",
    deleted_with_grace: int | None = None,
    grace: int = 30,
    age: float = 60.0,
) -> Pod:
    metadata: dict[str, Any] = {
        "name": "web-1",
        "namespace": "shop",
        "uid": UID,
        "resourceVersion": "5",
        "generation": 1,
        "creationTimestamp": (NOW - timedelta(seconds=age)).isoformat(),
        "annotations": annotations or {},
        "ownerReferences": [{"kind": owner, "name": "web", "uid": "owner-1", "controller": True}] if owner else [],
    }
    if deleted_with_grace is not None:
        metadata["deletionTimestamp"] = (NOW + timedelta(seconds=deleted_with_grace)).isoformat()
        metadata["deletionGracePeriodSeconds"] = deleted_with_grace
    spec = {
        "nodeName": "nomad",
        "restartPolicy": policy,
        "terminationGracePeriodSeconds": grace,
        "containers": [{"name": "app", "image": "nomad.local/binary", "command": ["/bin/true"]}],
    }
    return decode_pod({"metadata": metadata, "spec": spec, "status": status or {"phase": "Pending"}})


RUNNING = {
    "phase": "Running",
    "startTime": "2026-01-01T11:59:00Z",
    "containerStatuses": [
        {
            "name": "app",
            "image": "nomad.local/binary",
            "imageID": "",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "containerID": "nomad://a1/app/0",
            "state": {"running": {"startedAt": "2026-01-01T11:59:01Z"}},
        }
    ],
}


def job(of: Pod, *, stopped: bool = False, resolved: bool = False) -> JobFacts:
    identity = owner_of(JobStub(id=job_id(of.uid), meta=job_meta(of, "c1", "nomad")))
    assert identity is not None
    return JobFacts(
        id=job_id(of.uid), namespace="default", identity=identity, stopped=stopped, resolved=resolved, modify_index=9
    )


def allocation(
    status: str,
    *,
    state: str = "running",
    failed: bool = False,
    restarts: int = 0,
    events: tuple[TaskEvent, ...] = (),
    desired: str = "run",
) -> Allocation:
    started = "2026-01-01T11:59:01Z" if any(event.type == "Started" for event in events) else None
    return Allocation(
        id="a1",
        job_id=job_id(UID),
        client_status=status,
        desired_status=desired,
        desired_description="" if desired == "run" else "alloc not needed due to job update",
        node_id="n1",
        task_states={
            "app": TaskState(state=state, failed=failed, restarts=restarts, started_at=started, events=events)
        },
        create_index=10,
        modify_index=11,
        modify_time=int((NOW - timedelta(seconds=5)).timestamp() * 1e9),
    )


def started(seconds_ago: float = 59.0) -> TaskEvent:
    return TaskEvent(type="Started", time=_nanoseconds(seconds_ago))


def terminated(code: int, seconds_ago: float = 5.0) -> TaskEvent:
    return TaskEvent(type="Terminated", time=_nanoseconds(seconds_ago), details={"exit_code": str(code)})


def event(kind: str, seconds_ago: float = 5.0, **details: str) -> TaskEvent:
    return TaskEvent(type=kind, time=_nanoseconds(seconds_ago), details=details)


def observation(of: Pod | None, **facts: Any) -> Observation:
    return replace(Observation(uid=UID, pod=of, host_ip="10.0.0.1"), **facts)


def stop_evaluation(index: int = 20) -> Evaluation:
    return Evaluation(id="e1", job_id=job_id(UID), triggered_by="job-deregister", status="complete", modify_index=index)


def _nanoseconds(seconds_ago: float) -> int:
    return int((NOW - timedelta(seconds=seconds_ago)).timestamp() * 1e9)
