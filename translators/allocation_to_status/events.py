"""The Events that a change of status is worth, in a kubelet's words (kubernetes pkg/kubelet/events).

They come from the difference between what the API holds and what it should hold: the same decision taken
twice yields none the second time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from translators import container_id
from translators.allocation_to_status.conditions import NODE_LOST, PLACED
from translators.allocation_to_status.situation import TERMINAL_PHASES, pod_text
from translators.records.pods import ContainerStateWaiting, ContainerStatus, Pod, PodCondition, PodStatus

NORMAL = "Normal"
WARNING = "Warning"

_LIMIT = 1024  # core/v1 Event.message
_FETCHING = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName"})
_MISSING = "CreateContainerConfigError"
_STARTING = frozenset({"RunContainerError", "CreateContainerError", _MISSING})


@dataclass(frozen=True, slots=True)
class EventNote:
    """An Event to be: `type` is Normal or Warning, `field_path` names the container that it is about."""

    type: str
    reason: str
    message: str
    field_path: str = ""


def pod_events(pod: Pod, desired: PodStatus) -> tuple[EventNote, ...]:
    """Tell what is new in `desired`."""
    held = pod.status
    if desired is held:
        return ()
    return (
        *_of_containers(pod, held.init_container_statuses, desired.init_container_statuses, "initContainers"),
        *_of_containers(pod, held.container_statuses, desired.container_statuses, "containers"),
        *_of_sidecars(pod, desired),
        *_of_conditions(held.conditions, desired.conditions),
        *_of_phase(held, desired),
    )


def _of_containers(
    pod: Pod, held: Iterable[ContainerStatus], desired: Iterable[ContainerStatus], field: str
) -> Iterator[EventNote]:
    known = {status.name: status for status in held}
    for status in desired:
        old = known.get(status.name) or ContainerStatus(name=status.name)
        if old is not status and (old.state != status.state or not _is_same_run(old, status)):
            yield from _of_container(pod, old, status, f"spec.{field}{{{status.name}}}")


def _of_sidecars(pod: Pod, desired: PodStatus) -> Iterator[EventNote]:
    """Sidecars are ended when all others have; those of a Pod that is deleted were told of when it was."""
    if desired.phase not in TERMINAL_PHASES or pod.metadata.deletion_timestamp is not None:
        return
    sidecars = {each.name for each in pod.spec.init_containers if each.is_sidecar}
    for status in pod.status.init_container_statuses:
        if status.name in sidecars and status.state.running is not None:
            yield EventNote(NORMAL, "Killing", f"Stopping container {status.name}", pod.spec.path_of(status.name))


def _of_container(pod: Pod, old: ContainerStatus, new: ContainerStatus, path: str) -> Iterator[EventNote]:
    if new.container_id and not _is_same_run(old, new):
        # Also of a run that had ended before anybody looked.
        yield EventNote(NORMAL, "Started", "Container started", path)
    if new.state.waiting is not None:
        yield from _of_wait(pod, old, _with_wanted_image(pod, new), new.state.waiting, path)
    elif new.state.terminated is not None and new.state.terminated.reason == "StartError":
        yield EventNote(WARNING, "Failed", _short(f"Error: {new.state.terminated.message}"), path)


def _of_wait(
    pod: Pod, old: ContainerStatus, new: ContainerStatus, waiting: ContainerStateWaiting, path: str
) -> Iterator[EventNote]:
    before = old.state.waiting.reason if old.state.waiting is not None else ""
    if waiting.reason == "CrashLoopBackOff":
        if before != "CrashLoopBackOff" or not _is_same_run(old, new):
            text = f"Back-off restarting failed container {new.name} in pod {pod_text(pod)}"
            yield EventNote(WARNING, "BackOff", text, path)
    elif waiting.reason in _FETCHING and before not in _FETCHING:
        text = waiting.message.partition("ErrImagePull: ")[2] or waiting.message
        yield EventNote(WARNING, "Failed", _short(f'Failed to pull image "{new.image}": {text}'), path)
    elif waiting.reason in _STARTING and (before != waiting.reason or _is_another_cause(old, waiting)):
        yield EventNote(WARNING, "Failed", _short(f"Error: {waiting.message}"), path)
    if waiting.reason == "ImagePullBackOff" and before != "ImagePullBackOff":
        yield EventNote(NORMAL, "BackOff", f'Back-off pulling image "{new.image}"', path)


def _with_wanted_image(pod: Pod, status: ContainerStatus) -> ContainerStatus:
    """A container that waits to run an image which was changed still shows the one that it ran last."""
    image = next((each.image for each in pod.spec.every_container if each.name == status.name), status.image)
    return replace(status, image=image)


def _is_another_cause(old: ContainerStatus, waiting: ContainerStateWaiting) -> bool:
    """Whether a container waits for another object or key than before."""
    before = old.state.waiting
    return waiting.reason == _MISSING and before is not None and before.message != waiting.message


def _of_conditions(held: Iterable[PodCondition], desired: Iterable[PodCondition]) -> Iterator[EventNote]:
    known = {condition.type: condition for condition in held}
    for condition in desired:
        old = known.get(condition.type)
        if old is condition:
            continue
        if condition.type == PLACED and (old is None or old.message != condition.message):
            yield EventNote(WARNING, condition.reason, _short(condition.message))
        if condition.type == "Ready" and condition.reason == NODE_LOST and (old is None or old.reason != NODE_LOST):
            yield EventNote(WARNING, NODE_LOST, _short(condition.message))


def _of_phase(held: PodStatus, desired: PodStatus) -> Iterator[EventNote]:
    if held.phase not in TERMINAL_PHASES and desired.phase == "Failed" and desired.reason:
        yield EventNote(WARNING, desired.reason, _short(desired.message))


def _is_same_run(old: ContainerStatus, new: ContainerStatus) -> bool:
    return container_id.identity(old.container_id) == container_id.identity(new.container_id)


def _short(text: str) -> str:
    return text if len(text) <= _LIMIT else text[: _LIMIT - 1] + "…"
