import asyncio
from contextlib import AsyncExitStack, ExitStack

import pytest

from vnode.nomad.budget import RequestBudget, StreamBudget
from vnode.nomad.errors import TooManyStreams


async def _holds(budget: RequestBudget, *, control: bool) -> bool:
    """Whether another request gets its turn without anybody ending one; gives it back at once."""
    try:
        async with asyncio.timeout(0), budget.request(control=control):
            return True
    except TimeoutError:
        return False


async def _hold(stack: AsyncExitStack, budget: RequestBudget, number: int, *, control: bool = False) -> None:
    for _ in range(number):
        await stack.enter_async_context(budget.request(control=control))


async def test_ordinary_requests_leave_the_reserve_to_control() -> None:
    budget = RequestBudget(total=5, reserved=2)
    async with AsyncExitStack() as held:
        await _hold(held, budget, 3)
        assert not await _holds(budget, control=False)
        await _hold(held, budget, 2, control=True)
        assert not await _holds(budget, control=True)
    assert await _holds(budget, control=False)


async def test_control_goes_first_though_it_came_last() -> None:
    budget = RequestBudget(total=1, reserved=0)
    order: list[str] = []

    async def work(name: str, *, control: bool) -> None:
        async with budget.request(control=control):
            order.append(name)

    async with asyncio.TaskGroup() as group, budget.request(control=False):
        group.create_task(work("ordinary", control=False))
        await asyncio.sleep(0)
        group.create_task(work("control", control=True))
        await asyncio.sleep(0)
    assert order == ["control", "ordinary"]


async def test_a_caller_that_gives_up_waiting_leaves_no_hole() -> None:
    budget = RequestBudget(total=1, reserved=0)
    async with budget.request(control=False):
        waiting = asyncio.create_task(_holds(budget, control=False))
        assert await waiting is False
    assert await _holds(budget, control=False)


async def test_a_turn_that_comes_with_the_cancellation_is_passed_on() -> None:
    budget = RequestBudget(total=1, reserved=0)

    async def wait_for_turn() -> None:
        async with budget.request(control=False):
            pass

    async with budget.request(control=False):
        waiting = asyncio.create_task(wait_for_turn())
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert await _holds(budget, control=False)


def test_one_stream_too_many_is_told_why() -> None:
    budget = StreamBudget(total=2)
    with ExitStack() as held:
        held.enter_context(budget.stream())
        held.enter_context(budget.stream())
        with pytest.raises(TooManyStreams, match="http_max_conns_per_client"), budget.stream():
            pass
    with budget.stream():
        pass
