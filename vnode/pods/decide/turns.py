"""The next init container's turn, see `translators.pod_to_job.turns`.

Source of the order: kubernetes pkg/kubelet/kuberuntime computeInitContainerActions.
"""

from translators import container_id
from translators.pod_to_job import turns
from translators.records.allocations import AllocationId
from translators.records.pods import Container, ContainerStatus
from vnode.pods.actions import Decision, Remember, TakeTurn
from vnode.pods.decide.look import Look


def let_the_next_begin(look: Look) -> Decision | None:
    """Let the first init container begin that has not, once all before it are done, and then all others."""
    spec, observation = look.pod.spec, look.observation
    if not (turns.are_taken(spec) and look.job.identity.turns) or look.job.stopped:
        return None
    current = look.judgement.situation.current
    if current is None or current.is_terminal or look.judgement.situation.is_lost:
        return None
    known = {status.name: status for status in look.judgement.init_containers}
    undone = next((each for each in spec.init_containers if not _is_done(each, known[each.name], current.id)), None)
    history = look.judgement.situation.history
    taken = observation.memory.turns
    following = tuple(
        (AllocationId(current.id), each.name)
        for each in (spec.containers if undone is None else (undone,))
        if turns.waits(each, spec)
        and (AllocationId(current.id), each.name) not in taken
        and not history(each.name).has_started
    )
    if not following:
        return None
    takes = tuple(TakeTurn(look.job.namespace, look.job.id, *turn) for turn in following)
    remembered = Remember({"turns": taken | frozenset(following)})
    return Decision("the turn of the next containers", (*takes, remembered), look.now)


def _is_done(container: Container, status: ContainerStatus, allocation: str) -> bool:
    shown = container_id.parse(status.container_id)
    if shown is None or shown.allocation != allocation:
        return False
    return bool(status.started) if container.is_sidecar else status.ready
