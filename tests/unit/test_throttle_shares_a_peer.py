"""Who may ask a peer, and how many at once: control first, and fewer once the peer had no room."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from vnode.errors import Busy, Conflict
from vnode.throttle import Throttle


async def _holds(throttle: Throttle, *, control: bool) -> bool:
    """Whether another request gets its turn without anybody ending one; gives it back at once."""
    try:
        async with asyncio.timeout(0), throttle.request(control=control):
            return True
    except TimeoutError:
        return False


async def _hold(stack: AsyncExitStack, throttle: Throttle, number: int, *, control: bool = False) -> None:
    for _ in range(number):
        await stack.enter_async_context(throttle.request(control=control))


async def test_ordinary_requests_leave_the_reserve_to_control() -> None:
    throttle = Throttle(total=5, reserved=2)
    async with AsyncExitStack() as held:
        await _hold(held, throttle, 3)
        assert not await _holds(throttle, control=False)
        await _hold(held, throttle, 2, control=True)
        assert not await _holds(throttle, control=True)
    assert await _holds(throttle, control=False)


async def test_control_goes_first_though_it_came_last() -> None:
    throttle = Throttle(total=1, reserved=0)
    order: list[str] = []

    async def work(name: str, *, control: bool) -> None:
        async with throttle.request(control=control):
            order.append(name)

    async with asyncio.TaskGroup() as group, throttle.request(control=False):
        group.create_task(work("ordinary", control=False))
        await asyncio.sleep(0)
        group.create_task(work("control", control=True))
        await asyncio.sleep(0)
    assert order == ["control", "ordinary"]


async def test_a_caller_that_gives_up_waiting_leaves_no_hole() -> None:
    throttle = Throttle(total=1, reserved=0)
    async with throttle.request(control=False):
        waiting = asyncio.create_task(_holds(throttle, control=False))
        assert await waiting is False
    assert await _holds(throttle, control=False)


async def test_a_turn_that_comes_with_the_cancellation_is_passed_on() -> None:
    throttle = Throttle(total=1, reserved=0)

    async def wait_for_turn() -> None:
        async with throttle.request(control=False):
            pass

    async with throttle.request(control=False):
        waiting = asyncio.create_task(wait_for_turn())
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert await _holds(throttle, control=False)


async def _are_refused(throttle: Throttle, number: int) -> None:
    """So many requests at once, for which the peer has no room."""
    together = asyncio.Event()

    async def refused() -> None:
        with suppress(Busy):
            async with throttle.request():
                await together.wait()
                raise Busy("no room")

    async with asyncio.TaskGroup() as group:
        for _ in range(number):
            group.create_task(refused())
        await asyncio.sleep(0)
        together.set()


async def _room(throttle: Throttle) -> int:
    """How many fit in at once; all of them are answered badly, which widens nothing."""
    async with AsyncExitStack() as held:
        number = 0
        while await _fits(held, throttle):
            number += 1
        return number


async def _fits(held: AsyncExitStack, throttle: Throttle) -> bool:
    try:
        async with asyncio.timeout(0):
            await held.enter_async_context(_unanswered(throttle))
    except TimeoutError:
        return False
    return True


@asynccontextmanager
async def _unanswered(throttle: Throttle) -> AsyncIterator[None]:
    with suppress(Conflict):
        async with throttle.request():
            yield
            raise Conflict("so it was no answer")


async def test_refusals_of_those_who_asked_together_halve_the_room_once() -> None:
    throttle = Throttle(16)
    await _are_refused(throttle, 16)
    assert await _room(throttle) == 8
    await _are_refused(throttle, 8)
    assert await _room(throttle) == 4


async def test_there_is_always_room_for_one() -> None:
    throttle = Throttle(16, reserved=8)
    for _ in range(10):
        await _are_refused(throttle, 1)
    assert await _room(throttle) == 1


async def test_each_round_of_answers_makes_room_for_one_more() -> None:
    throttle = Throttle(16)
    await _are_refused(throttle, 16)
    for _ in range(9):
        async with throttle.request():
            pass
    assert await _room(throttle) == 9
    for _ in range(200):
        async with throttle.request():
            pass
    assert await _room(throttle) == 16


async def test_another_error_says_nothing_of_the_room() -> None:
    throttle = Throttle(4)
    with pytest.raises(Conflict):
        async with throttle.request():
            raise Conflict("somebody else changed it")
    assert await _room(throttle) == 4


async def test_a_lull_begins_when_nothing_is_in_flight() -> None:
    throttle = Throttle(total=2)
    async with asyncio.TaskGroup() as group:
        async with throttle.request():
            async with throttle.request():
                waiting = group.create_task(throttle.lull(within=60.0))
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not waiting.done()
        async with asyncio.timeout(5):
            await waiting


async def test_a_lull_is_not_waited_for_for_ever() -> None:
    throttle = Throttle(total=1)
    async with throttle.request(), asyncio.timeout(5):
        await throttle.lull(within=0.0)
