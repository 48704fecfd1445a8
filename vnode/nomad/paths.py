"""Waiting for a path to a client.

Nomad's servers reach a client over the connection that it keeps to one of them. When that server goes, the client is
back within some 16 s (client/client.go: registerRetryIntv and getAllocRetryIntv, with their stagger); what is asked of
the client until then is refused before it gets there, so it may be asked again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from vnode.nomad.errors import NoPath

T = TypeVar("T")
Pause = Callable[[float], Awaitable[object]]

#: Seconds between attempts, 20 in all.
_PAUSES = (0.25, 0.5, 1.0, 1.5, 1.75, *(2.5,) * 6)


async def with_path(ask: Callable[[], Awaitable[T]], pause: Pause = asyncio.sleep) -> T:
    """The answer of a client, asked again while no server can reach it; raises NoPath when that lasts."""
    for seconds in _PAUSES:
        try:
            return await ask()
        except NoPath:
            await pause(seconds)
    return await ask()
