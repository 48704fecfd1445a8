"""Asking a peer until it answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from vnode.errors import PeerError

_log = structlog.get_logger(__name__)

_FIRST_TRY, _LONGEST_TRY = 0.5, 10.0

T = TypeVar("T")


async def patiently(peer: str, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer: at a start of everything, the other side may come later than we do."""
    delay = _FIRST_TRY
    while True:
        try:
            return await ask()
        except PeerError as error:
            _log.warning("waits for a peer", peer=peer, error=str(error), retry_in=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_TRY)
