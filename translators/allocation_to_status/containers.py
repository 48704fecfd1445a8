"""Container statuses: what each task does now, did before, and how often it was started again.

Reasons and messages are those of a kubelet: kubernetes pkg/kubelet/kubelet_pods.go and kuberuntime.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from translators import container_id
from translators.allocation_to_status import runs
from translators.allocation_to_status.facts import Facts
from translators.allocation_to_status.reasons import FailureKind
from translators.allocation_to_status.restart_count import restart_count
from translators.allocation_to_status.runs import LOCATION_LOST
from translators.allocation_to_status.situation import (
    TERMINAL_PHASES,
    Situation,
    is_finished,
    is_sidecar,
    pod_text,
    restarts,
)
from translators.allocation_to_status.task_history import TaskHistory
from translators.allocation_to_status.timestamps import from_nanoseconds, go_duration
from translators.hooks import HookOfRun, HookState
from translators.records.hooks import HookKind
from translators.records.pods import (
    Container,
    ContainerState,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
)

#: What somebody is told who adds a container to a running Pod.
NO_EPHEMERAL_CONTAINERS = (
    "a container cannot be added to a Nomad job that runs; start a program in a container of the Pod with kubectl"
    " exec, or debug a copy of the Pod with kubectl debug --copy-to"
)

_KILLED = 137
_CANNOT_START = 128
_NOTHING = ContainerState()

#: A failed start is shown until the next attempt succeeds or fails, as a kubelet does.
_KEPT_UNTIL_STARTED = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
        "CreateContainerError",
        "CreateContainerConfigError",
    }
)


def container_statuses(situation: Situation, waiting_message: str) -> tuple[ContainerStatus, ...]:
    """Judge the containers, sorted by name; `waiting_message` explains why nothing was started yet."""
    pod = situation.pod
    held = _by_name(pod.status.container_statuses)
    statuses = [_status(situation, each, held.get(each.name), waiting_message) for each in pod.spec.containers]
    return tuple(sorted(statuses, key=lambda status: status.name))


def init_container_statuses(situation: Situation, waiting_message: str) -> tuple[ContainerStatus, ...]:
    """Judge the init containers, in the order in which they run."""
    pod = situation.pod
    if not pod.spec.init_containers:
        return ()
    held = _by_name(pod.status.init_container_statuses)
    return tuple(
        _status(situation, each, held.get(each.name), waiting_message, init=not is_sidecar(each))
        for each in pod.spec.init_containers
    )


def ephemeral_container_statuses(pod: Pod) -> tuple[ContainerStatus, ...]:
    """Say that containers added to a running Pod have failed to start: `kubectl debug` waits until they did, or not."""
    refused = ContainerState(
        terminated=ContainerStateTerminated(
            exit_code=_CANNOT_START, reason="StartError", message=NO_EPHEMERAL_CONTAINERS
        )
    )
    return tuple(
        ContainerStatus(name=each.name, image=each.image, state=refused) for each in pod.spec.ephemeral_containers
    )


def ended(
    container: Container, status: ContainerStatus, *, deleted: bool = False, unseen: bool = False
) -> ContainerStatus:
    """Judge a container of a Pod that will not run again: what it was when it was last seen to end.

    Of one that had not begun, a Pod that is `deleted` says no more than a kubelet does, another tells why. Source:
    kubernetes pkg/kubelet/status/status_manager.go TerminatePod. `unseen` says that it may have begun without anybody
    having seen it.
    """
    if status.state.terminated is not None:
        return status
    before = status.last_state.terminated
    if status.state.waiting is not None and before is not None and before.container_id == status.container_id:
        return _ended_as(container, status, before, _NOTHING)
    failure = None if deleted else _start_error(status)
    if failure is not None:
        terminated = failure
    elif status.container_id or deleted or unseen:
        terminated = runs.vanished(status)
    else:
        terminated = ContainerStateTerminated(
            exit_code=_KILLED, reason="Error", message="The container was killed before it started"
        )
    return _ended_as(container, status, terminated, status.last_state)


def _status(
    situation: Situation,
    container: Container,
    held: ContainerStatus | None,
    waiting_message: str,
    *,
    init: bool = False,
) -> ContainerStatus:
    found = _judged(situation, container, held, waiting_message, init=init)
    return found if held is None or held.image == found.image else _as_it_was_made(found, held)


def _as_it_was_made(found: ContainerStatus, held: ContainerStatus) -> ContainerStatus:
    """An allocation goes on with the image that it was made with, whatever the spec names by now."""
    shown, known = container_id.parse(found.container_id), container_id.parse(held.container_id)
    if not held.image or shown is None or known is None or shown.allocation != known.allocation:
        return found
    return replace(found, image=held.image)


def _judged(
    situation: Situation,
    container: Container,
    held: ContainerStatus | None,
    waiting_message: str,
    *,
    init: bool,
) -> ContainerStatus:
    if held is not None and _is_told(situation, container, held):
        return held
    facts = situation.facts
    if situation.current is None and not facts.submitted and facts.hindrance is None and held is not None:
        return held
    history = situation.history(container.name)
    if not history.has_started:
        return _not_started(situation, container, held, history, waiting_message)
    if history.is_up:
        return _running(situation, container, held, history, init=init)
    last = runs.last_run(situation, held, container.name, history)
    # A task that Nomad will not start again has ended, whatever the Pod's restart policy may yet ask for.
    if history.parked or not history.is_pending:
        return _terminated(situation, container, held, history, last, init=init)
    return _waiting_again(situation, container, held, history, last)


def _is_told(situation: Situation, container: Container, held: ContainerStatus) -> bool:
    """Whether the API holds the last word about the container."""
    if held.state.terminated is None:
        return False
    return situation.pod.status.phase in TERMINAL_PHASES or is_finished(situation.pod, container, held)


def _running(
    situation: Situation, container: Container, held: ContainerStatus | None, history: TaskHistory, *, init: bool
) -> ContainerStatus:
    identity = runs.container_id_of(situation, held, container.name, history.run)
    if not has_passed_post_start(situation.pod, situation.facts.hooks, container, identity):
        return _starting(situation, container, held, history, identity)
    started, ready = health_of(situation.facts, container, held, identity)
    return ContainerStatus(
        name=container.name,
        image=container.image,
        state=ContainerState(running=runs.running(situation, held, container.name, identity)),
        last_state=_last_state(runs.run_before(situation, held, container.name, history, identity)),
        ready=ready and not init and not situation.is_lost,
        started=started,
        restart_count=restart_count(situation, container.name, held, identity),
        container_id=identity,
    )


def has_passed_post_start(pod: Pod, hooks: Mapping[HookOfRun, HookState], container: Container, run: str) -> bool:
    """Whether the postStart hook of a run that is up is done, or there is none: until then a kubelet lets it wait.

    `hooks` is what is known beyond the Pod's status.
    """
    if HookKind.POST_START not in container.hooks:
        return True
    name = container_id.identity(run)
    if hooks.get(HookOfRun(name, HookKind.POST_START)) is HookState.DONE:
        return True
    return any(
        each.name == container.name
        and each.state.running is not None
        and container_id.identity(each.container_id) == name
        for each in (*pod.status.container_statuses, *pod.status.init_container_statuses)
    )


def _starting(
    situation: Situation, container: Container, held: ContainerStatus | None, history: TaskHistory, identity: str
) -> ContainerStatus:
    """A container that runs and waits for its hook; that it has run is not to be forgotten."""
    return ContainerStatus(
        name=container.name,
        image=container.image,
        state=ContainerState(waiting=ContainerStateWaiting(reason=_first_reason(situation))),
        last_state=_last_state(runs.run_before(situation, held, container.name, history, identity)),
        started=False,
        restart_count=restart_count(situation, container.name, held, identity),
        container_id=identity,
    )


def health_of(facts: Facts, container: Container, held: ContainerStatus | None, run: str) -> tuple[bool, bool]:
    """Whether a run that is up has started, and is ready, as far as its probes say.

    Until the first answer it is as the API holds it, for it may have been asked before we began to.
    """
    if not container.is_probed:
        return True, True
    name = container_id.identity(run)
    found = facts.health.get(container.name)
    if found is not None and found.run == name:
        return found.started, found.ready
    if held is not None and held.state.running is not None and container_id.identity(held.container_id) == name:
        return bool(held.started), held.ready
    started = container.startup_probe is None
    return started, started and container.readiness_probe is None


def _waiting_again(
    situation: Situation,
    container: Container,
    held: ContainerStatus | None,
    history: TaskHistory,
    last: ContainerStateTerminated,
) -> ContainerStatus:
    if history.failure is not None:
        waiting = _failed_start(situation, container, history)
    elif history.delay > 0:
        text = f"back-off {go_duration(history.delay)} restarting failed container={container.name}"
        waiting = ContainerStateWaiting(reason="CrashLoopBackOff", message=f"{text} pod={pod_text(situation.pod)}")
    else:
        waiting = ContainerStateWaiting(reason=_first_reason(situation))
    return ContainerStatus(
        name=container.name,
        image=container.image,
        state=ContainerState(waiting=waiting),
        last_state=_last_state(last),
        started=False,
        restart_count=restart_count(situation, container.name, held, last.container_id),
        container_id=last.container_id,
    )


def _terminated(
    situation: Situation,
    container: Container,
    held: ContainerStatus | None,
    history: TaskHistory,
    last: ContainerStateTerminated,
    *,
    init: bool,
) -> ContainerStatus:
    if history.failure is not None and restarts(situation.pod, container, last.exit_code):
        # It ran, was to run again, and could not: the next start needs another allocation.
        return _waiting_again(situation, container, held, history, last)
    return ContainerStatus(
        name=container.name,
        image=container.image,
        state=ContainerState(terminated=last),
        last_state=_last_state(runs.run_before(situation, held, container.name, history, last.container_id)),
        ready=init and last.exit_code == 0,
        started=False,
        restart_count=restart_count(situation, container.name, held, last.container_id),
        container_id=last.container_id,
    )


def _not_started(
    situation: Situation,
    container: Container,
    held: ContainerStatus | None,
    history: TaskHistory,
    waiting_message: str,
) -> ContainerStatus:
    before = runs.run_of_earlier_allocations(situation, held, container.name)
    if (
        before is not None
        and held is not None
        and before.reason == LOCATION_LOST
        and not restarts(situation.pod, container, before.exit_code)
    ):
        return _ended_as(container, held, before, _NOTHING)
    identity = held.container_id if held is not None else ""
    if before is not None:
        identity = before.container_id or identity
    return ContainerStatus(
        name=container.name,
        image=container.image,
        state=_state_before_start(situation, container, held, history, waiting_message),
        last_state=_last_state(before),
        started=False,
        restart_count=restart_count(situation, container.name, held, identity),
        container_id=identity,
    )


def _state_before_start(
    situation: Situation,
    container: Container,
    held: ContainerStatus | None,
    history: TaskHistory,
    waiting_message: str,
) -> ContainerState:
    failure, hindrance = history.failure, situation.facts.hindrance
    if hindrance is not None and hindrance.container == container.name:
        return ContainerState(waiting=ContainerStateWaiting(reason=hindrance.reason, message=hindrance.message))
    if failure is None:
        waiting = held.state.waiting if held is not None else None
        if waiting is not None and waiting.reason in _KEPT_UNTIL_STARTED and not waiting_message:
            # Another attempt, which has not come to its own end yet.
            return ContainerState(waiting=waiting)
        return ContainerState(waiting=ContainerStateWaiting(reason=_first_reason(situation), message=waiting_message))
    if failure.kind is FailureKind.COMMAND and not restarts(situation.pod, container, _CANNOT_START):
        return ContainerState(
            terminated=ContainerStateTerminated(
                exit_code=_CANNOT_START,
                reason="StartError",
                message=failure.message,
                finished_at=from_nanoseconds(failure.time),
            )
        )
    return ContainerState(waiting=_failed_start(situation, container, history))


def _failed_start(situation: Situation, container: Container, history: TaskHistory) -> ContainerStateWaiting:
    failure = history.failure
    if failure is None:
        return ContainerStateWaiting(reason=_first_reason(situation))
    if not history.retries and not situation.is_over:
        return ContainerStateWaiting(reason=failure.reason, message=failure.message)
    message = failure.message
    if failure.retry_reason == "ImagePullBackOff":
        message = f'Back-off pulling image "{container.image}": {failure.reason}: {failure.message}'
    return ContainerStateWaiting(reason=failure.retry_reason, message=message)


def _start_error(status: ContainerStatus) -> ContainerStateTerminated | None:
    """The end of a container whose start failed, for a Pod that ends with it."""
    waiting = status.state.waiting
    if waiting is None or waiting.reason not in _KEPT_UNTIL_STARTED:
        return None
    reason = "ErrImagePull" if waiting.reason == "ImagePullBackOff" else waiting.reason
    return ContainerStateTerminated(exit_code=_CANNOT_START, reason=reason, message=waiting.message)


def _first_reason(situation: Situation) -> str:
    return "PodInitializing" if situation.pod.spec.init_containers else "ContainerCreating"


def _last_state(terminated: ContainerStateTerminated | None) -> ContainerState:
    return _NOTHING if terminated is None else ContainerState(terminated=terminated)


def _ended_as(
    container: Container, status: ContainerStatus, terminated: ContainerStateTerminated, last_state: ContainerState
) -> ContainerStatus:
    return ContainerStatus(
        name=container.name,
        image=container.image,
        state=ContainerState(terminated=terminated),
        last_state=last_state,
        started=False,
        restart_count=status.restart_count,
        container_id=status.container_id,
    )


def _by_name(statuses: Iterable[ContainerStatus]) -> dict[str, ContainerStatus]:
    return {status.name: status for status in statuses}
