"""The kubelet API as the app starts it: certificate, authority, gate and answers, put together."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry

from translators.port_addresses import Placement
from translators.records.allocations import Client
from translators.records.pods import PodUid
from vnode.kube.api import Watches
from vnode.kube.certificates import SigningRequests
from vnode.kubelet.application import build_application
from vnode.kubelet.authentication import Authenticator
from vnode.kubelet.authorization import Authorizer
from vnode.kubelet.certificate import FileCertificate, SelfSignedCertificate, ServingCertificate
from vnode.kubelet.client_authority import ClusterAuthority, FileAuthority
from vnode.kubelet.dialing import DirectDialer
from vnode.kubelet.directory import PodDirectory
from vnode.kubelet.forward_session import ForwardedConnectionsOpener
from vnode.kubelet.gate import gate
from vnode.kubelet.health import Introspection
from vnode.kubelet.log_slots import LogSlots
from vnode.kubelet.log_source import SETTLED_AFTER, NomadLogSources, RunEnds
from vnode.kubelet.logs import ContainerLogs
from vnode.kubelet.pods import PodLists
from vnode.kubelet.port_forward import PortForward
from vnode.kubelet.server import KubeletServer, serve
from vnode.kubelet.signed_certificate import SignedCertificate
from vnode.kubelet.standby import only_while_leading
from vnode.kubelet.stats.handlers import Statistics
from vnode.kubelet.stats.measurements import Measurements, UsageSource
from vnode.kubelet.tls import TlsSource
from vnode.nomad.logs import NomadLogs


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
    streaming_idle_limit: float


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
    logs: NomadLogs,
    usage: UsageSource,
    registry: CollectorRegistry,
) -> AsyncIterator[KubeletApi]:
    """Serve the API while the context lasts; raises OSError when port or certificate cannot be had."""
    sources = NomadLogSources(logs, present, present, lambda: asyncio.sleep(SETTLED_AFTER))
    application = build_application(
        gate(Authenticator(kubernetes, time.monotonic), Authorizer(kubernetes, settings.node, time.monotonic)),
        only_while_leading(present.standby),
        logs=ContainerLogs(present, sources, LogSlots(), _now),
        port_forward=_port_forward(settings, present),
        pods=PodLists(present),
        introspection=Introspection(
            registry=registry, configuration={"port": settings.port}, trouble=present.not_ready
        ),
        statistics=Statistics(
            settings.node, Measurements(usage, present, present.clients, clock=time.monotonic, now=time.time_ns)
        ),
    )
    authority = _authority(settings, kubernetes)
    certificate = _certificate(settings, kubernetes)
    tls = TlsSource(certificate, authority)
    async with serve(application, tls, host=settings.address, port=settings.port) as server:
        yield KubeletApi(server, authority, certificate)


def _port_forward(settings: KubeletSettings, present: Present) -> PortForward:
    dialer = DirectDialer(
        present.placement, default_driver=settings.default_driver, routable=settings.routable_allocations
    )
    return PortForward(present, ForwardedConnectionsOpener(settings.streaming_idle_limit), dialer)


def _certificate(settings: KubeletSettings, kubernetes: Watches) -> ServingCertificate:
    if settings.certificate is not None and settings.key is not None:
        return FileCertificate(settings.certificate, settings.key)
    own = SelfSignedCertificate(settings.node, [settings.address], _now)
    if not settings.signed_by_cluster:
        return own
    signer = SigningRequests(kubernetes, time.monotonic, random.random)
    return SignedCertificate(settings.node, [settings.address], signer, own, now=_now, random=random.random)


def _authority(settings: KubeletSettings, kubernetes: Watches) -> FileAuthority | ClusterAuthority:
    if settings.client_ca_file is not None:
        return FileAuthority(settings.client_ca_file)
    return ClusterAuthority(kubernetes, time.monotonic, random.random)


def _now() -> datetime:
    return datetime.now(UTC)
