"""What a Pod and its allocations amount to: containers, phase, and an end from outside.

The status and the outcome are two readings of one judgement, so that they never contradict each other.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from translators.allocation_to_status import containers as container_states
from translators.allocation_to_status import phase as phases
from translators.allocation_to_status import placement
from translators.allocation_to_status.endings import Ending, ending, is_replaced
from translators.allocation_to_status.facts import Facts
from translators.allocation_to_status.situation import TERMINAL_PHASES, Situation, see
from translators.records.pods import Container, ContainerStatus, Pod


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything about a Pod's status but the time; `unplaced` is reason and message where it has no place.

    `never_began` says of a Pod that was deleted that it waited for a container until its end.
    """

    situation: Situation
    phase: str
    containers: tuple[ContainerStatus, ...]
    init_containers: tuple[ContainerStatus, ...]
    ending: Ending | None
    unplaced: tuple[str, str] | None
    never_began: bool = False


def judge(pod: Pod, facts: Facts, *, ends: bool = False) -> Judgement:
    """Judge a Pod; `ends` says that nothing of it will be started again."""
    situation = see(pod, facts)
    unplaced = _unplaced(situation)
    text = unplaced[1] if unplaced is not None else ""
    containers = container_states.container_statuses(situation, text)
    init_containers = container_states.init_container_statuses(situation, text)
    # What is refused was ended by us: its refusal says why.
    end = ending(situation, containers) if situation.facts.refusal is None else None
    over = ends or end is not None
    deleted = ends and pod.metadata.deletion_timestamp is not None
    never_began = deleted and phases.phase(pod, containers, init_containers, ends=False) == "Pending"
    if _is_initialized(pod, init_containers) and (over or _cannot_go_on(situation, containers)):
        containers = _ended(pod.spec.containers, containers, deleted=deleted, unseen=facts.unseen)
    if over:
        init_containers = _begun_and_ended(pod.spec.init_containers, init_containers)
    phase = phases.phase(pod, containers, init_containers, ends=over)
    if end is not None and pod.status.phase not in TERMINAL_PHASES:
        phase = "Failed"
    if not ends and phase in TERMINAL_PHASES and (situation.is_up or _is_being_stopped(situation)):
        # Something of it still runs, such as a sidecar: an end must not be told before it is one, and is told once.
        phase = pod.status.phase
    return Judgement(
        situation=situation,
        phase=phase,
        containers=containers,
        init_containers=init_containers,
        ending=end,
        unplaced=None if phase in TERMINAL_PHASES else unplaced,
        never_began=never_began,
    )


def _is_being_stopped(situation: Situation) -> bool:
    """Whether Nomad has asked for the end of its tasks and the end is not known: only then it is known why it came."""
    current = situation.current
    if current is None or situation.pod.metadata.deletion_timestamp is not None:
        return False
    return current.desired_status != "run" and not situation.is_over


def _unplaced(situation: Situation) -> tuple[str, str] | None:
    refusal = situation.facts.refusal
    if refusal is not None:
        return refusal.reason, str(refusal)
    if situation.current is not None and not (situation.is_over and is_replaced(situation)):
        return None
    message = placement.message(situation.facts.evaluation)
    return ("Unschedulable", message) if message else None


def _is_initialized(pod: Pod, init_containers: tuple[ContainerStatus, ...]) -> bool:
    """Whether the main containers could have begun; of others a kubelet goes on to say that they wait.

    Source: kubernetes pkg/kubelet/status/status_manager.go hasPodInitialized.
    """
    known = {status.name: status for status in init_containers}
    return all(known[each.name].ready for each in pod.spec.init_containers if not each.is_sidecar)


def _cannot_go_on(situation: Situation, containers: tuple[ContainerStatus, ...]) -> bool:
    """Whether a Pod that never restarts has lost the only allocation in which it could run."""
    if situation.pod.spec.restart_policy != "Never" or not situation.is_over:
        return False
    return situation.has_started or any(status.state.terminated is not None for status in containers)


def _ended(
    containers: Iterable[Container], statuses: tuple[ContainerStatus, ...], *, deleted: bool, unseen: bool
) -> tuple[ContainerStatus, ...]:
    found = {each.name: each for each in containers}
    return tuple(
        container_states.ended(found[status.name], status, deleted=deleted, unseen=unseen) for status in statuses
    )


def _begun_and_ended(
    containers: Iterable[Container], statuses: tuple[ContainerStatus, ...]
) -> tuple[ContainerStatus, ...]:
    """Init containers and sidecars of a Pod that is over: of what has begun and was not seen to end nobody knows how.

    Source: kubernetes pkg/kubelet/status/status_manager.go TerminatePod.
    """
    specified = {each.name: each for each in containers}
    return tuple(_begun_and_ended_one(specified[status.name], status) for status in statuses)


def _begun_and_ended_one(container: Container, status: ContainerStatus) -> ContainerStatus:
    if not status.container_id or status.state.terminated is not None:
        return status
    found = container_states.ended(container, status)
    end = found.state.terminated
    return replace(found, ready=not container.is_sidecar and end is not None and end.exit_code == 0)
