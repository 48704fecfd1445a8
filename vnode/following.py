"""Following Nomad: one event stream per Nomad namespace that our Pods use, and one for its clients.

A stream begins with a list (see `vnode.nomad.event_stream`), so what a namespace's sink says after `connected`
is complete. Until then no decision is taken about the Pods of that namespace.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import count
from typing import Protocol

import structlog

from translators.identity import JobIdentity, owner_of, uid_of
from translators.namespaces import PLACEHOLDER
from translators.pod_to_job import permit
from translators.records.allocations import Allocation, AllocationId, Client, Evaluation
from vnode.errors import Denied, NotFound, PeerError
from vnode.nomad.client import NomadClient
from vnode.nomad.event_stream import EventSink, EventStream
from vnode.nomad.events import Topic
from vnode.nomad.variables import NomadVariables
from vnode.view.jobs import JobStore
from vnode.view.neighbours import NeighbourStore
from vnode.view.view import View

_log = structlog.get_logger(__name__)

#: Seconds between two complete lists: the only way to see what Nomad collected without an event.
RESYNC = 600.0
#: Seconds after the list that a stream begins with: it was had in troubled times, and may have lacked something.
SECOND_LOOK = 60.0
_ALL_CLIENTS = "all"
#: Requests for single records during a list.
_AT_ONCE = 8
#: What is logged when everything in a Nomad namespace is known.
FOLLOWED = "the jobs of a Nomad namespace are known"
#: Seconds without an answer before Nomad is called unreachable: its servers elect another leader in less.
FORGIVEN = 10.0
#: At a start there is nothing to be forgiven: this many attempts in vain will do.
_FIRST_ATTEMPTS = 2


class Link:
    """Whether Nomad answers, as the stream of clients sees it; `changed` is told when that turns.

    A stream that breaks is forgiven for some seconds, for it is opened again at once; a denial is not. `asked` says
    that the answer is known: Nomad was reached, or not reached often enough to say so. `clock` is monotonic seconds.
    """

    def __init__(self, changed: Callable[[], None], clock: Callable[[], float]) -> None:
        self._changed = changed
        self._clock = clock
        self._failures = 0
        self._failing_since = 0.0
        self._kind: type[PeerError] | None = None
        self.reachable = False
        self.problem = "Nomad was not asked yet"
        self.asked = False

    def up(self) -> None:
        """Lists and stream work."""
        self._failures, self._kind = 0, None
        if not self.reachable:
            _log.info("Nomad answers")
            self._told(reachable=True, problem="")

    def down(self, error: PeerError) -> None:
        """The stream broke, or could not be opened."""
        if not self._failures:
            self._failing_since = self._clock()
        self._failures += 1
        lasts = self._clock() - self._failing_since >= FORGIVEN
        if lasts or (not self.asked and self._failures >= _FIRST_ATTEMPTS):
            self._is_away(error)

    def denied(self, error: Denied) -> None:
        """Our token is not good enough, though a stream may still be open: Nomad looks at it only when it is shown."""
        self._is_away(error)

    def _is_away(self, error: PeerError) -> None:
        # Of several servers each says the same in its own words.
        if self._kind is not type(error):
            self._kind = type(error)
            _log.warning("Nomad does not answer", error=str(error))
            self._told(reachable=False, problem=str(error))

    def _told(self, *, reachable: bool, problem: str) -> None:
        self.asked, self.reachable, self.problem = True, reachable, problem
        self._changed()


class Streams(Protocol):
    """Makes event streams; the app knows clocks, region and transport."""

    def __call__(self, namespace: str, topics: tuple[Topic, ...], sink: EventSink) -> EventStream:
        """A stream that is not running yet."""


class ClientsSink:
    """Keeps the clients of the region in the view; attributes come with single reads and with events."""

    def __init__(
        self, client: NomadClient, view: View, link: Link, *, node_pool: str, datacenters: Sequence[str]
    ) -> None:
        self._client = client
        self._view = view
        self._link = link
        self._node_pool = node_pool
        self._datacenters = datacenters
        self.memory_oversubscription = False

    async def resync(self) -> None:
        """List all clients, and read those of our pool whole."""
        stubs = await self._client.clients()
        ours = [stub for stub in stubs if self._serves(stub)]
        turn = asyncio.Semaphore(_AT_ONCE)

        async def read(stub: Client) -> Client:
            async with turn:
                try:
                    return await self._client.client(stub.id)
                except NotFound:
                    return stub

        whole = await asyncio.gather(*(read(stub) for stub in ours))
        self.memory_oversubscription = bool(await self._client.memory_oversubscription(self._node_pool))
        self._view.clients.replace(whole)

    def allocation(self, allocation: Allocation, read_at: float) -> None:
        """Not asked for."""

    def evaluation(self, evaluation: Evaluation, read_at: float) -> None:
        """Not asked for."""

    def client(self, client: Client, read_at: float) -> None:  # noqa: ARG002 - the sink's signature
        """A client of our pool joined, changed or left."""
        if self._serves(client):
            self._view.clients.apply(client)

    def connected(self) -> None:
        """Nomad answers."""
        self._link.up()

    def disconnected(self, error: PeerError) -> None:
        """Nomad may be away."""
        self._link.down(error)

    def denied(self, error: Denied) -> None:
        """Our token is not good enough, which for new Pods is the same as Nomad being away."""
        self._link.denied(error)

    def _serves(self, client: Client) -> bool:
        """Whether Pods of our Node may be placed on this client; every client is in the built-in pool `all`."""
        pooled = self._node_pool in {client.node_pool, _ALL_CLIENTS}
        return pooled and any(fnmatchcase(client.datacenter, pattern) for pattern in self._datacenters)


class NamespaceSink:
    """Keeps the jobs of one Nomad namespace in the view.

    `synced` once everything in it is known; `problem` says why it is not followed, where Nomad denies that.
    """

    def __init__(
        self,
        namespace: str,
        client: NomadClient,
        variables: NomadVariables,
        view: View,
        neighbours: NeighbourStore,
        changed: Callable[[], None],
    ) -> None:
        self.namespace = namespace
        self.synced = False
        self.problem = ""
        self.looked_again = False
        self._client = client
        self._variables = variables
        self._view = view
        self._neighbours = neighbours
        self._changed = changed

    async def resync(self) -> None:
        """List jobs and allocations; addresses of bridge networks are in single reads only."""
        self.looked_again = False
        since = self._view.jobs.mark()
        jobs = await self._client.jobs(self.namespace)
        allocations = await self._client.allocations(self.namespace, prefix="")
        ours = [allocation for allocation in allocations if uid_of(allocation.job_id) is not None]
        await self._complete(ours)
        paths = await self._variables.paths(self.namespace, permit.PREFIX)
        permits = [uid for path in paths if (uid := permit.uid_at(path)) is not None]
        self._view.jobs.replace(self.namespace, jobs, ours, since=since)
        self._view.jobs.replace_permits(self.namespace, permits, since=since)
        self._neighbours.replace(self.namespace, (each for each in allocations if not self._is_known(each)))

    def allocation(self, allocation: Allocation, read_at: float) -> None:
        """An allocation changed."""
        self._view.jobs.apply_allocation(allocation, read_at)
        if not self._is_known(allocation):
            self._neighbours.apply(allocation)

    def evaluation(self, evaluation: Evaluation, read_at: float) -> None:  # noqa: ARG002 - the sink's signature
        """The scheduler decided something."""
        self._view.jobs.apply_evaluation(evaluation)

    def client(self, client: Client, read_at: float) -> None:
        """Not asked for."""

    def connected(self) -> None:
        """What we know of this namespace is true now."""
        if not self.synced or self.problem:
            self.synced, self.problem = True, ""
            _log.info(FOLLOWED, namespace=self.namespace)
            self._changed()

    def disconnected(self, error: PeerError) -> None:
        """What we know stays, and is completed at the next connection."""
        _log.info("the event stream is broken", namespace=self.namespace, error=str(error))

    def denied(self, error: Denied) -> None:
        """Only an administrator can help; Pods that wait for this namespace say so."""
        problem = f"Nomad namespace {self.namespace}: {error}"
        if self.problem != problem:
            _log.error("Nomad denies a namespace", namespace=self.namespace, error=str(error))
            self.problem = problem
            self._changed()

    def _is_known(self, allocation: Allocation) -> bool:
        uid = uid_of(allocation.job_id)
        return uid is not None and (uid in self._view.pods or self._view.jobs.get(uid) is not None)

    async def _complete(self, allocations: list[Allocation]) -> None:
        """Read what a list leaves out, where we do not have it yet."""
        for index, allocation in enumerate(allocations):
            if _has_own_address(allocation) and not self._address_is_known(self._view.jobs, allocation):
                try:
                    allocations[index] = await self._client.allocation(allocation.id)
                except NotFound:
                    continue

    def _address_is_known(self, jobs: JobStore, allocation: Allocation) -> bool:
        uid = uid_of(allocation.job_id)
        known = {each.id: each for each in jobs.allocations(uid)} if uid is not None else {}
        return AllocationId(allocation.id) in known and known[allocation.id].modify_index >= allocation.modify_index


class Following:
    """Runs the streams, and more of them as Pods need more Nomad namespaces."""

    def __init__(self, streams: Streams, tasks: asyncio.TaskGroup, make_sink: Callable[[str], NamespaceSink]) -> None:
        self._streams = streams
        self._tasks = tasks
        self._make_sink = make_sink
        self._sinks: dict[str, NamespaceSink] = {}
        self._running: list[asyncio.Task[None]] = []

    def __iter__(self) -> Iterator[NamespaceSink]:
        return iter(self._sinks.values())

    def follow(self, namespace: str) -> NamespaceSink:
        """See to it that a Nomad namespace is followed, and give what is known of that."""
        sink = self._sinks.get(namespace)
        if sink is None:
            sink = self._sinks[namespace] = self._make_sink(namespace)
            stream = self._streams(namespace, ("Allocation", "Evaluation"), sink)
            self._running.append(self._tasks.create_task(stream.run(), name=f"follow Nomad namespace {namespace}"))
        return sink

    def end(self) -> None:
        """Stop following."""
        for task in self._running:
            task.cancel()

    async def resync_slowly(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """List every namespace once more soon after its stream began, and then now and then.

        A job that a list lacked and that has no Pod is missed by nobody; what was collected has no event.
        """
        for look in count(1):
            await sleep(SECOND_LOOK)
            for sink in tuple(self._sinks.values()):
                if sink.looked_again and look % (RESYNC // SECOND_LOOK):
                    continue
                try:
                    await sink.resync()
                    sink.looked_again = True
                except PeerError as error:
                    _log.info("a slow resync failed", namespace=sink.namespace, error=str(error))


async def namespaces_in_use(client: NomadClient, is_ours: Callable[[JobIdentity], bool], pattern: str) -> list[str]:
    """The Nomad namespaces that the pattern can name and that hold jobs of ours."""
    prefix, placeholder, suffix = pattern.partition(PLACEHOLDER)
    if not placeholder:
        return [pattern]
    used = []
    for namespace in await client.namespaces():
        if namespace.startswith(prefix) and namespace.endswith(suffix):
            identities = map(owner_of, await client.jobs(namespace))
            if any(identity is not None and is_ours(identity) for identity in identities):
                used.append(namespace)
    return used


def _has_own_address(allocation: Allocation) -> bool:
    if allocation.is_terminal or allocation.network_status is not None or allocation.allocated_resources is None:
        return False
    return any(network.mode not in {"", "host"} for network in allocation.allocated_resources.shared.networks)
