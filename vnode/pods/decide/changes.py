"""A Pod whose images were changed while it has a job: where its one container may be started anew, and what is told.

A kubelet starts the one container anew. Nomad replaces the whole allocation: all containers, the init containers too,
and what lies in their emptyDir volumes. Where that would be noticed it is not done behind anybody's back; that it is
not is told, once.
"""

from dataclasses import replace

from translators import container_id
from translators.allocation_to_status import EventNote, placement
from translators.identity import spec_hash
from translators.pod_to_job.drivers import driver_of
from translators.policy import DOCKER
from translators.records.allocations import Allocation, AllocationId
from translators.records.hooks import HookKind
from translators.records.pods import ContainerStatus, Pod
from translators.records.sources import Volume
from vnode.pods.actions import Action, Decision, Note, Register, Remember
from vnode.pods.decide.look import Look
from vnode.pods.decide.submission import was_started

REASON = "ImageNotChanged"

_WAY_OUT = "delete the Pod, and let its controller make another"


def is_changed(look: Look) -> bool:
    """Whether the Pod is not what its job was made of; one that was stopped is not made anew for that."""
    pod, submitted = look.pod, look.job.identity.hash
    # Servers that number a spec's generations begin with 1.
    if pod.metadata.generation == 1 or look.job.stopped or not submitted:
        return False
    return spec_hash(pod) != submitted


def hindrance(look: Look) -> str:
    """Why Nomad cannot be had to start the changed container anew as a kubelet does; empty where it can.

    Of what never ran nothing is lost, and nothing runs twice.
    """
    pod, default = look.pod, look.circumstances.job.default_driver
    if pod.spec.restart_policy != "Always":
        return f"Nomad might run a Pod of restartPolicy {pod.spec.restart_policy} once more after its end"
    if look.job.identity.logins:
        return "The credentials that it was given are those for its images of before"
    drivers = {driver_of(pod, each.name, default) for each in pod.spec.every_container}
    if drivers != {DOCKER}:
        return f"What driver {min(drivers - {DOCKER})} starts does not come from an image"
    return _loss(pod) if was_started(pod) or look.judgement.situation.has_started else ""


def _loss(pod: Pod) -> str:
    """What the replacement of an allocation would do to what runs; empty where no more than a restart does."""
    if len(pod.spec.every_container) > 1:
        return "Nomad would replace all of its containers"
    if HookKind.PRE_STOP in pod.spec.containers[0].hooks:
        return "Nomad would end its container without its preStop hook"
    return next(filter(None, map(_would_be_lost, pod.spec.volumes)), "")


def kept(pod: Pod, why: str) -> EventNote:
    """The Event that a Pod goes on with its images."""
    return EventNote("Warning", REASON, f"{_changes(pod)}. {why}; {_WAY_OUT}", "")


def told(look: Look, decision: Decision) -> Decision:
    """What was decided, and what is to be said of changes; one of a Pod that is submitted anew counts."""
    if any(isinstance(action, Register) for action in decision.actions):
        return decision
    ends = _ends(look)
    found = (*ends, *(_in_vain(look) if is_changed(look) else _without_place(look)))
    return replace(decision, actions=(*found, *decision.actions)) if found else decision


def of_others(look: Look) -> tuple[Allocation, ...]:
    """The allocations that we did not have replaced for a change of the Pod."""
    return tuple(each for each in look.observation.allocations if not _is_ours(look, each))


def _in_vain(look: Look) -> tuple[Action, ...]:
    """That a change is not made."""
    found = spec_hash(look.pod)
    if found == look.observation.memory.changed:
        return ()
    why = hindrance(look)
    return (Note(kept(look.pod, why)), Remember({"changed": found})) if why else ()


def _without_place(look: Look) -> tuple[Action, ...]:
    """That what runs goes on, for Nomad finds no place for the allocation that is to follow it."""
    why = placement.message(look.observation.evaluation)
    current = look.judgement.situation.current if why else None
    if current is None or current.desired_status != "run" or look.observation.memory.hindrance == why:
        return ()
    if not any(each.state.running and _is_another(look.pod, each) for each in _shown_of(look.pod, current)):
        return ()
    return Note(kept(look.pod, f"{why}. Nomad does it when it finds one")), Remember({"hindrance": why})


def _ends(look: Look) -> tuple[Action, ...]:
    """That a container is ended to run another image, in a kubelet's words (pkg/kubelet/kuberuntime killContainer)."""
    announced = look.observation.memory.announced
    ending = [
        (AllocationId(each.id), status)
        for each in look.observation.allocations
        if each.was_changed and each.id not in announced and _is_ours(look, each)
        for status in _shown_of(look.pod, each)
        if status.state.running is not None
    ]
    if not ending:
        return ()
    notes = (
        Note(
            EventNote(
                "Normal",
                "Killing",
                f"Container {status.name} definition changed, will be restarted",
                look.pod.spec.path_of(status.name),
            )
        )
        for _, status in ending
    )
    return (*notes, Remember({"announced": announced | {identity for identity, _ in ending}}))


def _is_ours(look: Look, allocation: Allocation) -> bool:
    """Whether its job was changed for the Pod; what we do not remember, the status tells that shows another image."""
    if not allocation.was_changed:
        return False
    if allocation.id in look.observation.memory.renewed:
        return True
    return any(_is_another(look.pod, each) for each in _shown_of(look.pod, allocation))


def _is_another(pod: Pod, status: ContainerStatus) -> bool:
    """Whether a container shows another image than it is to run."""
    wanted = next((each.image for each in pod.spec.every_container if each.name == status.name), status.image)
    return status.image not in {"", wanted}


def _shown_of(pod: Pod, allocation: Allocation) -> tuple[ContainerStatus, ...]:
    """The containers whose newest run, as the status tells, was in an allocation."""
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    found = ((each, container_id.parse(each.container_id)) for each in statuses)
    return tuple(each for each, run in found if run is not None and run.allocation == allocation.id)


def _would_be_lost(volume: Volume) -> str:
    if volume.empty_dir is not None:
        return f"Nomad would make its volume {volume.name} anew, empty"
    if volume.config_map or volume.secret or volume.downward_api or volume.projected:
        return ""
    return f"Nomad might place it where its volume {volume.name} is not"


def _changes(pod: Pod) -> str:
    """What a status says that an image was, and the spec that it is to be."""
    shown = {each.name: each.image for each in (*pod.status.init_container_statuses, *pod.status.container_statuses)}
    changes = [
        f"{pod.spec.path_of(each.name)} is to run {each.image} and goes on with {shown[each.name]}"
        for each in pod.spec.every_container
        if shown.get(each.name, each.image) not in {"", each.image}
    ]
    return "; ".join(changes) or "Its images were changed after it was submitted"
