"""Turns the answers of one round into a snapshot, and keeps the CPU counters from one round to the next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from translators.container_id import ContainerId, identity, parse
from translators.records.pods import ContainerStatus, Pod
from vnode.kubelet.stats.cpu_counter import CpuCounter, begun
from vnode.kubelet.stats.usage import (
    ContainerUsage,
    HostSample,
    NodeUsage,
    PodUsage,
    Snapshot,
    TaskSample,
    hosts_together,
    task_sample,
)
from vnode.nomad.usage import AllocationUsage

#: What an administrator has to do about clients that measure no task: since Nomad 1.10.2 they are not asked to.
UNMEASURED = (
    "Nomad does not measure every container: set telemetry { publish_allocation_metrics = true } on Nomad's clients"
)

#: Nanoseconds after which a measurement, taken every second, should be there.
_MEASURED_AFTER = 30 * 10**9

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What Nomad said in one round, by allocation and by client; what it did not say is missing."""

    at: int
    allocations: Mapping[str, AllocationUsage] = field(default_factory=dict)
    hosts: Mapping[str, HostSample] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Running:
    status: ContainerStatus
    id: ContainerId
    started: int | None


def allocations(pods: Iterable[Pod]) -> frozenset[str]:
    """The allocations whose measurements these Pods need."""
    return frozenset(running.id.allocation for pod in pods for running in _running(pod))


class Ledger:
    """The counters of what is there: a run of a container that is gone takes its counter with it."""

    def __init__(self, since: int) -> None:
        """`since` is the moment, ns since the epoch, when the counters of the Node begin."""
        self._since = since
        self._containers: dict[str, CpuCounter] = {}
        self._hosts: dict[str, CpuCounter] = {}
        self._node_seconds = 0.0

    def enter(self, pods: Iterable[Pod], clients: Iterable[str], answers: Answers) -> Snapshot:
        """Count one round; what neither Pods nor clients stand for any more is forgotten."""
        entry = _Entry(answers)
        found = tuple(usage for pod in pods if (usage := self._pod(pod, entry)) is not None)
        self._containers = entry.counters
        problem = answers.problem or (UNMEASURED if entry.unmeasured else "")
        return Snapshot(pods=found, node=self._node(clients, answers), problem=problem)

    def _pod(self, pod: Pod, entry: "_Entry") -> PodUsage | None:
        running = _running(pod)
        containers = [self._container(each, entry) for each in running]
        measured = tuple(each for each in containers if each is not None)
        if not measured or len(measured) < len(running):
            return None
        return PodUsage(
            namespace=pod.metadata.namespace,
            name=pod.metadata.name,
            uid=pod.uid,
            started=_nanoseconds(pod.status.start_time),
            containers=measured,
        )

    def _container(self, running: _Running, entry: "_Entry") -> ContainerUsage | None:
        key = identity(running.status.container_id)
        before = self._containers.get(key)
        sample = entry.sample(running)
        if sample is None:
            if before is not None:
                entry.counters[key] = before
            return None
        counter = (
            before.advanced(sample.cores, sample.at)
            if before is not None
            else begun(sample.cores, sample.at, running.started)
        )
        entry.counters[key] = counter
        return ContainerUsage(
            name=running.status.name,
            id=key,
            image=running.status.image,
            started=running.started,
            sample=sample,
            cpu_seconds=counter.seconds,
        )

    def _node(self, clients: Iterable[str], answers: Answers) -> NodeUsage | None:
        """The seconds of hosts that have gone stay counted, for the sum must not go back."""
        for client, sample in answers.hosts.items():
            before = self._hosts.get(client)
            after = before.advanced(sample.cores, sample.at) if before else begun(sample.cores, sample.at, None)
            self._node_seconds += after.seconds - (before.seconds if before else 0.0)
            self._hosts[client] = after
        self._hosts = {client: self._hosts[client] for client in clients if client in self._hosts}
        if not answers.hosts:
            return None
        together = hosts_together(answers.hosts, answers.at)
        return NodeUsage(at=answers.at, since=self._since, cpu_seconds=self._node_seconds, host=together)


class _Entry:
    """One round as it is being counted."""

    def __init__(self, answers: Answers) -> None:
        self.counters: dict[str, CpuCounter] = {}
        #: Whether Nomad answered about a container and had measured nothing that should long be there.
        self.unmeasured = False
        self._answers = answers

    def sample(self, running: _Running) -> TaskSample | None:
        """What was measured of a container."""
        allocation = self._answers.allocations.get(running.id.allocation)
        if allocation is None:
            return None
        found = task_sample(allocation.tasks.get(running.id.task))
        if found is None and running.started is not None:
            self.unmeasured |= self._answers.at - running.started > _MEASURED_AFTER
        return found


def _running(pod: Pod) -> tuple[_Running, ...]:
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    return tuple(
        _Running(status, found, _nanoseconds(now.started_at))
        for status in statuses
        if (now := status.state.running) is not None and (found := parse(status.container_id)) is not None
    )


def _nanoseconds(moment: datetime | None) -> int | None:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000 if moment is not None else None
