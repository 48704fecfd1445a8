"""Commands are ended together where they are many."""

import asyncio
from collections.abc import Sequence

import pytest

from vnode.errors import PeerError, Unavailable
from vnode.nomad.attendant import Attendant
from vnode.nomad.endings import Endings
from vnode.nomad.task_place import TaskPlace

_HERE, _THERE = TaskPlace("a", "main", "docker"), TaskPlace("b", "main", "docker")


class Tasks:
    """Holds what is run in tasks until `go` is set."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.error: Exception | None = None
        self.ran: list[tuple[TaskPlace, str]] = []
        self.begun = asyncio.Semaphore(0)

    async def run(self, place: TaskPlace, command: Sequence[str]) -> None:
        self.ran.append((place, command[-1]))
        self.begun.release()
        await self.go.wait()
        if self.error is not None:
            raise self.error


def _attendant(number: int) -> Attendant:
    return Attendant(f"{number:032x}")


def _half(number: int) -> str:
    """How an attendant's token ends in a script."""
    return f":{number:016x}"


async def test_those_that_come_meanwhile_are_ended_by_one_command() -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        tasks = Tasks()
        endings = Endings(group, tasks.run)
        ends = [group.create_task(endings.end(_HERE, _attendant(1), whole=False))]
        await tasks.begun.acquire()
        ends += [group.create_task(endings.end(_HERE, _attendant(number), whole=False)) for number in range(2, 50)]
        await asyncio.sleep(0)
        tasks.go.set()
        await asyncio.gather(*ends)
    assert len(tasks.ran) == 2
    assert all(_half(number) in tasks.ran[1][1] for number in range(2, 50))
    assert _half(1) not in tasks.ran[1][1]


async def test_another_task_does_not_wait() -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        tasks = Tasks()
        endings = Endings(group, tasks.run)
        for place in (_HERE, _THERE):
            group.create_task(endings.end(place, _attendant(1), whole=True))
        for _ in range(2):
            await tasks.begun.acquire()
        tasks.go.set()
    assert {place for place, _ in tasks.ran} == {_HERE, _THERE}


@pytest.mark.parametrize("error", [Unavailable("gone"), TimeoutError()])
async def test_whoever_waited_hears_of_a_failure_and_the_next_one_is_tried_anew(error: Exception) -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        tasks = Tasks()
        tasks.error = error
        tasks.go.set()
        endings = Endings(group, tasks.run)
        with pytest.raises((PeerError, TimeoutError)):
            await endings.end(_HERE, _attendant(1), whole=True)
        tasks.error = None
        await endings.end(_HERE, _attendant(1), whole=True)
    assert len(tasks.ran) == 2


async def test_one_that_no_longer_waits_keeps_nobody() -> None:
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        tasks = Tasks()
        endings = Endings(group, tasks.run)
        left = group.create_task(endings.end(_HERE, _attendant(1), whole=True))
        await tasks.begun.acquire()
        left.cancel()
        other = group.create_task(endings.end(_HERE, _attendant(2), whole=True))
        await asyncio.sleep(0)
        tasks.go.set()
        await other
