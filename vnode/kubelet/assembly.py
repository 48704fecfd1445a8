"""The kubelet API as the app starts it: certificate, authority, gate and answers, put together."""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry

from translators.pod_to_job.drivers import driver_of
from translators.port_addresses import Placement
from translators.records.allocations import Client
from translators.records.pods import Pod, PodUid
from vnode.kube.api import Watches
from vnode.kube.certificates import SigningRequests
from vnode.kubelet.application import build_application
from vnode.kubelet.attach import ContainerAttachments
from vnode.kubelet.authentication import Authenticator
from vnode.kubelet.authorization import Authorizer
from vnode.kubelet.certificate import FileCertificate, SelfSignedCertificate, ServingCertificate
from vnode.kubelet.client_authority import ClusterAuthority, FileAuthority
from vnode.kubelet.command_session import CommandStreamsOpener
from vnode.kubelet.commands import ContainerCommands
from vnode.kubelet.dialing import DirectDialer
from vnode.kubelet.directory import PodDirectory
from vnode.kubelet.forward_session import ForwardedConnectionsOpener
from vnode.kubelet.gate import gate
from vnode.kubelet.health import Introspection
from vnode.kubelet.log_slots import DEFAULT_LOG_STREAMS, LogSlots
from vnode.kubelet.log_source import SETTLED_AFTER, NomadLogSources, RunEnds
from vnode.kubelet.logs import ContainerLogs
from vnode.kubelet.pods import PodLists
from vnode.kubelet.port_forward import PortForward
from vnode.kubelet.relay import RelayDialer
from vnode.kubelet.server import KubeletServer, serve
from vnode.kubelet.signed_certificate import SignedCertificate
from vnode.kubelet.standby import only_while_leading
from vnode.kubelet.stats.handlers import Statistics
from vnode.kubelet.stats.measurements import Measurements
from vnode.kubelet.tls import TlsSource
from vnode.nomad.client import NomadClient
from vnode.nomad.logs import NomadLogs
from vnode.nomad.task_commands import TaskCommands, task_commands
from vnode.nomad.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletSettings:
    """Where the API listens and with which certificate: files, one that the cluster signs, or one of its own."""

    node: str
    address: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    signed_by_cluster: bool = False
    client_ca_file: Path | None = None
    default_driver: str
    routable_allocations: bool = False
    client_agents: bool = True
    streaming_idle_limit: float
    log_streams: int = DEFAULT_LOG_STREAMS


class Present(PodDirectory, RunEnds, Protocol):
    """What is known of the Pods now, or why nothing is."""

    def placement(self, uid: PodUid) -> Placement | None:
        """Where a Pod runs now; None while it runs nowhere."""
        ...

    def standby(self) -> str:
        """Why nothing about Pods can be said here, as a sentence; empty where it can."""
        ...

    def clients(self) -> Iterable[Client]:
        """The Nomad clients that the Node stands for."""
        ...

    def not_ready(self) -> str:
        """Why Pods are not looked after, though that is our task; empty while they are."""
        ...


class KubeletApi:
    """The API as it is served; `run` keeps certificate and client authority current."""

    def __init__(
        self, server: KubeletServer, authority: FileAuthority | ClusterAuthority, certificate: ServingCertificate
    ) -> None:
        self._server = server
        self._authority = authority
        self._certificate = certificate

    @property
    def port(self) -> int:
        """The port in use."""
        return self._server.port

    @property
    def certificate_ends(self) -> float:
        """When the serving certificate is valid no more, seconds since the epoch."""
        return self._server.certificate_ends

    async def break_off(self) -> None:
        """End all answers that are being given, because another replica knows better from now on."""
        await self._server.break_off()

    async def run(self) -> None:
        """Follow all until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._server.run())
            tasks.create_task(self._authority.run())
            if isinstance(self._certificate, SignedCertificate):
                tasks.create_task(self._certificate.run(self._server.refresh))


@asynccontextmanager
async def kubelet_api(
    settings: KubeletSettings,
    kubernetes: Watches,
    present: Present,
    transport: Transport,
    registry: CollectorRegistry,
) -> AsyncIterator[KubeletApi]:
    """Serve the API while the context lasts; raises OSError when port or certificate cannot be had.

    After its last answer the context waits for what commands leave behind, which takes seconds at most.
    """
    async with task_commands(transport, lambda: secrets.token_hex(16)) as runner:
        application = _application(settings, kubernetes, present, transport, runner, registry)
        authority = _authority(settings, kubernetes)
        certificate = _certificate(settings, kubernetes)
        tls = TlsSource(certificate, authority)
        async with serve(application, tls, host=settings.address, port=settings.port) as server:
            yield KubeletApi(server, authority, certificate)


def _application(
    settings: KubeletSettings,
    kubernetes: Watches,
    present: Present,
    transport: Transport,
    runner: TaskCommands,
    registry: CollectorRegistry,
) -> web.Application:
    sources = NomadLogSources(NomadLogs(transport), present, present, lambda: asyncio.sleep(SETTLED_AFTER))
    slots, open_streams = LogSlots(settings.log_streams), CommandStreamsOpener(settings.streaming_idle_limit)
    driver = partial(driver_of, default=settings.default_driver)
    return build_application(
        gate(Authenticator(kubernetes, time.monotonic), Authorizer(kubernetes, settings.node, time.monotonic)),
        only_while_leading(present.standby),
        logs=ContainerLogs(present, sources, slots, _now),
        commands=ContainerCommands(present, runner, open_streams, driver, _client_of(settings, present)),
        attachments=ContainerAttachments(present, sources, slots, open_streams),
        port_forward=_port_forward(settings, present, runner),
        pods=PodLists(present),
        introspection=Introspection(
            registry=registry, configuration={"port": settings.port}, trouble=present.not_ready
        ),
        statistics=Statistics(
            settings.node,
            Measurements(NomadClient(transport), present, present.clients, clock=time.monotonic, now=time.time_ns),
        ),
    )


def _client_of(settings: KubeletSettings, present: Present) -> Callable[[Pod, str], str]:
    def client_of(pod: Pod, allocation: str) -> str:
        placement = present.placement(pod.uid) if settings.client_agents else None
        if placement is None or placement.allocation.id != allocation:
            return ""
        return placement.allocation.node_id

    return client_of


def _port_forward(settings: KubeletSettings, present: Present, runner: TaskCommands) -> PortForward:
    dialer = DirectDialer(
        present.placement,
        default_driver=settings.default_driver,
        routable=settings.routable_allocations,
        inside=RelayDialer(runner),
    )
    return PortForward(present, ForwardedConnectionsOpener(settings.streaming_idle_limit), dialer)


def _certificate(settings: KubeletSettings, kubernetes: Watches) -> ServingCertificate:
    if settings.certificate is not None and settings.key is not None:
        return FileCertificate(settings.certificate, settings.key)
    own = SelfSignedCertificate(settings.node, [settings.address], _now)
    if not settings.signed_by_cluster:
        return own
    signer = SigningRequests(kubernetes, time.monotonic, random.random)
    steady = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    return SignedCertificate(
        settings.node, [settings.address], signer, own, now=_now, steady=steady, random=random.random
    )


def _authority(settings: KubeletSettings, kubernetes: Watches) -> FileAuthority | ClusterAuthority:
    if settings.client_ca_file is not None:
        return FileAuthority(settings.client_ca_file)
    return ClusterAuthority(kubernetes, time.monotonic, random.random)


def _now() -> datetime:
    return datetime.now(UTC)
