"""Containers that failed a probe for which they are ended: asked to end, and killed when their grace is over.

They are sent signals, for Nomad's restart of a task starts it again whatever the Pod's restartPolicy says; after an end
by a signal the policy decides, as after any other. Source: kubernetes pkg/kubelet/kuberuntime computePodActions.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from translators.allocation_to_status import EventNote, runs_up
from translators.container_id import ContainerId
from translators.records.allocations import AllocationId
from translators.records.pods import Container, Pod
from translators.records.probes import ProbeKind
from vnode.pods.actions import Action, Note, Remember, Signal
from vnode.pods.decide.look import Look


@dataclass(frozen=True, slots=True)
class Ending:
    """What is to be done to runs that failed, and when to look again."""

    actions: tuple[Action, ...]
    wake_at: datetime | None


def ending(look: Look) -> Ending | None:
    """How to end what failed its liveness or startup probe; None where nothing did."""
    if not any(health.failed for health in look.observation.health.values()):
        return None
    pod, observation = look.pod, look.observation
    up = runs_up(pod, observation.allocations)
    known = observation.memory.ending
    actions: list[Action] = []
    deadlines: dict[str, datetime | None] = {}
    for container in pod.spec.lasting_containers:
        health, run = observation.health.get(container.name), up.get(container.name)
        if health is None or health.failed is None or run is None or health.run != str(run):
            continue
        if health.run not in known:
            deadlines[health.run] = look.now + _grace(pod, container, health.failed)
            actions += (_signal(run, "SIGTERM"), Note(_killing(look, container, health.failed)))
        elif (deadline := known[health.run]) is not None and deadline <= look.now:
            deadlines[health.run] = None
            actions.append(_signal(run, "SIGKILL"))
        else:
            deadlines[health.run] = deadline
    if not deadlines:
        return None
    if actions:
        actions.append(Remember({"ending": deadlines}))
    return Ending(tuple(actions), min(filter(None, deadlines.values()), default=None))


def _signal(run: ContainerId, signal: str) -> Signal:
    return Signal(AllocationId(run.allocation), run.task, signal)


def _grace(pod: Pod, container: Container, failed: ProbeKind) -> timedelta:
    own = container.probes[failed].termination_grace_period_seconds
    return timedelta(seconds=pod.spec.termination_grace_period_seconds if own is None else own)


def _killing(look: Look, container: Container, failed: ProbeKind) -> EventNote:
    """What a kubelet says: of the last container of a Pod that runs once no more than that it is stopped."""
    pod, health = look.pod, look.observation.health
    up = runs_up(pod, look.observation.allocations)
    failing = {name for name, each in health.items() if each.failed}
    kept = (each.name in up and each.name not in failing for each in pod.spec.containers)
    message = f"Container {container.name} failed {failed.lower()} probe"
    if pod.spec.restart_policy != "Never":
        message = f"{message}, will be restarted"
    elif not any(kept):
        message = f"Stopping container {container.name}"
    return EventNote("Normal", "Killing", message, pod.spec.path_of(container.name))
