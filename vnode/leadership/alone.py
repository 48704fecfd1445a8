"""No election: the one replica leads from its start to its end, and asks nobody."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Alone:
    """A leader without rivals, in the form of `Leadership`."""

    holder = ""

    @asynccontextmanager
    async def held(self, regained: Callable[[], None]) -> AsyncIterator[asyncio.Event]:  # noqa: ARG002 - as Leadership
        """Lead at once, and never lose it."""
        yield asyncio.Event()
