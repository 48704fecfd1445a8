"""Waiting until something has stopped to change: counters have no event to wait for."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from tests.bench.errors import MeasurementError

_LOOK_SECONDS = 0.25
T = TypeVar("T")


async def settled(what: str, read: Callable[[], T], *, quiet: float, within: float) -> T:
    """The value of `read` when it has stayed the same for `quiet` seconds."""
    last, since = read(), time.monotonic()
    deadline = since + within
    while time.monotonic() - since < quiet:
        if time.monotonic() > deadline:
            raise MeasurementError(f"{what} did not come to rest for {quiet:g} s within {within:g} s; now {last}")
        await asyncio.sleep(_LOOK_SECONDS)
        if (now := read()) != last:
            last, since = now, time.monotonic()
    return last
