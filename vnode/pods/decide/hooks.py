"""Hooks: what is done right after a container has started, and before it is asked to end.

Each runs once for a run of its container, and again when we were started again meanwhile: a kubelet promises no more.
That a container has passed its postStart hook is told by its status, which says `running` only from then on.
Source: kubernetes pkg/kubelet/kuberuntime startContainer, killContainer and executePreStopHook.
"""

from datetime import datetime, timedelta

from translators.allocation_to_status import has_passed_post_start, runs_up, status_patch
from translators.container_id import ContainerId
from translators.hooks import HookOfRun, HookState
from translators.records.hooks import HookKind
from translators.records.pods import Container
from vnode.pods.actions import Action, Decision, Note, PatchStatus, RunHook
from vnode.pods.decide.killing import killing_events
from vnode.pods.decide.look import Look

#: What a container has to end when its hook has left it nothing: pkg/kubelet/kuberuntime.
AT_LEAST = timedelta(seconds=2)


def run_what_follows_a_start(look: Look) -> Decision | None:
    """Run the postStart hooks of what has just started."""
    containers = [each for each in look.pod.spec.lasting_containers if HookKind.POST_START in each.hooks]
    if not containers or look.job.stopped:
        return None
    up = runs_up(look.pod, look.observation.allocations)
    begun = look.observation.memory.hooks
    hooks = tuple(
        RunHook(each.name, up[each.name], HookKind.POST_START)
        for each in containers
        if each.name in up
        and HookOfRun(str(up[each.name]), HookKind.POST_START) not in begun
        and not has_passed_post_start(look.pod, look.facts.hooks, each, str(up[each.name]))
    )
    return Decision("runs what follows a start", hooks, look.now) if hooks else None


def run_before_the_end(look: Look, ends: datetime) -> Decision | None:
    """Run the preStop hooks of what is to be stopped by `ends`, and wait for them; None when there is nothing to do.

    That the containers are stopped is told when the hooks begin.
    """
    containers = [each for each in look.pod.spec.lasting_containers if HookKind.PRE_STOP in each.hooks]
    if not containers or look.now >= ends:
        return None
    up = runs_up(look.pod, look.observation.allocations)
    known = look.observation.memory.hooks
    states = {each.name: known.get(_pre_stop(up[each.name])) for each in containers if each.name in up}
    left = (ends - look.now).total_seconds()
    hooks = tuple(RunHook(name, up[name], HookKind.PRE_STOP, left) for name, state in states.items() if state is None)
    if hooks:
        told = () if len(hooks) < len(states) else tuple(map(Note, killing_events(look.pod)))
        return Decision("runs what comes before the end", (*told, *hooks), ends)
    if HookState.BEGUN in states.values():
        body = status_patch(look.pod, look.status)
        return Decision("waits for what comes before the end", () if body is None else (PatchStatus(body),), ends)
    return None


def were_told(look: Look) -> bool:
    """Whether hooks of what runs have begun before the end: then it was told that the containers are stopped."""
    return bool(_states_of_what_runs(look))


def are_late(look: Look) -> bool:
    """Whether a hook took all the time that there was."""
    return HookState.LATE in _states_of_what_runs(look)


def _states_of_what_runs(look: Look) -> tuple[HookState, ...]:
    known = look.observation.memory.hooks
    if not known:
        return ()
    up = runs_up(look.pod, look.observation.allocations)
    return tuple(known[_pre_stop(run)] for run in up.values() if _pre_stop(run) in known)


def before_it_is_asked(look: Look, container: Container, run: ContainerId, left: float) -> tuple[Action, ...] | None:
    """What is done before one run is asked to end, `left` seconds before it is killed; None when it may be asked."""
    if HookKind.PRE_STOP not in container.hooks or left <= 0:
        return None
    state = look.observation.memory.hooks.get(_pre_stop(run))
    if state is None:
        return (RunHook(container.name, run, HookKind.PRE_STOP, left),)
    return () if state is HookState.BEGUN else None


def has_failed_to_start(look: Look, run: ContainerId) -> bool:
    """Whether the hook failed that follows the start of a run."""
    hook = HookOfRun(str(run), HookKind.POST_START)
    return look.observation.memory.hooks.get(hook) is HookState.FAILED


def _pre_stop(run: ContainerId) -> HookOfRun:
    return HookOfRun(str(run), HookKind.PRE_STOP)
