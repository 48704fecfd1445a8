"""Keeping a Node in the API and alive there: its object, its status, its Lease.

A Node that goes silent for 40 s loses its Pods five minutes later, and one whose object is deleted loses them after
40 s: so a deleted Node comes back at once, with its status, then its Lease.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import structlog

from translators.records.nodes import NodeStatus
from vnode.errors import Conflict, NotFound, PeerError
from vnode.kube.api import STRATEGIC_MERGE_PATCH, Watches, decode_as, encode
from vnode.kube.leases import NodeLease
from vnode.kube.reflector import Reflector
from vnode.node.registration import ObservedNode, Wanted, node_body, node_patch, observe
from vnode.node.status import differs, nomad_is_unreachable, status_patch
from vnode.node.virtual_node import VirtualNode

_log = structlog.get_logger(__name__)

_NODES = "/api/v1/nodes"
_BEAT_SECONDS, _JITTER = 10.0, 0.04
_REPORT_SECONDS = 300.0
_FIRST_BACKOFF_SECONDS, _BACKOFF_LIMIT_SECONDS = 0.2, 7.0
_ATTEMPTS = 5
_WITHIN_SECONDS = 10.0


class NodeKeeper:
    """Keeps one virtual Node.

    `describe` gives its status as it should be now, from the time and the status that the API holds (None: no Node
    there); `labels` those labels that follow from Nomad's facts. Both are asked every 10 s and after each `notify`, and
    must be cheap. `now` is the wall clock, `clock` monotonic seconds, `random` gives [0, 1).

    What is written: the Node when it is absent; its labels, annotations and taints when ours differ; its status when
    ours differs, or every 5 minutes; its Lease every 10 s.
    """

    def __init__(
        self,
        connection: Watches,
        node: VirtualNode,
        describe: Callable[[datetime, NodeStatus | None], NodeStatus],
        labels: Callable[[], Mapping[str, str]],
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        random: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connection = connection
        self._node = node
        self._describe = describe
        self._labels = labels
        self._now = now
        self._clock = clock
        self._random = random
        self._sleep = sleep
        self._path = f"{_NODES}/{quote(node.name, safe='')}"
        self._lease = NodeLease(connection, node.name, now)
        self._listed = False
        self._observed: ObservedNode | None = None
        self._settled_uid = ""
        self._deleted_uid = ""
        self._labels_sent: frozenset[str] = frozenset()
        self._status_sent: NodeStatus | None = None
        self._reported_at = clock()
        self._due = asyncio.Event()
        self._beat_due = asyncio.Event()
        self._present = asyncio.Event()
        #: Told the UID of a Node that took the place of one which somebody deleted.
        self.came_back: Callable[[str], None] = lambda _: None
        #: What hinders the `status` and the `lease` now; empty when all is well.
        self.problems: dict[str, PeerError] = {}

    def notify(self) -> None:
        """Something that the Node is described by has changed: look now, not in 10 s."""
        self._due.set()

    async def registered(self) -> str:
        """Wait until the Node is in the API and return its UID."""
        while self._observed is None:
            self._present.clear()
            await self._present.wait()
        return self._observed.uid

    async def run(self) -> None:
        """Keep the Node until cancelled; it stays in the API then, for its Pods stay too."""
        query = {"fieldSelector": f"metadata.name={self._node.name}"}
        reflector = Reflector(self._connection, _NODES, query, observe, self, self._clock, self._random, self._sleep)
        async with asyncio.TaskGroup() as group:
            group.create_task(reflector.run())
            group.create_task(self._tick())
            group.create_task(self._repeat("status", self._due, self.publish))
            group.create_task(self._repeat("lease", self._beat_due, self.beat))

    async def publish(self) -> None:
        """Bring the API to what the Node should be; no request when it is there. Raises the last PeerError."""
        if not self._listed:
            return
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._converge()
            except (Conflict, NotFound):
                if attempt == _ATTEMPTS:
                    raise
                await self._read()
            else:
                return

    async def beat(self) -> None:
        """Renew the Lease, once the Node is there for it to belong to. Raises the last PeerError."""
        if self._observed is not None:
            await self._lease.renew(self._observed.uid)

    def replace(self, objects: list[ObservedNode], /) -> None:
        """From the reflector: our Node, or nothing."""
        self._listed = True
        self._hold(objects[0] if objects else None)
        self._due.set()

    def apply(self, obj: ObservedNode, /) -> None:
        """From the reflector: kept for the next look, so that two writers of one Node cannot drive each other."""
        if self._observed is None or _is_newer(obj, self._observed):
            self._hold(obj)

    def remove(self, obj: ObservedNode, /) -> None:
        """From the reflector: deleted by hand, unless the one that we made since is meant."""
        if self._observed is not None and self._observed.uid == obj.uid:
            _log.warning("the Node was deleted, it comes back", node=self._node.name)
            self._deleted_uid = obj.uid
            self._hold(None)
            self._due.set()

    def _hold(self, observed: ObservedNode | None) -> None:
        if observed is not None and observed.uid == self._deleted_uid:
            # The answer to a write that was applied before the deletion, read after it.
            observed = None
        new = observed is not None and (self._observed is None or self._observed.uid != observed.uid)
        self._observed = observed
        if new:
            self._present.set()
            self._beat_due.set()

    async def _converge(self) -> None:
        desired = self._describe(self._now(), self._observed.status if self._observed is not None else None)
        labels = self._labels()
        if self._observed is None:
            await self._create(desired, labels)
            return
        observed = await self._patch_node(self._observed, desired, labels)
        await self._patch_status(observed, desired)

    async def _create(self, desired: NodeStatus, labels: Mapping[str, str]) -> None:
        wanted = self._wanted(None, desired, labels)
        body = encode(node_body(wanted, desired))
        answer = await self._connection.request("POST", _NODES, body=body, within=_WITHIN_SECONDS)
        deleted, made = self._settled_uid, decode_as("Node", observe, answer)
        self._written(made, labels)
        self._reported(desired)
        _log.info("the Node is registered", node=self._node.name)
        if deleted:
            self.came_back(made.uid)

    async def _patch_node(self, observed: ObservedNode, desired: NodeStatus, labels: Mapping[str, str]) -> ObservedNode:
        body = node_patch(observed, self._wanted(observed, desired, labels))
        if body is not None:
            observed = decode_as("Node", observe, await self._patch(self._path, body))
        self._written(observed, labels)
        return observed

    async def _patch_status(self, observed: ObservedNode, desired: NodeStatus) -> None:
        due = self._clock() - self._reported_at >= _REPORT_SECONDS
        if due or differs(desired, observed.status, self._status_sent):
            body = status_patch(desired, observed.uid, self._status_sent)
            self._hold(decode_as("Node", observe, await self._patch(f"{self._path}/status", body)))
            self._reported(desired)

    async def _patch(self, path: str, body: Mapping[str, Any]) -> bytes:
        return await self._connection.request(
            "PATCH", path, body=encode(body), content_type=STRATEGIC_MERGE_PATCH, within=_WITHIN_SECONDS
        )

    async def _read(self) -> None:
        try:
            answer = await self._connection.request("GET", self._path, within=_WITHIN_SECONDS)
        except NotFound:
            self._hold(None)
        else:
            self._hold(decode_as("Node", observe, answer))

    def _wanted(self, observed: ObservedNode | None, desired: NodeStatus, labels: Mapping[str, str]) -> Wanted:
        return Wanted(
            node=self._node,
            labels=labels,
            retired=self._labels_sent - frozenset(labels),
            unreachable=nomad_is_unreachable(desired),
            settled=observed is not None and observed.uid == self._settled_uid,
        )

    def _written(self, observed: ObservedNode, labels: Mapping[str, str]) -> None:
        self._hold(observed)
        self._settled_uid, self._labels_sent = observed.uid, frozenset(labels)

    def _reported(self, desired: NodeStatus) -> None:
        self._status_sent, self._reported_at = desired, self._clock()

    async def _tick(self) -> None:
        while True:
            await self._sleep(_BEAT_SECONDS * (1 + _JITTER * self._random()))
            self._due.set()
            self._beat_due.set()

    async def _repeat(self, part: str, due: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while True:
            await due.wait()
            due.clear()
            try:
                await work()
            except PeerError as problem:
                self._tell(part, problem)
                await self._sleep(min(_BACKOFF_LIMIT_SECONDS, _FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 10)))
                failures += 1
                due.set()
            else:
                self._tell(part, None)
                failures = 0

    def _tell(self, part: str, problem: PeerError | None) -> None:
        """Log changes only."""
        before = self.problems.pop(part, None)
        if problem is not None:
            self.problems[part] = problem
            if type(problem) is not type(before):
                _log.warning("the Node is not kept", node=self._node.name, part=part, problem=str(problem))
        elif before is not None:
            _log.info("the Node is kept again", node=self._node.name, part=part)


def _is_newer(other: ObservedNode, known: ObservedNode) -> bool:
    """Whether it is newer than what is known: a watch may still bring what was before our own write.

    Resource versions are comparable numbers since Kubernetes 1.35, and were in fact before.
    """
    if known.uid != other.uid or not (known.version.isdigit() and other.version.isdigit()):
        return True
    return int(known.version) < int(other.version)
