"""Ends commands in tasks: one more command in a task, for all whose users have left it meanwhile.

To look at every process of a machine takes a shell seconds where many run. When a hundred users leave at once, a
hundred such looks would keep the machine from everything else, and the last of them would come too late.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from vnode.errors import PeerError
from vnode.nomad.attendant import Attendant, ending
from vnode.nomad.task_place import TaskPlace

#: Endings at a time, in as many tasks: each is a connection, and Nomad allows one address a hundred.
_AT_ONCE = 8
#: Attendants that one ending finds: their tokens travel in a URL.
_LARGEST = 64

#: Runs a command in a task to its end; raises PeerError and TimeoutError.
Run = Callable[[TaskPlace, Sequence[str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Kind:
    place: TaskPlace
    whole: bool


_Waiting = dict[Attendant, asyncio.Future[None]]


class Endings:
    """Gathers those that come while one is under way, by task and kind."""

    def __init__(self, tasks: asyncio.TaskGroup, run: Run) -> None:
        self._tasks = tasks
        self._run = run
        self._waiting: dict[_Kind, _Waiting] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def end(self, place: TaskPlace, attendant: Attendant, *, whole: bool) -> None:
        """Kill all that an attendant has started, `whole` the attendant too. Raises PeerError and TimeoutError."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        kind = _Kind(place, whole)
        if kind not in self._waiting:
            self._waiting[kind] = {}
            self._tasks.create_task(self._work(kind))
        self._waiting[kind][attendant] = done
        await done

    async def _work(self, kind: _Kind) -> None:
        waiting = self._waiting[kind]
        try:
            while waiting:
                async with self._turns:
                    await self._end(kind, _first_of(waiting))
        finally:
            del self._waiting[kind]

    async def _end(self, kind: _Kind, several: _Waiting) -> None:
        error: Exception | None = None
        try:
            await self._run(kind.place, ending(several, whole=kind.whole))
        except (PeerError, TimeoutError) as problem:
            error = problem
        for done in several.values():
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)


def _first_of(waiting: _Waiting) -> _Waiting:
    return {attendant: waiting.pop(attendant) for attendant in tuple(waiting)[:_LARGEST]}
