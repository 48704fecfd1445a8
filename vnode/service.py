"""The service of one term: follow both sides, reconcile, keep the Node, until it is over.

Its parts are put together here and nowhere else. Every task belongs to the one TaskGroup and ends with it; what
runs on Nomad does not notice.
"""

import asyncio
import gc
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from prometheus_client import Gauge

from translators.namespaces import nomad_namespace
from translators.provisioning import Home
from translators.records.pods import PodUid
from translators.references import references
from vnode import __version__, reflectors
from vnode.basis import Basis
from vnode.calendar import Calendar
from vnode.cluster import Cluster
from vnode.collected import Collected
from vnode.connections import policy_writer
from vnode.delivery.subscriptions import Subscriptions, wake_for_tokens
from vnode.fence import OPEN, Fence
from vnode.following import ClientsSink, Following, Link, NamespaceSink, namespaces_in_use
from vnode.kube.api import Watches
from vnode.kube.connection import Connection
from vnode.kube.events import EventRecorder
from vnode.kube.patches import PodWriter
from vnode.kube.tokens import TokenRequester
from vnode.kube.volumes import Volumes
from vnode.metrics import Metrics
from vnode.node.description import Description
from vnode.node.events import NodeEvents
from vnode.node.heartbeat import NodeKeeper
from vnode.node.virtual_node import virtual_node
from vnode.nomad.client import NomadClient
from vnode.nomad.event_stream import EventSink, EventStream
from vnode.nomad.events import Topic
from vnode.nomad.grants import NomadGrants
from vnode.nomad.host_volumes import NomadHostVolumes
from vnode.nomad.logs import NomadLogs
from vnode.nomad.transport import Transport
from vnode.nomad.variables import NomadVariables
from vnode.observing import ObservedKubernetes, ObservedNomad, ObservedVariables, Told
from vnode.patience import patiently
from vnode.pods.decide import Circumstances
from vnode.pods.log_meter import LogMeter
from vnode.pods.message_reader import MessageReader
from vnode.pods.peers import Peers
from vnode.pods.pod_events import PodEvents
from vnode.pods.queue import KeyedQueue
from vnode.pods.reconciler import Reconciler
from vnode.probes.hooks import HookRunner
from vnode.probes.inquiry import ask_and_run
from vnode.probes.prober import Prober
from vnode.settings import Settings
from vnode.storage.provisioner import Provisioner
from vnode.view.neighbours import NeighbourStore
from vnode.view.runs import RunWatch
from vnode.view.services import ServiceStore
from vnode.view.view import View

_log = structlog.get_logger(__name__)

WORKERS = 32
#: Volumes that are made or removed at once: Nomad waits for what makes them.
_MAKERS = 4


