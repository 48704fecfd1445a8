"""Waiting until something has stopped to change: counters have no event to wait for."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from tests.bench import requests
from tests.bench.errors import MeasurementError
from tests.bench.recorder import Recorder
from tests.bench.site import QUIET_SECONDS, REST_SECONDS, Site

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


async def at_rest(site: Site, recorder: Recorder) -> None:
    """Wait until vnode, which talks to Nomad through the recorder, makes no more requests for Pods."""
    began = site.audit.position()
    await settled(
        "vnode's requests",
        lambda: requests.foreground(site.audit.since(began)) + requests.foreground(recorder.requests),
        quiet=QUIET_SECONDS,
        within=REST_SECONDS,
    )
