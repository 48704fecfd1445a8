"""A reflector: list, then watch, for ever, so that a sink knows what the API server knows.

Protocol: list in pages at one resource version, watch from there with bookmarks, resume from the last version seen
when a watch ends, list again when that version is forgotten (410). A watch on a version that lies in the future (etcd
restored from a backup) and a half-open socket are both silent for ever: after the silence the connection raises
Silent, and we list again. Every failure is followed by one step of a capped, jittered backoff.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Generic, Protocol, TypeVar

import structlog

from vnode.errors import NoAnswer, PeerError, Unavailable
from vnode.kube.answers import status_failure
from vnode.kube.api import Watches, decode_object
from vnode.kube.errors import Gone, Silent

T = TypeVar("T")

_log = structlog.get_logger(__name__)

# The server ends each watch after a random time in between, as with client-go, so that watches spread over servers.
_SHORTEST_WATCH_SECONDS, _LONGEST_WATCH_SECONDS = 300, 600
# A watch that lived as long as this was a good one: the next one may follow at once.
_LASTING_SECONDS = 5.0
_FIRST_BACKOFF_SECONDS, _BACKOFF_LIMIT_SECONDS = 0.5, 30.0
# While nobody answers at all: one attempt costs nobody anything, and what happened meanwhile is waited for.
_SILENT_BACKOFF_LIMIT_SECONDS = 5.0
# A page is parsed in one go, on the event loop: 1 MiB takes some 8 ms.
_PAGE_BYTES = 2**20
_FIRST_PAGE, _LARGEST_PAGE, _SMALLEST_PAGE = 100, 500, 10
# Objects handled between two turns of the event loop.
_CHUNK = 25


class Sink(Protocol[T]):
    """Where a reflector delivers; all three are synchronous and quick, and what they raise ends the reflector."""

    def replace(self, objects: list[T], /) -> None:
        """These are all objects there are: what is known besides was deleted."""

    def apply(self, obj: T, /) -> None:
        """This object was added or changed."""

    def remove(self, obj: T, /) -> None:
        """This object was deleted; it is as it was last."""


class Reflector(Generic[T]):
    """Follows one collection of objects.

    `decode` must take every object that the API can hold: where it raises ValueError nothing is handed on, for a sink
    would take an object left out of a list for a deleted one, and the same is tried again with backoff. `clock` is
    monotonic seconds, `random` gives [0, 1). `told` hears what hinders an attempt, None when all is well.
    """

    def __init__(  # noqa: PLR0913 - what following takes
        self,
        connection: Watches,
        path: str,
        query: Mapping[str, str],
        decode: Callable[[Mapping[str, Any]], T],
        sink: Sink[T],
        clock: Callable[[], float],
        random: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        told: Callable[[PeerError | ValueError | None], None] = lambda _: None,
    ) -> None:
        self._connection = connection
        self._told = told
        self._path = path
        self._query = query
        self._decode = decode
        self._sink = sink
        self._clock = clock
        self._random = random
        self._sleep = sleep
        self._version = ""
        self._heard = False
        self._page = _FIRST_PAGE
        self._cut_off = False
        self.problem: PeerError | ValueError | None = None

    async def run(self) -> None:
        """Follow until cancelled; `problem` is what hinders it now, None when all is well."""
        failures = 0
        while True:
            watching, began, self._heard = bool(self._version), self._clock(), False
            before, problem = self.problem, await self._attempt()
            self._tell(problem)
            self._told(problem)
            if problem is None and not watching:
                continue
            lasting = watching and self._clock() - began >= _LASTING_SECONDS
            # A 410 after an outage is the API server's first word after its restart: no reason to wait on.
            back = isinstance(before, Unavailable) and isinstance(problem, Gone)
            if lasting or self._heard or back:
                failures = 0
            if problem is None and lasting:
                continue
            await self._sleep(self._backoff(failures, problem))
            failures += 1

    async def _attempt(self) -> PeerError | ValueError | None:
        """List when there is no version to watch from, else watch."""
        try:
            if self._version and self._cut_off:
                await self._compare_versions()
            if self._version:
                await self._watch()
            else:
                await self._list()
        except (Gone, Silent) as problem:
            self._version = ""
            return problem
        except NoAnswer as problem:
            self._cut_off = True
            return problem
        except (PeerError, ValueError) as problem:
            return problem
        return None

    async def _compare_versions(self) -> None:
        """Who was away may come back with an older etcd, and would let us wait for the future without a word."""
        query = {**self._query, "limit": "1"}
        answer = decode_object(await self._connection.request("GET", self._path, query=query))
        newest = str((answer.get("metadata") or {}).get("resourceVersion") or "")
        self._cut_off = False
        if newest.isdigit() and self._version.isdigit() and int(newest) < int(self._version):
            _log.warning("the API server went back in time", path=self._path, before=self._version, now=newest)
            self._version = ""

    async def _list(self) -> None:
        objects: list[T] = []
        query = dict(self._query)
        while True:
            query["limit"] = str(self._page)
            body = await self._connection.request("GET", self._path, query=query)
            page = decode_object(body)
            items = self._items(page)
            self._fit_page(len(body), len(items))
            await self._decode_into(objects, items)
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                break
            query["continue"] = metadata["continue"]
        version = str(metadata.get("resourceVersion") or "")
        if not version:
            raise Unavailable(f"the list of {self._path} has no resourceVersion")
        self._sink.replace(objects)
        self._version, self._cut_off = version, False

    def _items(self, page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The objects of a page; an empty one may be null (Go), but what has none at all is no list."""
        items = page.get("items", "missing")
        if items is None:
            return []
        if not isinstance(items, list) or not isinstance(page.get("metadata") or {}, dict):
            raise Unavailable(f"the answer is not a list of {self._path}")
        return items

    async def _decode_into(self, objects: list[T], items: list[Mapping[str, Any]]) -> None:
        for start in range(0, len(items), _CHUNK):
            objects.extend(self._decoded(item) for item in items[start : start + _CHUNK])
            await asyncio.sleep(0)

    def _fit_page(self, size: int, count: int) -> None:
        if count:
            self._page = max(_SMALLEST_PAGE, min(_LARGEST_PAGE, _PAGE_BYTES * count // size))

    async def _watch(self) -> None:
        span = _LONGEST_WATCH_SECONDS - _SHORTEST_WATCH_SECONDS
        query = {
            **self._query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(_SHORTEST_WATCH_SECONDS + int(span * self._random())),
        }
        handled = 0
        async with aclosing(self._connection.watch(self._path, query)) as lines:
            async for line in lines:
                self._handle(decode_object(line))
                handled += 1
                if handled % _CHUNK == 0:
                    await asyncio.sleep(0)

    def _handle(self, event: Mapping[str, Any]) -> None:
        kind, obj = event.get("type"), event.get("object")
        if not isinstance(obj, dict):
            raise Unavailable(f"WATCH {self._path}: a line is not a watch event")
        if kind == "ERROR":
            # As client-go: whatever it is, watching on from the same version would meet it again.
            self._version = ""
            raise status_failure(f"WATCH {self._path}", obj)
        version = self._next_version(obj)
        if kind in ("ADDED", "MODIFIED"):
            self._sink.apply(self._decoded(obj))
        elif kind == "DELETED":
            self._sink.remove(self._decoded(obj))
        elif kind != "BOOKMARK":
            raise Unavailable(f"WATCH {self._path}: a line is not a watch event")
        self._version = version
        self._heard = True
        if self.problem is not None:
            self._tell(None)
            self._told(None)

    def _next_version(self, obj: Mapping[str, Any]) -> str:
        """The version that an event brings us to; one that leads backwards is not to be believed, and we list again.

        An event that comes late would bring a Pod back that was deleted. Versions are comparable numbers since
        Kubernetes 1.35, and were in fact before.
        """
        try:
            version = str(obj["metadata"]["resourceVersion"])
        except (LookupError, TypeError):
            raise Unavailable(f"WATCH {self._path}: a line is not a watch event") from None
        if version.isdigit() and self._version.isdigit() and int(version) < int(self._version):
            before, self._version = self._version, ""
            raise Unavailable(f"WATCH {self._path}: an event of version {version} came after one of {before}")
        return version

    def _decoded(self, obj: Mapping[str, Any]) -> T:
        try:
            return self._decode(obj)
        except (LookupError, TypeError, AttributeError) as problem:
            raise ValueError(f"an object of {self._path} is not understood") from problem

    def _backoff(self, failures: int, problem: PeerError | ValueError | None) -> float:
        longest = _SILENT_BACKOFF_LIMIT_SECONDS if isinstance(problem, NoAnswer) else _BACKOFF_LIMIT_SECONDS
        limit = min(longest, _FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 10))
        wish = problem.retry_after if isinstance(problem, Unavailable) else None
        return max(limit * (0.5 + 0.5 * self._random()), min(wish or 0.0, _BACKOFF_LIMIT_SECONDS))

    def _tell(self, problem: PeerError | ValueError | None) -> None:
        """Log changes only: an outage of hours is two lines."""
        if isinstance(problem, PeerError):
            if type(problem) is not type(self.problem):
                _log.warning("following stopped, it will be resumed", path=self._path, problem=str(problem))
        elif problem is not None and self.problem is None:
            _log.error("an object cannot be decoded", path=self._path, exc_info=problem)
        elif problem is None and self.problem is not None:
            _log.info("following goes on", path=self._path)
        self.problem = problem
