"""A small memory of answers that may be believed for a while."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ExpiringCache(Generic[K, V]):
    """Holds at most `size` values, each for `lifetime` seconds of the monotonic `clock`; the oldest go first."""

    def __init__(self, *, lifetime: float, size: int, clock: Callable[[], float]) -> None:
        self._lifetime = lifetime
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

    def put(self, key: K, value: V) -> None:
        """Remember a value from now on."""
        self._entries.pop(key, None)
        self._entries[key] = (self._clock() + self._lifetime, value)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
