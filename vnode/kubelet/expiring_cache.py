"""A small memory of answers that may be believed for a while."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ExpiringCache(Generic[K, V]):
    """Holds at most `size` values, each for as long as it is said to; the oldest go first. `clock` is monotonic."""

    def __init__(self, *, size: int, clock: Callable[[], float]) -> None:
        self._size = size
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The value, if it is here and still believed."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        expires, value = entry
        if self._clock() >= expires:
            del self._entries[key]
            return None
        return value

    def put(self, key: K, value: V, lifetime: float) -> None:
        """Remember a value for `lifetime` seconds from now on."""
        self._entries.pop(key, None)
        self._entries[key] = (self._clock() + lifetime, value)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
