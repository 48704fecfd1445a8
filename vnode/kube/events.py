"""Events: what people read in `kubectl describe`; never worth a wait, and never a flood.

Repetitions raise the count of the Event that is there already; per object 25 in a burst, then one in five minutes (as
client-go's spam filter); everything is bounded, what does not fit is dropped and counted.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
from urllib.parse import quote
from zlib import crc32

import structlog

from vnode.errors import Conflict, NotFound, PeerError, Unavailable
from vnode.kube.api import MERGE_PATCH, Requests, encode

K = TypeVar("K")
V = TypeVar("V")

_log = structlog.get_logger(__name__)

_BURST, _REFILL_SECONDS = 25, 300.0
# Four at a time; Events about the same object keep their order.
_LANES = 4
_ATTEMPTS, _RETRY_SECONDS, _RETRY_LIMIT_SECONDS = 3, 1.0, 10.0
_WITHIN_SECONDS = 10.0
_PATIENCE_SECONDS = 1.0
_COMPONENT = "vnode"
# Validation of Events: a message holds 1024 bytes. A name holds 253 characters, and ours gets 17 more.
_MESSAGE_LIMIT, _NAME_LIMIT = 1024, 230


class Note(Protocol):
    """What happened: `translators.allocation_to_status.EventNote`."""

    @property
    def type(self) -> str:
        """Normal or Warning."""

    @property
    def reason(self) -> str:
        """One UpperCamelCase word."""

    @property
    def message(self) -> str:
        """A sentence."""

    @property
    def field_path(self) -> str:
        """The part of the object, e.g. `spec.containers{web}`; "" for the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regarding:
    """The object that an Event is about; Events about a Node, which has no namespace, live in `default`.

    `host` is the name of the Node that reports.
    """

    kind: str
    name: str
    uid: str
    namespace: str = ""
    resource_version: str = ""
    host: str = ""


class _Key(NamedTuple):
    """Two records with the same key are one Event."""

    uid: str
    type: str
    reason: str
    message: str
    field_path: str


@dataclass(frozen=True, slots=True)
class _Pending:
    """Records of one key that wait to be sent, as one request."""

    key: _Key
    regarding: Regarding
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class _Sent:
    """An Event that the API server holds."""

    namespace: str
    name: str
    count: int


