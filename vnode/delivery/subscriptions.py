"""Brings the objects that Pods name, as long as one names them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from translators.records.pods import PodUid
from vnode.delivery.folder import Folder, Tools, WatchBudget
from vnode.kube.api import Watches
from vnode.view.objects import ObjectStore, Place

#: How often it is looked for tokens that are to be renewed, seconds: half of the jitter of their times.
_TICK = 10.0


class Subscriptions:
    """The object store's subscriber: one folder for each kind and namespace of which something is wanted."""

    def __init__(
        self,
        connection: Watches,
        store: ObjectStore,
        tasks: asyncio.TaskGroup,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._tools = Tools(
            connection=connection, store=store, tasks=tasks, clock=clock, random=random, watches=WatchBudget()
        )
        self._folders: dict[tuple[str, str], Folder] = {}

    def wanted(self, place: Place) -> None:
        """Begin to follow an object."""
        home = (place.namespace, place.key.kind)
        if home not in self._folders:
            self._folders[home] = Folder(*home, self._tools)
        self._folders[home].follow(place.key.name)

    def unwanted(self, place: Place) -> None:
        """End following an object."""
        home = (place.namespace, place.key.kind)
        folder = self._folders[home]
        folder.leave(place.key.name)
        if not folder:
            del self._folders[home]

    def end(self) -> None:
        """End following anything."""
        for folder in self._folders.values():
            folder.end()
        self._folders.clear()


async def wake_for_tokens(
    store: ObjectStore,
    wake: Callable[[PodUid], None],
    now: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Have the Pods looked at, for ever, whose tokens are to be renewed."""
    while True:
        await sleep(_TICK)
        for uid in tuple(store.due(now())):
            wake(uid)
