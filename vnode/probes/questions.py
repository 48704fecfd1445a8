"""How a probe is asked: over the network where its port is published, or by a command in the task."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from translators.container_id import ContainerId
from translators.pod_to_job.drivers import driver_of
from translators.pod_to_job.probes import command_of, number_of, port_of
from translators.port_addresses import Endpoint, Placement, port_addresses
from translators.records.pods import Container, Pod, PodUid
from translators.records.probes import HttpGetAction, Probe
from vnode.nomad.task_place import TaskPlace
from vnode.probes import commands
from vnode.probes.answers import Answer, Outcome
from vnode.probes.hooks import HookCall

#: pkg/kubelet/prober: maxProbeRetries.
_ATTEMPTS = 3

#: Hooks at once that are commands, each of which is a connection to Nomad; the others wait for their turn.
HOOKS = 8
#: Seconds of a hook that nothing else bounds.
LONG = 7 * 86_400.0


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

    async def call(self, action: HttpGetAction, at: Endpoint, within: float) -> Answer:
        """Whether a GET is answered at all."""

    async def grpc(self, service: str, at: Endpoint, within: float) -> Answer:
        """Whether gRPC's health service says SERVING."""

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
        self._turns = asyncio.Semaphore(HOOKS)

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
            place = self._place(question.pod, question.run)
            return await commands.run(self._runner, place, command, within)
        at = self._endpoint(question.pod, port_of(probe, question.container))
        if at is None:
            return Answer(Outcome.UNKNOWN, f"Nomad publishes no port {probe.port} of this Pod")
        if probe.http_get is not None:
            return await self._network.http(probe.http_get, at, within)
        if probe.grpc is not None:
            return await self._network.grpc(probe.grpc.service, at, within)
        return await self._network.tcp(at, within)

    async def do(self, call: HookCall) -> Answer:
        """Do what a hook says, for as long as it takes; its command is as it is written, as with a kubelet."""
        hook = call.hook
        if hook.exec is not None:
            async with self._turns:
                return await commands.run(self._runner, self._place(call.pod, call.run), hook.exec.command, LONG)
        if hook.http_get is None:
            return Answer(Outcome.FAILURE, "the hook has no exec, httpGet or sleep")
        port = number_of(hook.http_get.port, call.container)
        at = self._endpoint(call.pod, port)
        if at is None:
            return Answer(Outcome.FAILURE, f"Nomad publishes no port {hook.http_get.port} of this Pod")
        answer = await self._network.call(hook.http_get, at, LONG)
        # Nothing at the other end: the way may be cut, and will not always be.
        return Answer(Outcome.UNKNOWN, answer.text) if answer.unheard else answer

    def _place(self, pod: Pod, run: ContainerId) -> TaskPlace:
        return TaskPlace(run.allocation, run.task, driver_of(pod, run.task, self._default_driver))

    def _endpoint(self, pod: Pod, port: int | None) -> Endpoint | None:
        placement = self._placements(pod.uid)
        if port is None or placement is None:
            return None
        found = port_addresses(pod, placement, port, default_driver=self._default_driver, routable=self._routable)
        return next(iter(found), None)
