"""Carries the data of Pods to Nomad and back."""

from collections.abc import Mapping
from typing import Protocol

from translators import variables
from vnode.errors import Conflict
from vnode.nomad.records import HeldVariable
from vnode.pods.actions import Layout


class VariableApi(Protocol):
    """What a courier asks of Nomad."""

    async def get(self, namespace: str, path: str) -> HeldVariable | None:
        """What a path holds; None where there is nothing."""

    async def put(self, namespace: str, path: str, items: Mapping[str, str]) -> None:
        """Write a path, whatever it held."""

    async def create(self, namespace: str, path: str, items: Mapping[str, str], *, index: int = 0) -> None:
        """Write a path that does not exist, or has this index; Conflict when it differs."""

    async def delete(self, namespace: str, path: str) -> None:
        """Remove a path; one that is not there is fine."""

    async def paths(self, namespace: str, prefix: str) -> list[str]:
        """The paths that begin with a prefix."""


class GrantApi(Protocol):
    """Who lets tasks read what lies deeper than they may by themselves."""

    async def allow(self, namespace: str, job: str) -> None:
        """Let the tasks of a job read it."""

    async def forbid(self, job: str) -> None:
        """Take that back; where it was not given there is nothing to do."""


class Courier:
    """Reads, writes and removes the Variables in which the data of a job lies.

    Without `grants` nothing new is laid deeper than tasks can read.
    """

    def __init__(self, nomad: VariableApi, grants: GrantApi | None = None) -> None:
        self._nomad = nomad
        self._grants = grants

    async def write(self, layout: Layout, items: Mapping[str, bytes], *, fresh: bool) -> bool:
        """Write the items; unless nothing is there yet, beside what the job's templates may know besides.

        An item that is not written again would make its file empty, so what vanished from its source stays as it was.
        Writes nothing that is there already. Returns whether the items are the very ones that the job's templates know.
        Raises Conflict when somebody else writes too, or when it became too much.
        """
        own = variables.own_paths(items, layout.job)
        held = {} if fresh else await self._read(layout, own)
        first = next((held[path] for path in held if path not in own and held[path] is not None), None)
        known = variables.known_names(first.items) if first is not None else variables.names(items)
        merged = {**self._unpacked(layout, held), **items}
        try:
            packed = variables.pack(merged, layout.job, layout.tasks, layout.count, known)
        except ValueError as error:
            raise Conflict(f"the data of the Pod grew: {error}") from None
        if self._grants is not None and variables.is_deep(layout.count):
            await self._grants.allow(layout.namespace, layout.job)
        for path, content in packed.items():
            there = held.get(path)
            if fresh:
                await self._nomad.put(layout.namespace, path, content)
            elif there is None or there.items != content:
                index = 0 if there is None else there.modify_index
                await self._nomad.create(layout.namespace, path, content, index=index)
        return known == variables.names(items)

    async def read(self, layout: Layout) -> dict[str, bytes]:
        """The items that are there; none where a write was broken off between two Variables."""
        held = await self._read(layout)
        parts = [each.items for each in held.values() if each is not None]
        return self._unpacked(layout, held) if len(parts) == len(held) and variables.fit(parts) else {}

    async def remove(self, layout: Layout) -> None:
        """Remove all that lies there."""
        [first] = variables.paths(layout.job, (), variables.ONE)
        paths = [first]
        if layout.count != variables.ONE:
            paths = await self._nomad.paths(layout.namespace, first)
        for path in paths:
            await self._nomad.delete(layout.namespace, path)
        if self._grants is not None and variables.is_deep(layout.count):
            await self._grants.forbid(layout.job)

    async def _read(self, layout: Layout, own: tuple[str, ...] = ()) -> dict[str, HeldVariable | None]:
        paths = variables.paths(layout.job, layout.tasks, layout.count)
        return {path: await self._nomad.get(layout.namespace, path) for path in (*paths, *own)}

    def _unpacked(self, layout: Layout, held: Mapping[str, HeldVariable | None]) -> dict[str, bytes]:
        ours = variables.paths(layout.job, layout.tasks[:1], layout.count)
        found = [held.get(path) for path in ours]
        return variables.unpack([variable.items for variable in found if variable is not None])
