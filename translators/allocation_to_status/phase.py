"""The phase of a Pod, as kubernetes pkg/kubelet/kubelet_pods.go getPhase finds it in the container statuses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from translators.allocation_to_status.situation import TERMINAL_PHASES, is_sidecar, restarts
from translators.records.pods import Container, ContainerStateTerminated, ContainerStatus, Pod


def phase(
    pod: Pod, containers: Sequence[ContainerStatus], init_containers: Sequence[ContainerStatus], *, ends: bool
) -> str:
    """Find the phase; it only ever moves from Pending over Running to Succeeded or Failed.

    `ends` says that nothing will be started again, whatever the restart policy: the Pod is at its end.
    """
    held = pod.status.phase
    if held in TERMINAL_PHASES:
        return held
    found = _phase(pod, containers, init_containers, ends=ends)
    return "Running" if found == "Pending" and held == "Running" else found


def last_end(status: ContainerStatus) -> ContainerStateTerminated | None:
    """How a container ended that does not run now."""
    if status.state.running is not None:
        return None
    return status.state.terminated or status.last_state.terminated


@dataclass(slots=True)
class _Count:
    waiting: int = 0
    running: int = 0
    stopped: int = 0
    restarting: int = 0
    succeeded: int = 0
    initializing: int = 0
    starting_sidecars: int = 0
    failed_for_good: bool = False


def _phase(
    pod: Pod, containers: Sequence[ContainerStatus], init_containers: Sequence[ContainerStatus], *, ends: bool
) -> str:
    count = _Count()
    if pod.spec.init_containers:
        _count_init(pod, _pairs(pod.spec.init_containers, init_containers), count)
    _count_main(pod, _pairs(pod.spec.containers, containers), count)
    has_begun = any(status.container_id for status in containers)
    if count.failed_for_good:
        return "Failed"
    if count.initializing or (count.starting_sidecars and not has_begun) or count.waiting:
        return "Failed" if ends else "Pending"
    if count.running:
        return "Running"
    if count.restarting and not ends:
        return "Running"
    if not count.stopped:
        return "Pending"
    return "Succeeded" if count.succeeded == count.stopped else "Failed"


def _count_init(pod: Pod, pairs: Iterable[tuple[Container, ContainerStatus]], count: _Count) -> None:
    for container, status in pairs:
        end = last_end(status)
        if is_sidecar(container):
            count.running += status.state.running is not None
            if status.state.running is None and end is None:
                count.starting_sidecars += 1
                count.waiting += 1
        elif end is None:
            count.initializing += 1
        elif end.exit_code != 0:
            count.failed_for_good = count.failed_for_good or not restarts(pod, container, end.exit_code)


def _count_main(pod: Pod, pairs: Iterable[tuple[Container, ContainerStatus]], count: _Count) -> None:
    for container, status in pairs:
        end = last_end(status)
        if status.state.running is not None:
            count.running += 1
        elif end is None:
            count.waiting += 1
        else:
            count.stopped += 1
            count.restarting += restarts(pod, container, end.exit_code)
            count.succeeded += end.exit_code == 0


def _pairs(
    containers: Iterable[Container], statuses: Iterable[ContainerStatus]
) -> Iterable[tuple[Container, ContainerStatus]]:
    known = {status.name: status for status in statuses}
    return [(each, known.get(each.name) or ContainerStatus(name=each.name)) for each in containers]
