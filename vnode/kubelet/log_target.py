"""Which run of a container a caller of `/containerLogs` means, or why there is none.

Source: kubernetes pkg/kubelet/kubelet_pods.go (validateContainerLogStatus), whose texts these are.
"""

import json
from dataclasses import dataclass

from translators.allocation_to_status.containers import NO_EPHEMERAL_CONTAINERS
from translators.container_id import identity
from translators.records.pods import ContainerState, ContainerStatus, Pod


class NoLogs(Exception):
    """There is no run to read; `status` is the HTTP status, `str()` the body."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(body)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRun:
    """One run of a container; `over` when the Pod's status says that it has ended."""

    container: str
    container_id: str
    over: bool = False


_NEVER = ContainerState()
_PULLS = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}


def find_run(pod: Pod, container: str, *, previous: bool) -> ContainerRun:
    """The run whose log is asked for, judged by the Pod's status.

    Raises NoLogs: 404 for a container that the Pod does not have, 400 for one without such a run.
    """
    name, quoted = container, f"container {quote(container)}"
    where = f"{quoted} in pod {quote(pod.metadata.name)}"
    if name in {each.name for each in pod.spec.ephemeral_containers}:
        raise NoLogs(400, f"{where} has never run: {NO_EPHEMERAL_CONTAINERS}")
    if name not in {each.name for each in (*pod.spec.containers, *pod.spec.init_containers)}:
        raise NoLogs(404, f"{quoted} not found in pod {quote(pod.metadata.name)}")
    status = next((s for s in _statuses(pod) if s.name == name), None)
    if status is None:
        raise NoLogs(400, f"{where} is not available")
    found = _container_id(status, where, previous=previous)
    return ContainerRun(container=name, container_id=found, over=previous or status.state.running is None)


def find_successor(pod: Pod, run: ContainerRun) -> str:
    """The containerID of a later run of the same container, empty where there is none.

    Runs of one allocation share their log files, so the successor says where this run's output ends.
    """
    status = next((s for s in _statuses(pod) if s.name == run.container), None)
    if status is None or identity(status.container_id) == identity(run.container_id):
        return ""
    return status.container_id


def _statuses(pod: Pod) -> tuple[ContainerStatus, ...]:
    return (*pod.status.container_statuses, *pod.status.init_container_statuses)


def _container_id(status: ContainerStatus, where: str, *, previous: bool) -> str:
    state, last = status.state or _NEVER, (status.last_state or _NEVER).terminated
    last_id = last.container_id if last is not None else ""
    if previous:
        if not last_id:
            raise NoLogs(400, f"previous terminated {where} not found")
        return last_id
    if state.running is not None:
        return status.container_id
    if state.terminated is not None or last is not None:
        found = (state.terminated.container_id if state.terminated is not None else "") or last_id
        if not found:
            raise NoLogs(400, f"{where} is terminated")
        return found
    if state.waiting is None:
        raise NoLogs(400, f"{where} is waiting to start - no logs yet")
    reason = state.waiting.reason
    raise NoLogs(400, f"{where} is waiting to start: {_PULLS.get(reason, reason)}")


def quote(name: str) -> str:
    """A name as Go's %q writes it, near enough for names that came through a URL."""
    return json.dumps(name, ensure_ascii=False)
