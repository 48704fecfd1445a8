"""The life of vnode: connect to both sides, be elected, serve; until told to stop.

What outlives a term is put together here: the connections, the election, the servers. What looks after the Node
while we lead is `vnode.service`.
"""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime

import structlog

from vnode.cluster import cluster_of
from vnode.connections import StartError, connections
from vnode.fence import OPEN, Shut
from vnode.kube.connection import Connection
from vnode.kube.leases import Lease, LeaseClient, decode_lease, leases_path
from vnode.kube.reflector import Reflector, Sink
from vnode.kubelet.assembly import KubeletApi, KubeletSettings, kubelet_api
from vnode.kubelet.log_slots import log_streams
from vnode.leadership.alone import Alone
from vnode.leadership.clock import read
from vnode.leadership.election import DEADLINE, RENEWED_EVERY
from vnode.leadership.leadership import Leadership
from vnode.leadership.term import Term
from vnode.metrics import Metrics
from vnode.monitoring import monitoring
from vnode.nomad.transport import Transport
from vnode.observing import WHY
from vnode.patience import patiently
from vnode.service import Service
from vnode.settings import Settings
from vnode.stage import Stage

_log = structlog.get_logger(__name__)


async def run(settings: Settings) -> None:
    """Serve the virtual Node until SIGTERM or SIGINT.

    Raises:
        StartError: when files, credentials or the port cannot be used.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    life, told = asyncio.create_task(_life(settings)), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((life, told), return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        if not life.done():
            _log.info("ends; workloads stay as they are")
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life


async def _life(settings: Settings) -> None:
    term = Term(read, DEADLINE) if settings.leader_elect and not settings.observe else None
    fence = Shut(WHY) if settings.observe else term or OPEN
    metrics = Metrics()
    async with connections(settings, fence) as (kubernetes, transport):
        _measure(metrics, kubernetes, transport)
        cluster = await patiently("Kubernetes", lambda: cluster_of(kubernetes, settings.cluster_id))
        leadership = Alone() if term is None else _leadership(settings, kubernetes, term)
        stage = Stage(lambda: leadership.holder)
        metrics.leader.set_function(lambda: stage.service is not None)
        async with _servers(settings, kubernetes, transport, stage, metrics) as server, asyncio.TaskGroup() as tasks:
            if server is not None:
                _tell_certificate(metrics, server)
                tasks.create_task(server.run())
            while True:
                async with leadership.held(stage.look_at_all) as lost:
                    port = server.port if server is not None else None
                    _log.info("serves", node=settings.node_name, cluster=cluster.id, kubelet_port=port)
                    service = Service(settings, cluster, kubernetes, transport, metrics=metrics, fence=fence)
                    with stage.showing(service):
                        await service.run(lost)
                if server is not None:
                    await server.break_off()


def _measure(metrics: Metrics, kubernetes: Connection, transport: Transport) -> None:
    metrics.breaker_open.labels("kubernetes").set_function(lambda: kubernetes.breaker.is_open)
    metrics.breaker_open.labels("nomad").set_function(lambda: transport.breaker.is_open)
    metrics.requests_waiting.set_function(lambda: transport.waiting)


def _tell_certificate(metrics: Metrics, server: KubeletApi) -> None:
    metrics.certificate_ends.set_function(lambda: server.certificate_ends)


def _leadership(settings: Settings, kubernetes: Connection, term: Term) -> Leadership:
    namespace, name = settings.leader_elect_namespace, f"vnode-{settings.node_name}"

    async def follow(sink: Sink[Lease]) -> None:
        query = {"fieldSelector": f"metadata.name={name}"}
        path = leases_path(namespace)
        await Reflector(kubernetes, path, query, decode_lease, sink, time.monotonic, random.random).run()

    return Leadership(
        LeaseClient(kubernetes.vital.unfenced, namespace, name, within=RENEWED_EVERY),
        follow,
        settings.leader_identity,
        term,
        now=lambda: datetime.now(UTC),
        clock=time.monotonic,
        read=read,
    )


@asynccontextmanager
async def _servers(
    settings: Settings, kubernetes: Connection, transport: Transport, stage: Stage, metrics: Metrics
) -> AsyncIterator[KubeletApi | None]:
    """What we answer with; the kubelet API belongs to the Node, which nobody keeps who only observes."""
    async with AsyncExitStack() as stack:
        server = None
        try:
            await stack.enter_async_context(monitoring(settings.metrics_port, metrics.registry, stage.not_ready))
            if not settings.observe:
                server = await stack.enter_async_context(
                    kubelet_api(_kubelet(settings), kubernetes.unfenced, stage, transport, metrics.registry)
                )
        except OSError as error:
            raise StartError(f"the kubelet API cannot be served: {error}") from error
        yield server


def _kubelet(settings: Settings) -> KubeletSettings:
    return KubeletSettings(
        node=settings.node_name,
        address=settings.node_address,
        port=settings.kubelet_port,
        certificate=settings.kubelet_certificate,
        key=settings.kubelet_key,
        signed_by_cluster=settings.server_tls_bootstrap,
        client_ca_file=settings.client_ca_file,
        default_driver=settings.default_driver,
        routable_allocations=settings.routable_allocations,
        client_agents=settings.nomad_client_agents,
        streaming_idle_limit=settings.streaming_idle_limit,
        log_streams=log_streams(settings.nomad_streams),
    )
