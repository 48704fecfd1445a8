"""Follows the objects of one kind in one namespace that Pods name: each by its own watch, or all by one.

Many single watches are dearer than one that brings more than is wanted, few are not; and nobody need let us see all
Secrets of a namespace. What goes beyond the bound on watches is read once a minute.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from translators.material import DataObject
from vnode.delivery.sources import Named, Source, key, source
from vnode.errors import Denied, PeerError
from vnode.kube.api import Watches, decode_object
from vnode.kube.reflector import Reflector
from vnode.view.objects import Place

_log = structlog.get_logger(__name__)

#: As many objects of a kind and namespace have a watch each.
FEW = 8
#: As many watches of single objects there are in all.
MOST_WATCHES = 200
_REREAD_SECONDS = 60.0


class Store(Protocol):
    """Where objects go."""

    def put(self, place: Place, found: DataObject | None) -> None:
        """An object as it is now, or None."""

    def deny(self, place: Place, why: str) -> None:
        """An object may not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What following takes."""

    connection: Watches
    store: Store
    tasks: asyncio.TaskGroup
    clock: Callable[[], float]
    random: Callable[[], float]
    watches: "WatchBudget"


class WatchBudget:
    """Counts the watches of single objects."""

    def __init__(self, most: int = MOST_WATCHES) -> None:
        self._left = most

    def take(self) -> bool:
        """Take one if there is one left."""
        if not self._left:
            return False
        self._left -= 1
        return True

    def give(self) -> None:
        """Give one back."""
        self._left += 1


class Folder:
    """The objects of one kind in one namespace."""

    def __init__(self, namespace: str, kind: str, tools: Tools) -> None:
        self._namespace = namespace
        self._kind = kind
        self._tools = tools
        self._source: Source = source(namespace, kind)
        self._names: set[str] = set()
        self._single: dict[str, asyncio.Task[None]] = {}
        self._whole: asyncio.Task[None] | None = None
        self._may_list = True
        #: All objects of the namespace, as long as all are followed.
        self._all: dict[str, DataObject] | None = None

    def __len__(self) -> int:
        return len(self._names)

    def follow(self, name: str) -> None:
        """Begin to follow an object."""
        self._names.add(name)
        if self._all is not None:
            self._put(name, self._all.get(name))
        elif self._whole is None:
            if len(self._names) > FEW and self._may_list:
                self._whole = self._tools.tasks.create_task(self._reflector({}, _All(self)).run())
            else:
                self._follow_single(name)

    def leave(self, name: str) -> None:
        """End following an object."""
        self._names.discard(name)
        if (task := self._single.pop(name, None)) is not None:
            task.cancel()
        if not self._names and self._whole is not None:
            self._leave_all()

    def end(self) -> None:
        """End following anything."""
        for name in tuple(self._names):
            self.leave(name)

    def all_there(self, found: Mapping[str, DataObject]) -> None:
        """All objects are known: single watches have become needless."""
        self._all = dict(found)
        for task in self._single.values():
            task.cancel()
        self._single.clear()
        for name in self._names:
            self._put(name, self._all.get(name))

    def changed(self, name: str, found: DataObject | None) -> None:
        """One of all objects changed."""
        if self._all is None:
            return
        if found is None:
            self._all.pop(name, None)
        else:
            self._all[name] = found
        if name in self._names:
            self._put(name, found)

    def not_all(self) -> None:
        """We may not follow all of them: each by itself, then."""
        self._may_list = False
        self._leave_all()
        for name in self._names - set(self._single):
            self._follow_single(name)

    def deny(self, name: str, error: Denied) -> None:
        """We may not read one of them."""
        resource = self._source.resource
        why = (
            f"vnode may not read {resource} in namespace {self._namespace}; an administrator binds the ClusterRole "
            f"vnode-workloads there ({error})"
        )
        self._tools.store.deny(Place(self._namespace, key(self._kind, name)), why)

    def _leave_all(self) -> None:
        self._all = None
        if self._whole is not None:
            self._whole.cancel()
            self._whole = None

    def _put(self, name: str, found: DataObject | None) -> None:
        self._tools.store.put(Place(self._namespace, key(self._kind, name)), found)

    def _follow_single(self, name: str) -> None:
        self._single[name] = self._tools.tasks.create_task(self._one(name))

    async def _one(self, name: str) -> None:
        if not self._tools.watches.take():
            await self._reread(name)
            return
        try:
            query = {"fieldSelector": f"metadata.name={name}"}
            await self._reflector(query, _One(self, name)).run()
        finally:
            self._tools.watches.give()

    async def _reread(self, name: str) -> None:
        while True:
            try:
                # A list of one takes no right beside those of a watch.
                query = {"fieldSelector": f"metadata.name={name}"}
                body = await self._tools.connection.request("GET", self._source.path, query=query)
                items = decode_object(body).get("items") or ()
                self._put(name, next((self._source.decode(item).found for item in items), None))
            except Denied as error:
                self.deny(name, error)
            except (PeerError, ValueError) as error:
                _log.warning(
                    "an object cannot be read, it will be tried again", path=self._source.path, problem=str(error)
                )
            await asyncio.sleep(_REREAD_SECONDS)

    def _reflector(self, query: Mapping[str, str], sink: "_One | _All") -> Reflector[Named]:
        tools = self._tools
        return Reflector(
            tools.connection, self._source.path, query, self._source.decode, sink, tools.clock, tools.random,
            told=sink.told,
        )  # fmt: skip

    def put_one(self, name: str, found: DataObject | None) -> None:
        """One object, followed by itself, as it is now."""
        self._put(name, found)


class _One:
    """The sink of a watch of one object."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._name = name

    def replace(self, objects: list[Named]) -> None:
        self._folder.put_one(self._name, objects[0].found if objects else None)

    def apply(self, obj: Named) -> None:
        self._folder.put_one(self._name, obj.found)

    def remove(self, _obj: Named) -> None:
        self._folder.put_one(self._name, None)

    def told(self, problem: PeerError | ValueError | None) -> None:
        if isinstance(problem, Denied):
            self._folder.deny(self._name, problem)


class _All:
    """The sink of a watch of a whole namespace."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def replace(self, objects: list[Named]) -> None:
        self._folder.all_there({each.name: each.found for each in objects})

    def apply(self, obj: Named) -> None:
        self._folder.changed(obj.name, obj.found)

    def remove(self, obj: Named) -> None:
        self._folder.changed(obj.name, None)

    def told(self, problem: PeerError | ValueError | None) -> None:
        if isinstance(problem, Denied):
            self._folder.not_all()
