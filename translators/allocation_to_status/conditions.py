"""The conditions that a kubelet owns, and our own one about placement.

Source: kubernetes pkg/kubelet/status/generate.go. Conditions of others, readiness gates among them, are
carried through as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from translators.allocation_to_status.situation import TERMINAL_PHASES, Situation, is_sidecar
from translators.records.pods import ContainerStatus, Pod, PodCondition, PodStatus

#: Present, and False, only while Nomad does not place the Pod, or we do not let it.
PLACED = "nomad.hashinetes.io/Placed"

#: The conditions that are ours to write and, where we do not state them, to remove.
OWN = frozenset({"PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready", PLACED})

NODE_LOST = "NodeLost"

#: Why a Pod is deleted that did nothing wrong; Jobs with a podFailurePolicy look at it.
DISRUPTION_TARGET = "DisruptionTarget"

_BEFORE_ANY_TASK = frozenset({"Received"})


@dataclass(frozen=True, slots=True)
class Statement:
    """What a condition says, before it is compared with what it said."""

    type: str
    status: str
    reason: str = ""
    message: str = ""


def conditions(
    situation: Situation,
    phase: str,
    containers: Sequence[ContainerStatus],
    init_containers: Sequence[ContainerStatus],
    unplaced: tuple[str, str] | None,
    now: datetime,
    *,
    never_began: bool = False,
) -> tuple[PodCondition, ...]:
    """State all conditions; `unplaced` is the reason and message why the Pod has no place in Nomad.

    A kubelet calls a Pod that `never_began` Failed when its conditions are written (pkg/kubelet/status TerminatePod).
    """
    pod = situation.pod
    ready = _containers_ready(situation, "Pending" if never_began else phase, containers, init_containers)
    found = [
        Statement("PodScheduled", "True"),
        Statement("PodReadyToStartContainers", _truth(phase not in TERMINAL_PHASES and _is_set_up(situation))),
        _initialized(pod, phase, containers, init_containers),
        ready,
        _ready(pod, ready),
    ]
    if unplaced is not None:
        found.append(Statement(PLACED, "False", *unplaced))
    return merge(pod, found, now)


def disruption(pod: Pod, status: PodStatus, reason: str, message: str, now: datetime) -> PodStatus:
    """The same status, and that the Pod ends, or is about to be deleted, for no fault of its own."""
    target = PodCondition(
        type=DISRUPTION_TARGET,
        status="True",
        reason=reason,
        message=message,
        last_transition_time=now.replace(microsecond=0),
        observed_generation=pod.metadata.generation or None,
    )
    others = (condition for condition in status.conditions if condition.type != DISRUPTION_TARGET)
    return replace(status, conditions=(*others, target))


def merge(pod: Pod, found: Sequence[Statement], now: datetime) -> tuple[PodCondition, ...]:
    """Put what was found beside the conditions of others; a time changes only with the status."""
    held = {condition.type: condition for condition in pod.status.conditions}
    foreign = [condition for condition in pod.status.conditions if condition.type not in OWN]
    return (*foreign, *(_stamped(each, held.get(each.type), now) for each in found))


def _stamped(found: Statement, held: PodCondition | None, now: datetime) -> PodCondition:
    if held is not None and held.status == found.status and held.last_transition_time is not None:
        if held.reason == found.reason and held.message == found.message:
            return held
        now = held.last_transition_time
    return PodCondition(
        type=found.type,
        status=found.status,
        reason=found.reason,
        message=found.message,
        last_transition_time=now,
    )


def _is_set_up(situation: Situation) -> bool:
    """Whether the client has made the allocation's directory and network: no task gets further before that."""
    current = situation.current
    return current is not None and any(
        task.state != "pending" or any(event.type not in _BEFORE_ANY_TASK for event in task.events)
        for task in current.task_states.values()
    )


def _initialized(
    pod: Pod, phase: str, containers: Sequence[ContainerStatus], init_containers: Sequence[ContainerStatus]
) -> Statement:
    if phase == "Succeeded":
        return Statement("Initialized", "True", "PodCompleted")
    if not pod.spec.init_containers or any(status.container_id for status in containers):
        return Statement("Initialized", "True")
    sidecars = {each.name for each in pod.spec.init_containers if is_sidecar(each)}
    done = {each.name for each in init_containers if each.ready or (each.name in sidecars and each.started)}
    incomplete = [each.name for each in pod.spec.init_containers if each.name not in done]
    if not incomplete:
        return Statement("Initialized", "True")
    message = f"containers with incomplete status: {_names(incomplete)}"
    return Statement("Initialized", "False", "ContainersNotInitialized", message)


def _containers_ready(
    situation: Situation,
    phase: str,
    containers: Sequence[ContainerStatus],
    init_containers: Sequence[ContainerStatus],
) -> Statement:
    if phase in TERMINAL_PHASES:
        return Statement("ContainersReady", "False", "PodCompleted" if phase == "Succeeded" else "PodFailed")
    if situation.is_lost and situation.current is not None:
        client = situation.current.node_name or situation.current.node_id
        message = f"Nomad has lost its client {client}; what runs there may go on running"
        return Statement("ContainersReady", "False", NODE_LOST, message)
    spec = situation.pod.spec
    ready = {status.name for status in (*init_containers, *containers) if status.ready}
    expected = [each.name for each in spec.init_containers if is_sidecar(each)]
    expected += [each.name for each in spec.containers]
    unready = [name for name in expected if name not in ready]
    if unready:
        message = f"containers with unready status: {_names(unready)}"
        return Statement("ContainersReady", "False", "ContainersNotReady", message)
    return Statement("ContainersReady", "True")


def _ready(pod: Pod, containers_ready: Statement) -> Statement:
    if containers_ready.status != "True":
        return Statement("Ready", "False", containers_ready.reason, containers_ready.message)
    if not pod.spec.readiness_gates:
        return Statement("Ready", "True")
    held = {condition.type: condition.status for condition in pod.status.conditions}
    unready = []
    for gate in pod.spec.readiness_gates:
        name, status = gate.condition_type, held.get(gate.condition_type)
        if status is None:
            unready.append(f'corresponding condition of pod readiness gate "{name}" does not exist.')
        elif status != "True":
            unready.append(f'the status of pod readiness gate "{name}" is not "True", but {status}')
    if unready:
        return Statement("Ready", "False", "ReadinessGatesNotReady", ", ".join(unready))
    return Statement("Ready", "True")


def _names(names: Sequence[str]) -> str:
    return f"[{' '.join(names)}]"


def _truth(value: bool) -> str:  # noqa: FBT001 - it is the whole subject
    return "True" if value else "False"