class Service:
    """One virtual Node: its parts, put together."""

    def __init__(
        self,
        settings: Settings,
        cluster: Cluster,
        kubernetes: Connection,
        transport: Transport,
        *,
        metrics: Metrics,
        fence: Fence = OPEN,
        collected: Collected | None = None,
    ) -> None:
        self.settings = settings
        self.cluster = cluster
        self.kubernetes = kubernetes
        self.transport = transport
        self.client = NomadClient(transport)
        self.variables = NomadVariables(transport)
        self.metrics = metrics
        self.fence = fence
        self.queue: KeyedQueue[PodUid] = KeyedQueue(time.monotonic)
        self.services = ServiceStore(self.look_at_all)
        self.view = View(
            cluster=cluster.id,
            node=settings.node_name,
            changed=self._pod_changed,
            capacity_changed=self._capacity_changed,
            clock=time.monotonic,
            forgotten=collected.forgotten if collected is not None else lambda _: None,
            chosen=collected.chosen if collected is not None else None,
            references=lambda pod: references(pod, settings.default_driver),
        )
        self.view.objects.services = self.services.of
        self.calendar = Calendar(_now, partial(time.clock_gettime, time.CLOCK_BOOTTIME), self.view.shift)
        self.runs = RunWatch(self.view)
        self.neighbours = NeighbourStore(self._capacity_changed)
        self.link = Link(self._link_changed, time.monotonic)
        self.clients = ClientsSink(
            self.client, self.view, self.link, node_pool=settings.node_pool, datacenters=settings.datacenters
        )
        self.basis = Basis(settings, cluster.id, self.view, self.clients, fence, lambda: self.queue.due)
        self._told = Told()
        self.recorder = EventRecorder(
            self._writing(kubernetes),
            now=_now,
            clock=time.monotonic,
            ids=_event_id,
            lull=kubernetes.lull,
            dropped=lambda reason, count: metrics.events_dropped.labels(reason).inc(count),
        )
        self.prober = Prober(
            self.view,
            PodEvents(self.recorder, settings.node_name),
            self.queue.add,
            clock=time.monotonic,
            now=_now,
            random=random.random,
        )
        self.hooks = HookRunner(self.view, self.runs, PodEvents(self.recorder, settings.node_name), self.queue.add)
        self.node = virtual_node(settings)
        description = self._description()
        self.keeper = NodeKeeper(
            self._writing(kubernetes.vital),
            self.node,
            description.status,
            description.labels,
            now=_now,
            clock=time.monotonic,
            random=random.random,
        )
        self.keeper.came_back = NodeEvents(self.recorder, settings.node_name).came_back
        self.following: Following | None = None
        self._grants: NomadGrants | None = None

    async def run(self, over: asyncio.Event) -> None:
        """Look after the Node and its Pods until that is over, or until cancelled."""
        _spare_collections()
        async with AsyncExitStack() as told, self._granting(), asyncio.TaskGroup() as tasks:
            for breaker in (self.kubernetes.breaker, self.transport.breaker):
                told.enter_context(breaker.telling(self.look_at_all))
            told.enter_context(self.metrics.measuring(self._gauges()))
            self.following = Following(self._stream, tasks, self._namespace_sink)
            objects = Subscriptions(self.kubernetes, self.view.objects, tasks, time.monotonic, random.random)
            self.view.objects.subscriber = objects
            running = [
                tasks.create_task(wake_for_tokens(self.view.objects, self.queue.add, self.calendar.now, asyncio.sleep)),
                tasks.create_task(self.recorder.run()),
                tasks.create_task(self._stream("", ("Node",), self.clients).run()),
                tasks.create_task(reflectors.pods(self.kubernetes, self.node.name, self.view.pods).run()),
                tasks.create_task(reflectors.services(self.kubernetes, self.services).run()),
                tasks.create_task(self.keeper.run()),
                tasks.create_task(self._follow_what_is_there()),
                tasks.create_task(self.following.resync_slowly(asyncio.sleep)),
                tasks.create_task(self._probe()),
                *(tasks.create_task(self._reconciler().work()) for _ in range(WORKERS)),
                *(tasks.create_task(work) for work in self._storage()),
            ]
            await over.wait()
            self.following.end()
            objects.end()
            for task in running:
                task.cancel()

    async def _probe(self) -> None:
        """Ask probes and run hooks, unless somebody else does."""
        if self.settings.observe:
            return
        await ask_and_run(
            self.prober,
            self.hooks,
            self.transport,
            self.view.placement,
            version=self.cluster.version,
            default_driver=self.settings.default_driver,
            routable=self.settings.routable_allocations,
        )

    async def collect(self, collected: Collected) -> None:
        """Only end and remove the chosen jobs, whose Pods are gone, and return when that is done."""
        self.view.pods.synced = True
        for uid in collected.chosen:
            self.view.confirm_absence(uid)
        async with self._granting(), asyncio.TaskGroup() as tasks:
            self.following = Following(self._stream, tasks, self._namespace_sink)
            running = [
                tasks.create_task(self._stream("", ("Node",), self.clients).run()),
                tasks.create_task(self._follow_what_is_there()),
                *(tasks.create_task(self._reconciler().work()) for _ in range(WORKERS)),
            ]
            try:
                await collected.all_gone.wait()
            finally:
                self.following.end()
                for task in running:
                    task.cancel()

    @asynccontextmanager
    async def _granting(self) -> AsyncIterator[None]:
        """Policies can be written while the block lasts, where there is a token for them."""
        async with policy_writer(self.settings, self.fence) as transport:
            self._grants = None if transport is None else NomadGrants(transport)
            yield

    def _gauges(self) -> dict[Gauge, Callable[[], float]]:
        """How much waits."""
        return {
            self.metrics.waiting: lambda: len(self.queue),
            self.metrics.later: lambda: self.queue.due,
            self.metrics.events_waiting: lambda: self.recorder.waiting,
            self.metrics.pods: lambda: len(self.view.pods),
        }

    def look_at_all(self) -> None:
        """Ask for a round over everything that is known."""
        for pod in self.view.pods:
            self.queue.add(pod.uid)
        for job in self.view.jobs:
            self.queue.add(job.identity.uid)

    def not_ready(self) -> str:
        """What is missing before Pods are looked after, as a sentence; empty when nothing is."""
        if self.fence.reason and not self.settings.observe:
            return self.fence.reason
        if not self.view.pods.synced:
            return "the Pods of the Node were not listed yet"
        if not self.link.reachable:
            return self.link.problem
        return "" if self.view.clients.synced else "Nomad's clients were not listed yet"

    def _stream(self, namespace: str, topics: tuple[Topic, ...], sink: EventSink) -> EventStream:
        return EventStream(
            self.transport,
            namespace,
            topics,
            sink,
            now=time.monotonic,
            sleep=asyncio.sleep,
            random=random.random,
            # One of them is enough to tell of an expired token.
            looks="Node" in topics,
        )

    def _namespace_sink(self, namespace: str) -> NamespaceSink:
        return NamespaceSink(namespace, self.client, self.variables, self.view, self.neighbours, self.look_at_all)

    def _storage(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What follows claims and volumes, and makes volumes, where that is asked for."""
        store = self.view.claims
        if not self.settings.persistent_volumes:
            return
        store.serve()
        if not self.settings.observe:
            provisioner = Provisioner(
                Home(cluster=self.cluster.id, node=self.node.name),
                store,
                KeyedQueue(time.monotonic),
                Volumes(self.kubernetes),
                NomadHostVolumes(self.transport),
                self.recorder,
                namespace=lambda namespace: nomad_namespace(self.settings.namespace_map, namespace),
                clients=lambda: self.view.clients if self.view.clients.synced else None,
            )
            yield from (provisioner.work() for _ in range(_MAKERS))
        yield from (each.run() for each in reflectors.claims_and_volumes(self.kubernetes, store))

    def _reconciler(self) -> Reconciler:
        return Reconciler(
            view=self.view,
            queue=self.queue,
            peers=Peers(
                pods=PodWriter(self._writing(self.kubernetes), self.view.pods.decode),
                jobs=ObservedNomad(self.client, self._told) if self.settings.observe else self.client,
                variables=ObservedVariables(self.variables, self._told) if self.settings.observe else self.variables,
                events=PodEvents(self.recorder, self.node.name),
                logs=LogMeter(NomadLogs(self.transport)),
                hooks=self.hooks,
                messages=MessageReader(self.client, NomadLogs(self.transport)),
                link=self.link,
                tokens=TokenRequester(self._writing(self.kubernetes), self.calendar.now),
                grants=self._grants,
            ),
            circumstances=self._circumstances,
            metrics=self.metrics,
            published=self.prober.published,
            now=self.calendar.now,
            clock=time.monotonic,
        )

    async def _follow_what_is_there(self) -> None:
        """Follow every Nomad namespace that holds jobs of ours, whose Pods may be gone."""
        found = await patiently(
            "Nomad", lambda: namespaces_in_use(self.client, self.view.is_ours, self.settings.namespace_map)
        )
        if self.following is not None:
            for namespace in found:
                self.following.follow(namespace)

    def _circumstances(self, kubernetes_namespace: str) -> Circumstances | str:
        return self.basis.circumstances(kubernetes_namespace, self.following)

    def _description(self) -> Description:
        return Description(
            node=self.node,
            clients=self.view.clients,
            neighbours=self.neighbours,
            link=self.link,
            mhz_per_core=lambda: self.basis.mhz_per_core,
            kubelet_version=f"{self.cluster.version}+vnode.{__version__}",
            pods_per_client=self.settings.max_pods,
        )

    def _writing(self, connection: Connection) -> Watches:
        return ObservedKubernetes(connection, self._told) if self.settings.observe else connection

    def _link_changed(self) -> None:
        self._capacity_changed()
        if self.link.reachable:
            self.look_at_all()

    def _pod_changed(self, uid: PodUid) -> None:
        self.queue.add(uid)
        self.runs.wake(uid)
        self.prober.wake(uid)

    def _capacity_changed(self) -> None:
        self.keeper.notify()
        if self.basis.learn():
            self.look_at_all()


def _spare_collections() -> None:
    """Look for garbage in what is new: records live long and hold no cycles, and a look at all of them stalls us."""
    # What an earlier term left is not to be kept for ever.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _now() -> datetime:
    return datetime.now(UTC)


def _event_id() -> str:
    return secrets.token_hex(8)
