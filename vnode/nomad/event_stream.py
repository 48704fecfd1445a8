"""Nomad's event stream of one namespace, without gaps.

A stream says nothing about what it missed: an index that its server has forgotten starts at the oldest event it
still has. So every connection begins with a list, in this order: open the stream, wait for its first `{}`, let the
sink list, then apply what arrived meanwhile and is newer. What is told twice is told apart by `modify_index`.
Source: command/agent/event_endpoint.go.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Protocol, TypeVar

from translators.records.allocations import Allocation, Client, Evaluation
from vnode.errors import Denied, NoAnswer, PeerError, Unavailable
from vnode.nomad.events import NotAnEvent, Topic, decode, is_about_allocations, is_heartbeat
from vnode.nomad.lines import LineSplitter, LineTooLong
from vnode.nomad.transport import Transport

E = TypeVar("E", bound=BaseException)

#: Seconds; a heartbeat comes every 30, the first one at once.
SILENCE = 60.0
PATIENCE = 10.0
#: Between two looks at what a stream does not say: that our token has expired, that the server was left for another.
LOOK = 60.0
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0
#: While nobody answers at all: one attempt costs nobody anything, and whoever waits for Nomad waits for this.
_LONGEST_SILENT_DELAY = 5.0

#: Bytes of lines that may wait for the sink's list, and lines applied before others get a turn.
BACKLOG = 64 * 1024 * 1024
_AT_ONCE = 50

#: Index 0, or none, would replay the server's memory from its oldest event; one beyond all begins with the newest.
#: An old event of an allocation that was purged since would bring it back, and nothing would take it away.
_NO_REPLAY = str(2**62)

_LISTS = {"Allocation": "/v1/allocations", "Evaluation": "/v1/evaluations", "Node": "/v1/nodes"}


class EventSink(Protocol):
    """Who is told. Records may repeat or be older than what a list showed: `modify_index` decides.

    `read_at` is the monotonic time at which the line was read, in seconds.
    """

    async def resync(self) -> None:
        """List everything, consistently, and replace what is known; a PeerError ends the connection."""

    def allocation(self, allocation: Allocation, read_at: float) -> None:
        """An allocation is like this now."""

    def evaluation(self, evaluation: Evaluation, read_at: float) -> None:
        """An evaluation is like this now."""

    def client(self, client: Client, read_at: float) -> None:
        """A client is like this now."""

    def connected(self) -> None:
        """The list and everything after it is applied: what the sink knows is true."""

    def disconnected(self, error: PeerError) -> None:
        """The stream is broken or could not be opened; it is tried again, as long as it takes."""

    def denied(self, error: Denied) -> None:
        """As `disconnected`, because our rights do not suffice."""


class EventStream:
    """Follows `topics` of one namespace for as long as `run` runs.

    `now` is a monotonic clock in seconds, `random` gives numbers from 0 to 1. One that `looks` asks for a list of one
    object once a minute: Nomad judges a token when a stream begins, and keeps it open when the token has expired.
    """

    def __init__(  # noqa: PLR0913 - clock, sleep and chance are its own
        self,
        transport: Transport,
        namespace: str,
        topics: Sequence[Topic],
        sink: EventSink,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        random: Callable[[], float],
        region: str = "",
        looks: bool = False,
    ) -> None:
        self._looks = looks
        self._transport = transport
        self._query = {"namespace": namespace, "region": region}
        self._topics = tuple(topics)
        self._sink = sink
        self._now = now
        self._sleep = sleep
        self._random = random

    async def run(self) -> None:
        """Connect, follow, reconnect; never returns. An error that is no PeerError is a bug and comes out."""
        failures = 0
        while True:
            began = self._now()
            error = await self._connection()
            failures = 1 if self._now() - began > _LONGEST_DELAY else failures + 1
            if isinstance(error, Denied):
                self._sink.denied(error)
            else:
                self._sink.disconnected(error)
            longest = _LONGEST_SILENT_DELAY if isinstance(error, NoAnswer) else _LONGEST_DELAY
            delay: float = min(_FIRST_DELAY * 2 ** min(failures - 1, 10), longest)
            await self._sleep(delay * (0.5 + self._random() / 2))

    async def _connection(self) -> PeerError:
        """Follow one connection; why it ended."""
        try:
            await self._follow()
        except* TimeoutError:
            error = await self._why_it_never_began()
        except* PeerError as errors:
            error = _first(errors)
        except* (NotAnEvent, LineTooLong) as errors:
            error = Unavailable(str(_first(errors)))
        return error

    async def _follow(self) -> None:
        query = {**self._query, "topic": self._topics, "index": _NO_REPLAY}
        async with (
            asyncio.timeout(PATIENCE) as beginning,
            self._transport.stream("/v1/event/stream", query, silence=SILENCE) as stream,
            aclosing(stream.chunks()) as chunks,
            asyncio.TaskGroup() as group,
        ):
            splitter, applier, catching_up = LineSplitter(), _Applier(self._sink), None
            async for chunk in chunks:
                read_at = self._now()
                for line in splitter.feed(chunk):
                    if not (is_heartbeat(line) or is_about_allocations(line)):
                        applier.take(line, read_at)
                    elif not catching_up:
                        beginning.reschedule(None)
                        catching_up = group.create_task(self._catch_up(applier))
                        if self._looks:
                            group.create_task(self._look(stream.address))
                if stream.address != self._transport.address:
                    raise Unavailable(f"Nomad at {stream.address} was left for {self._transport.address}")
            if not catching_up:
                raise TimeoutError
            raise Unavailable(f"Nomad at {stream.address} ended its event stream")

    async def _catch_up(self, applier: "_Applier") -> None:
        """List what is, then apply what happened since: nothing of what the list reflects is applied again."""
        path = _LISTS["Allocation"]
        reflected = await self._transport.request("GET", path, {**self._query, "per_page": "1", "task_states": "false"})
        await self._sink.resync()
        await applier.start(behind=reflected.index)
        self._sink.connected()

    async def _look(self, address: str) -> None:
        path = _LISTS[self._topics[0]]
        while True:
            await self._sleep(LOOK)
            # Whatever else is wrong shows at the stream itself.
            with suppress(Unavailable):
                await self._transport.request("GET", path, {**self._query, "per_page": "1"})
            if self._transport.address != address:
                raise Unavailable(f"Nomad at {address} was left for {self._transport.address}")

    async def _why_it_never_began(self) -> PeerError:
        """Since 1.11.2 a refusal is silence, or an end without a word; lists of the same things say why."""
        try:
            for topic in self._topics:
                await self._transport.request("GET", _LISTS[topic], {**self._query, "per_page": "1"})
        except PeerError as refusal:
            return refusal
        return Unavailable(f"Nomad at {self._transport.address} did not begin its event stream")


class _Applier:
    """Hands lines to the sink, in order; until `start` they wait, as bytes, within a bound."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._size = 0
        self._behind: int | None = None
        self._newest = 0

    def take(self, line: bytes, read_at: float) -> None:
        """Apply the line now or, before the list is there, later; raises Unavailable beyond the bound."""
        if self._behind is not None and not self._waiting:
            self._apply(line, read_at, self._behind)
            return
        self._waiting.append((line, read_at))
        self._size += len(line)
        if self._size > BACKLOG:
            raise Unavailable(f"more than {BACKLOG} bytes of Nomad's events arrived before its list did")

    async def start(self, behind: int) -> None:
        """Apply what waits, and from now on at once; lines up to the index `behind` are dropped, the list has them."""
        self._behind = behind
        for turn in itertools.count(1):
            if not self._waiting:
                return
            line, read_at = self._waiting[0]
            self._apply(line, read_at, behind)
            self._waiting.popleft()
            self._size -= len(line)
            if turn % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _apply(self, line: bytes, read_at: float, behind: int) -> None:
        index, changed = decode(line)
        if index < self._newest:
            # A server that was restored, or lines out of order: only a list tells what is true.
            raise Unavailable(f"Nomad's event stream went back from index {self._newest} to {index}")
        self._newest = index
        if index <= behind:
            return
        for record in changed:
            match record:
                case Allocation():
                    self._sink.allocation(record, read_at)
                case Evaluation():
                    self._sink.evaluation(record, read_at)
                case Client():
                    self._sink.client(record, read_at)


def _first(errors: BaseExceptionGroup[E]) -> E:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
