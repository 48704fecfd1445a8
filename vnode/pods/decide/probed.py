"""Containers that are ended for a probe or hook that failed: asked to end, and killed at the end of their grace.

They are sent signals, for Nomad's restart of a task starts it again whatever the Pod's restartPolicy says; after an end
by a signal the policy decides, as after any other. Source: kubernetes pkg/kubelet/kuberuntime computePodActions.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from translators.allocation_to_status import EventNote, runs_up
from translators.container_id import ContainerId
from translators.records.allocations import AllocationId
from translators.records.hooks import HookKind
from translators.records.pods import Container
from translators.records.probes import ProbeKind
from vnode.pods.actions import Action, Note, Remember, Signal
from vnode.pods.decide.hooks import AT_LEAST, before_it_is_asked, has_failed_to_start
from vnode.pods.decide.look import Look


@dataclass(frozen=True, slots=True)
class _Cause:
    """What is told of the end of a run, the grace that it has, and whether a hook takes of that first."""

    message: str
    grace: timedelta
    waits: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """What is to be done to runs that failed, and when to look again."""

    actions: tuple[Action, ...]
    wake_at: datetime | None


def ending(look: Look) -> Ending | None:
    """How to end what failed its liveness or startup probe, or the hook of its start; None where nothing did."""
    memory = look.observation.memory
    if not (any(health.failed for health in look.observation.health.values()) or memory.hooks):
        return None
    up = runs_up(look.pod, look.observation.allocations)
    actions: list[Action] = []
    deadlines: dict[str, datetime | None] = {}
    asked = memory.asked
    for container in look.pod.spec.lasting_containers:
        run = up.get(container.name)
        cause = None if run is None else _cause(look, container, run)
        if run is None or cause is None:
            continue
        name = str(run)
        deadline = memory.ending.get(name, look.now + cause.grace)
        if name not in memory.ending:
            actions.append(Note(EventNote("Normal", "Killing", cause.message, look.pod.spec.path_of(container.name))))
        if name in asked or (name in memory.ending and not cause.waits):
            deadlines[name] = _killed(run, deadline, look.now, actions)
            continue
        before = before_it_is_asked(look, container, run, _seconds(deadline, look.now))
        actions += (_signal(run, "SIGTERM"),) if before is None else before
        if before is None and cause.waits:
            asked |= {name}
            deadline = _with_a_last_chance(deadline, look.now)
        deadlines[name] = deadline
    if not deadlines:
        return None
    if actions:
        changed = {} if asked == memory.asked else {"asked": asked & deadlines.keys()}
        actions.append(Remember({"ending": deadlines, **changed}))
    return Ending(tuple(actions), min(filter(None, deadlines.values()), default=None))


def _killed(run: ContainerId, deadline: datetime | None, now: datetime, actions: list[Action]) -> datetime | None:
    """Kill a run when its time is over, once."""
    if deadline is None or deadline > now:
        return deadline
    actions.append(_signal(run, "SIGKILL"))
    return None


def _seconds(deadline: datetime | None, now: datetime) -> float:
    return 0.0 if deadline is None else (deadline - now).total_seconds()


def _with_a_last_chance(deadline: datetime | None, now: datetime) -> datetime:
    return now + AT_LEAST if deadline is None else max(deadline, now + AT_LEAST)


def _signal(run: ContainerId, signal: str) -> Signal:
    return Signal(AllocationId(run.allocation), run.task, signal)


def _cause(look: Look, container: Container, run: ContainerId) -> _Cause | None:
    """Why a run is to be ended, if it is."""
    pod = look.pod
    grace = timedelta(seconds=pod.spec.termination_grace_period_seconds)
    waits = HookKind.PRE_STOP in container.hooks
    if has_failed_to_start(look, run):
        return _Cause("FailedPostStartHook", grace, waits)
    health = look.observation.health.get(container.name)
    if health is None or health.failed is None or health.run != str(run):
        return None
    own = container.probes[health.failed].termination_grace_period_seconds
    return _Cause(_failed(look, container, health.failed), grace if own is None else timedelta(seconds=own), waits)


def _failed(look: Look, container: Container, failed: ProbeKind) -> str:
    """What a kubelet says: of the last container of a Pod that runs once no more than that it is stopped."""
    pod, health = look.pod, look.observation.health
    up = runs_up(pod, look.observation.allocations)
    failing = {name for name, each in health.items() if each.failed}
    kept = (each.name in up and each.name not in failing for each in pod.spec.containers)
    message = f"Container {container.name} failed {failed.lower()} probe"
    if pod.spec.restart_policy != "Never":
        return f"{message}, will be restarted"
    return message if any(kept) else f"Stopping container {container.name}"
