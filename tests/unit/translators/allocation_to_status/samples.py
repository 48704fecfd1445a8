"""Pods and allocations as the two servers show them, in the shortest words."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from translators.allocation_to_status import Facts, pod_status
from translators.records.allocations import (
    AllocatedNetwork,
    AllocatedResources,
    AllocatedSharedResources,
    Allocation,
    DesiredTransition,
    NetworkStatus,
    TaskEvent,
    TaskState,
)
from translators.records.pods import Container, ContainerStatus, ObjectMeta, Pod, PodSpec, PodStatus

UID = "5f0c6c1e-0000-4000-8000-000000000001"
ALLOCATION = "a1a1a1a1-0000-4000-8000-00000000000a"
SECOND_ALLOCATION = "b2b2b2b2-0000-4000-8000-00000000000b"
START = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
NOW = START + timedelta(minutes=1)
SECOND = 1_000_000_000
YEARS = 10 * 365 * 24 * 3600 * SECOND
NO_RESTART_YET = "0001-01-01T00:00:00Z"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(kind: str, seconds: float = 0.25, text: str = "", **details: str) -> TaskEvent:
    return TaskEvent(
        type=kind,
        time=int((START.timestamp() + seconds) * SECOND),
        display_message=text,
        details=details,
    )


def started(seconds: float) -> TaskEvent:
    return event("Started", seconds, "Task started by client")


def terminated(seconds: float, exit_code: int = 0, **details: str) -> TaskEvent:
    return event("Terminated", seconds, exit_code=str(exit_code), signal="0", oom_killed="false", **details)


def restarting(seconds: float, delay: int = 10 * SECOND) -> TaskEvent:
    return event("Restarting", seconds, start_delay=str(delay), restart_reason="Restart within policy")


def task(
    state: str, *events: TaskEvent, restarts: int = 0, failed: bool = False, started_at: float | None = None
) -> TaskState:
    begun = [each for each in events if each.type == "Started"]
    if started_at is not None:
        text = f"{at(started_at):%Y-%m-%dT%H:%M:%S}.123456789Z"
    elif begun:
        text = f"{datetime.fromtimestamp(begun[-1].time / SECOND, UTC):%Y-%m-%dT%H:%M:%S}.123456789Z"
    else:
        text = NO_RESTART_YET
    return TaskState(
        state=state, failed=failed, restarts=restarts, started_at=text, finished_at=NO_RESTART_YET, events=events
    )


PENDING = task("pending", event("Received", text="Task received by client"))
RUNNING = task("running", event("Received"), event("Task Setup", text="Building Task Directory"), started(2))


def allocation(client_status: str = "running", /, **tasks: TaskState) -> Allocation:
    return allocation_of(tasks, client_status)


def allocation_of(
    tasks: Mapping[str, TaskState],
    client_status: str = "running",
    *,
    mode: str = "host",
    address: str = "",
    **more: Any,
) -> Allocation:
    defaults: dict[str, Any] = {
        "id": ALLOCATION,
        "job_id": f"vk-{UID}",
        "node_id": "c0ffee",
        "node_name": "client-1",
    }
    return Allocation(
        **{**defaults, **more},
        client_status=client_status,
        task_states=dict(tasks),
        network_status=NetworkStatus(address=address) if address else None,
        allocated_resources=AllocatedResources(
            shared=AllocatedSharedResources(networks=(AllocatedNetwork(mode=mode, ip="10.0.0.5"),))
        ),
    )


def stopped(description: str = "", *, migrate: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "desired_status": "stop",
        "desired_description": description,
        "desired_transition": DesiredTransition(migrate=migrate or None),
        **more,
    }


def pod(
    policy: str = "Always",
    *,
    containers: tuple[str, ...] = ("web",),
    init: tuple[Container, ...] = (),
    status: PodStatus | None = None,
    deleting: bool = False,
    generation: int = 0,
    **spec: Any,
) -> Pod:
    return Pod(
        metadata=ObjectMeta(
            name="shop",
            namespace="prod",
            uid=UID,
            generation=generation,
            deletion_timestamp=START if deleting else None,
        ),
        spec=PodSpec(
            containers=tuple(Container(name=name, image=f"{name}:1") for name in containers),
            init_containers=init,
            restart_policy=policy,
            **spec,
        ),
        status=status or PodStatus(),
    )


def facts(*allocations: Allocation, **more: Any) -> Facts:
    return Facts(**{"submitted": True, "host_ip": "10.0.0.5", "reached_at": "host", **more}, allocations=allocations)


def with_status(subject: Pod, status: PodStatus) -> Pod:
    return Pod(metadata=subject.metadata, spec=subject.spec, status=status, unsupported=subject.unsupported)


def after(subject: Pod, *history: Facts) -> Pod:
    """The Pod as the API shows it when each state was published in turn."""
    for state in history:
        subject = with_status(subject, pod_status(subject, state, NOW))
    return subject


def container(status: PodStatus, name: str = "web") -> ContainerStatus:
    return next(each for each in (*status.init_container_statuses, *status.container_statuses) if each.name == name)


def shown(status: PodStatus, name: str = "web") -> str:
    """A container's state as kubectl's STATUS column would have it."""
    state = container(status, name).state
    if state.running is not None:
        return "Running"
    if state.terminated is not None:
        return f"{state.terminated.reason}:{state.terminated.exit_code}"
    return state.waiting.reason if state.waiting is not None else ""
