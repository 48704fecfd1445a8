"""How a probe is asked: over the network where its port is published, or by a command in the task."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from translators.container_id import ContainerId
from translators.pod_to_job.drivers import driver_of
from translators.pod_to_job.probes import command_of, port_of
from translators.port_addresses import Endpoint, Placement, port_addresses
from translators.records.pods import Container, Pod, PodUid
from translators.records.probes import HttpGetAction, Probe
from vnode.nomad.task_place import TaskPlace
from vnode.probes import commands
from vnode.probes.answers import Answer, Outcome

#: pkg/kubelet/prober: maxProbeRetries.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Question:
    """A probe of a run of a container."""

    pod: Pod
    container: Container
    run: ContainerId
    probe: Probe


class Network(Protocol):
    """Asks over the network: `vnode.probes.network.NetworkProbes`."""

    async def http(self, action: HttpGetAction, at: Endpoint, within: float) -> Answer:
        """Whether a GET is answered well."""

    async def tcp(self, at: Endpoint, within: float) -> Answer:
        """Whether a connection comes about."""


class Questions:
    """Asks probes; `placements` tells where a Pod runs now, `routable` whether addresses in bridges answer us."""

    def __init__(
        self,
        network: Network,
        runner: commands.Commands,
        placements: Callable[[PodUid], Placement | None],
        *,
        default_driver: str,
        routable: bool,
    ) -> None:
        self._network = network
        self._runner = runner
        self._placements = placements
        self._default_driver = default_driver
        self._routable = routable

    async def ask(self, question: Question) -> Answer:
        """Ask, and once more where that told nothing; never raises for whatever goes wrong with it."""
        answer = Answer(Outcome.UNKNOWN)
        for _ in range(_ATTEMPTS):
            answer = await self._ask(question)
            if answer.outcome is not Outcome.UNKNOWN or not answer.text:
                break
        return answer

    async def _ask(self, question: Question) -> Answer:
        probe = question.probe
        within = float(max(1, probe.timeout_seconds))
        if probe.exec is not None:
            command = command_of(probe, question.container)
            return await commands.run(self._runner, self._place(question), command, within)
        at = self._endpoint(question)
        if at is None:
            return Answer(Outcome.UNKNOWN, f"Nomad publishes no port {probe.port} of this Pod")
        if probe.http_get is not None:
            return await self._network.http(probe.http_get, at, within)
        return await self._network.tcp(at, within)

    def _place(self, question: Question) -> TaskPlace:
        driver = driver_of(question.pod, question.container.name, self._default_driver)
        return TaskPlace(question.run.allocation, question.run.task, driver)

    def _endpoint(self, question: Question) -> Endpoint | None:
        port = port_of(question.probe, question.container)
        placement = self._placements(question.pod.uid)
        if port is None or placement is None:
            return None
        found = port_addresses(
            question.pod, placement, port, default_driver=self._default_driver, routable=self._routable
        )
        return next(iter(found), None)