class EventRecorder:
    """Records Events without ever making the caller wait; `run` sends them.

    `now` is the wall clock, `clock` monotonic seconds; `ids` gives a text that is unique among Events of one object,
    at most 16 characters of [a-z0-9]. `lull` waits, at most so many seconds, until nothing else is sent: Events go
    after statuses.
    """

    def __init__(
        self,
        connection: Requests,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        ids: Callable[[], str],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        lull: Callable[[float], Awaitable[None]],
        capacity: int = 4096,
        dropped: Callable[[str, int], None] = lambda _, __: None,
    ) -> None:
        self._connection = connection
        self._now = now
        self._clock = clock
        self._ids = ids
        self._sleep = sleep
        self._lull = lull
        self._lanes = [_Lane(max(1, capacity // _LANES)) for _ in range(_LANES)]
        self._sent: _Recent[_Key, _Sent] = _Recent(capacity)
        self._allowances: _Recent[str, _Allowance] = _Recent(capacity)
        #: How many records were dropped, by why: spam, full, failed.
        self.dropped: Counter[str] = Counter()
        self._tell_dropped = dropped

    @property
    def waiting(self) -> int:
        """How many Events wait to be sent."""
        return sum(map(len, self._lanes))

    def record(self, regarding: Regarding, note: Note) -> None:
        """Note what happened; returns at once."""
        allowance = self._allowances.get(regarding.uid) or _Allowance(self._clock())
        self._allowances.put(regarding.uid, allowance)
        if not allowance.take(self._clock()):
            self._drop("spam")
            return
        message = note.message.encode()[:_MESSAGE_LIMIT].decode(errors="ignore")
        key = _Key(regarding.uid, note.type, note.reason, message, note.field_path)
        now = self._now()
        lane = self._lanes[crc32(regarding.uid.encode()) % _LANES]
        if not lane.put(_Pending(key, regarding, 1, now, now)):
            self._drop("full")

    async def run(self) -> None:
        """Send what is recorded until cancelled; what waits then is lost."""
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                group.create_task(self._work(lane))

    async def _work(self, lane: "_Lane") -> None:
        while True:
            await lane.filled()
            # Both cost the API server the same, and a status is waited for.
            await self._lull(_PATIENCE_SECONDS)
            pending = lane.take()
            try:
                await self._deliver(pending)
            except NotFound:
                # The namespace is going or gone, and the Pod with it: nobody will read this.
                self._drop("failed", pending.count)
            except PeerError as problem:
                self._drop("failed", pending.count)
                level = _log.debug if isinstance(problem, Unavailable) else _log.warning
                level("an Event was dropped", reason=pending.key.reason, problem=str(problem))

    def _drop(self, reason: str, count: int = 1) -> None:
        self.dropped[reason] += count
        self._tell_dropped(reason, count)

    async def _deliver(self, pending: _Pending) -> None:
        name = _event_name(pending.regarding.name, self._ids())
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._send(pending, name)
            except Unavailable as problem:
                if attempt == _ATTEMPTS:
                    raise
                await self._sleep(min(problem.retry_after or attempt * _RETRY_SECONDS, _RETRY_LIMIT_SECONDS))
            else:
                return

    async def _send(self, pending: _Pending, name: str) -> None:
        earlier = self._sent.get(pending.key)
        if earlier is not None:
            try:
                await self._count_up(pending, earlier)
            except NotFound:
                # Events live for an hour by default; a new one goes on with the count.
                self._sent.drop(pending.key)
                pending = replace(pending, count=earlier.count + pending.count)
            else:
                return
        await self._create(pending, name)

    async def _count_up(self, pending: _Pending, earlier: _Sent) -> None:
        sent = replace(earlier, count=earlier.count + pending.count)
        await self._connection.request(
            "PATCH",
            f"{_collection(earlier.namespace)}/{quote(earlier.name, safe='')}",
            body=encode({"count": sent.count, "lastTimestamp": _seconds(pending.last)}),
            content_type=MERGE_PATCH,
            within=_WITHIN_SECONDS,
        )
        self._sent.put(pending.key, sent)

    async def _create(self, pending: _Pending, name: str) -> None:
        namespace = pending.regarding.namespace or "default"
        body = encode(_event(pending, namespace, name, _COMPONENT))
        # Conflict: only an earlier attempt whose answer was lost can have used this name.
        with suppress(Conflict):
            await self._connection.request("POST", _collection(namespace), body=body, within=_WITHIN_SECONDS)
        self._sent.put(pending.key, _Sent(namespace, name, pending.count))


class _Lane:
    """Events of some objects, in order; waiting records of the same key are one."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._pending: OrderedDict[_Key, _Pending] = OrderedDict()
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._pending)

    def put(self, pending: _Pending) -> bool:
        """Add a record; False when there is no room."""
        waiting = self._pending.get(pending.key)
        if waiting is not None:
            self._pending[pending.key] = replace(waiting, count=waiting.count + 1, last=pending.last)
            return True
        if len(self._pending) >= self._capacity:
            return False
        self._pending[pending.key] = pending
        self._filled.set()
        return True

    async def filled(self) -> None:
        """Wait until there is a record."""
        while not self._pending:
            self._filled.clear()
            await self._filled.wait()

    def take(self) -> _Pending:
        """The oldest record; there must be one."""
        return self._pending.popitem(last=False)[1]


class _Allowance:
    """A token bucket: a burst, then a trickle."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, now: float) -> None:
        self._tokens = float(_BURST)
        self._at = now

    def take(self, now: float) -> bool:
        """Take a token if there is one."""
        self._tokens = min(float(_BURST), self._tokens + (now - self._at) / _REFILL_SECONDS)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class _Recent(Generic[K, V]):
    """A map that forgets what was not used for longest."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def drop(self, key: K) -> None:
        self._entries.pop(key, None)


def _event(pending: _Pending, namespace: str, name: str, component: str) -> dict[str, Any]:
    regarding, key = pending.regarding, pending.key
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": name},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": regarding.kind,
            "namespace": regarding.namespace,
            "name": regarding.name,
            "uid": regarding.uid,
            "resourceVersion": regarding.resource_version,
            "fieldPath": key.field_path,
        },
        "type": key.type,
        "reason": key.reason,
        "message": key.message,
        "source": {"component": component, "host": regarding.host},
        "reportingComponent": component,
        "reportingInstance": regarding.host,
        "firstTimestamp": _seconds(pending.first),
        "lastTimestamp": _seconds(pending.last),
        "count": pending.count,
    }


def _event_name(regarding: str, unique: str) -> str:
    return f"{regarding[:_NAME_LIMIT].rstrip('-.')}.{unique}"


def _collection(namespace: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace, safe='')}/events"


def _seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
