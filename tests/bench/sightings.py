"""When each thing was first seen, and waiting until the last one was."""

import asyncio
import time
from collections.abc import Collection

from tests.bench.errors import MeasurementError


class Sightings:
    """First sightings by name, on the monotonic clock in seconds."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.at: dict[str, float] = {}
        self._missing: set[str] = set()
        self._complete = asyncio.Event()

    def see(self, name: str) -> None:
        """Note a sighting; later ones of the same name change nothing."""
        if name in self.at:
            return
        self.at[name] = time.monotonic()
        self._missing.discard(name)
        if not self._missing:
            self._complete.set()

    async def wait(self, names: Collection[str], within: float) -> None:
        """Return when all of `names` were seen; a MeasurementError tells how many were not within so many seconds."""
        self._missing = set(names) - self.at.keys()
        self._complete.clear()
        if not self._missing:
            return
        try:
            async with asyncio.timeout(within):
                await self._complete.wait()
        except TimeoutError:
            left = f"{len(self._missing)} of {len(names)} are not {self.what}, e.g. {min(self._missing)}"
            raise MeasurementError(f"after {within:g} s {left}") from None
