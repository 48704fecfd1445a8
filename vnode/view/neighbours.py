"""What other people's allocations take from our clients: capacity that we must not promise."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from translators.records.allocations import Allocation, AllocationId


@dataclass(frozen=True, slots=True)
class Use:
    """Resources taken on one client: CPU in MHz, memory in MiB."""

    client: str
    mhz: int
    mib: int


class NeighbourStore:
    """Keeps the use of every allocation that is not ours and not over, by namespace.

    `changed` is told when a sum differs. Only namespaces that we follow are seen: a token with rights in few
    namespaces cannot know what runs in others, and Nomad's scheduler has the last word anyway.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._used: dict[AllocationId, Use] = {}
        self._namespaces: dict[AllocationId, str] = {}

    def __iter__(self) -> Iterator[Use]:
        return iter(self._used.values())

    def replace(self, namespace: str, allocations: Iterable[Allocation]) -> None:
        """Take over a complete list of one namespace."""
        for identity in [known for known, where in self._namespaces.items() if where == namespace]:
            self._drop(identity)
        for allocation in allocations:
            self._take(allocation)
        self._changed()

    def apply(self, allocation: Allocation) -> None:
        """Take over one allocation."""
        identity = AllocationId(allocation.id)
        before = self._used.get(identity)
        self._take(allocation)
        if self._used.get(identity) != before:
            self._changed()

    def _take(self, allocation: Allocation) -> None:
        identity = AllocationId(allocation.id)
        if allocation.is_terminal:
            self._drop(identity)
            return
        if allocation.allocated_resources is None:
            return
        tasks = allocation.allocated_resources.tasks.values()
        self._namespaces[identity] = allocation.namespace
        self._used[identity] = Use(
            client=allocation.node_id,
            mhz=sum(task.cpu.cpu_shares for task in tasks),
            mib=sum(task.memory.memory_mb for task in tasks),
        )

    def _drop(self, identity: AllocationId) -> None:
        self._used.pop(identity, None)
        self._namespaces.pop(identity, None)
