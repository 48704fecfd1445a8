"""What containers left to say about their end: which of it is still to be read, and what a status holds of it.

As a kubelet has it (kubernetes pkg/kubelet/kuberuntime getTerminationMessage): the end of the file that the container
wrote, or of its log where it failed, left nothing and asks for that. A message is read once, for the newest run of a
container, before the first status that tells of its end: what a status has told stays.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from translators import container_id
from translators.allocation_to_status.facts import Facts
from translators.allocation_to_status.judgement import Judgement
from translators.allocation_to_status.runs import LOCATION_LOST
from translators.container_id import ContainerId
from translators.pod_to_job.termination_message import FALLBACK, path_in_allocation
from translators.records.pods import Container, ContainerStateTerminated, ContainerStatus

#: What is read at most, bytes and lines: pkg/kubelet/container/runtime.go.
FILE_BYTES = 4096
LOG_BYTES = 2048
LOG_LINES = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadMessage:
    """A run that ended and whose message is not known.

    `file` is relative to the allocation's directory, empty where there is none; a file that was not written since
    `begun` is an earlier run's. `from_log` says that the end of the log may stand for it. `told_as` is the path that
    the container knows.
    """

    run: ContainerId
    file: str
    told_as: str
    begun: datetime | None
    ended: datetime | None
    from_log: bool


def unread_messages(judgement: Judgement, driver_of: Callable[[str], str], known: Facts) -> tuple[UnreadMessage, ...]:
    """The messages without which the ends of this Pod's containers cannot be told yet."""
    pod = judgement.situation.pod
    there = {each.id for each in known.allocations}
    told = {*_told(pod.status.container_statuses), *_told(pod.status.init_container_statuses)}
    specified = {each.name: each for each in pod.spec.every_container}
    found = []
    for status in (*judgement.init_containers, *judgement.containers):
        ended = _newest_end(status)
        run = container_id.parse(ended.container_id) if ended is not None else None
        if ended is None or run is None or run.allocation not in there:
            continue
        name = container_id.identity(ended.container_id)
        if name in told or name in known.messages or ended.reason == LOCATION_LOST:
            continue
        message = _message_of(specified[status.name], driver_of(status.name), ended, run)
        if message is not None:
            found.append(message)
    return tuple(found)


def _message_of(
    container: Container, driver: str, ended: ContainerStateTerminated, run: ContainerId
) -> UnreadMessage | None:
    file = path_in_allocation(container, driver)
    from_log = container.termination_message_policy == FALLBACK and ended.exit_code != 0
    if not file and not from_log:
        return None
    return UnreadMessage(
        run=run,
        file=file,
        told_as=container.termination_message_path,
        begun=ended.started_at if run.run else None,
        ended=ended.finished_at,
        from_log=from_log,
    )


def _newest_end(status: ContainerStatus) -> ContainerStateTerminated | None:
    """How the run ended that the status is about; what another one began since has nothing left of itself."""
    for state in (status.state, status.last_state):
        ended = state.terminated
        if ended is not None and container_id.identity(ended.container_id) == container_id.identity(
            status.container_id
        ):
            return ended
    return None


def _told(statuses: Iterable[ContainerStatus]) -> Iterator[str]:
    for status in statuses:
        for state in (status.state, status.last_state):
            if state.terminated is not None:
                yield container_id.identity(state.terminated.container_id)
