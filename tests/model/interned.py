"""Values that states of the model name by a small number, so that a state is a tuple that is hashed at once."""

from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Interned(Generic[Value]):
    """Gives the same number to values with the same key."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._values: list[Value] = []

    def number(self, key: Hashable, value: Value) -> int:
        """The number of a value; of two with the same key the first one is kept."""
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self._values)
            self._values.append(value)
        return found

    def __getitem__(self, number: int) -> Value:
        return self._values[number]

    def __len__(self) -> int:
        return len(self._values)
