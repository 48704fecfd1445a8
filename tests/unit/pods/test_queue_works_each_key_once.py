import asyncio

from vnode.pods.queue import FIRST_DELAY, LONGEST_DELAY, KeyedQueue


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def queue(clock: Clock | None = None) -> KeyedQueue[str]:
    return KeyedQueue(clock or Clock())


async def test_keys_come_in_the_order_they_were_added() -> None:
    keys = queue()
    keys.add("a")
    keys.add("b")
    assert [await keys.get(), await keys.get()] == ["a", "b"]


async def test_a_key_added_twice_is_worked_once() -> None:
    keys = queue()
    keys.add("a")
    keys.add("a")
    await keys.get()
    assert len(keys) == 0


async def test_a_key_is_never_worked_by_two_rounds() -> None:
    keys = queue()
    keys.add("a")
    await keys.get()
    keys.add("a")
    assert len(keys) == 0


async def test_a_key_that_changed_during_its_round_is_worked_again() -> None:
    keys = queue()
    keys.add("a")
    await keys.get()
    keys.add("a")
    keys.done("a")
    assert await keys.get() == "a"


async def test_a_key_that_did_not_change_is_not_worked_again() -> None:
    keys = queue()
    keys.add("a")
    await keys.get()
    keys.done("a")
    assert len(keys) == 0


async def test_a_later_key_waits_for_its_time() -> None:
    clock = Clock()
    keys = queue(clock)
    keys.add_after("later", 10)
    keys.add_after("sooner", 5)
    clock.now += 5
    assert await keys.get() == "sooner"
    clock.now += 5
    assert await keys.get() == "later"


async def test_of_two_wishes_for_a_key_the_earlier_counts() -> None:
    clock = Clock()
    keys = queue(clock)
    keys.add_after("a", 10)
    keys.add_after("a", 2)
    clock.now += 2
    assert await keys.get() == "a"
    keys.done("a")
    clock.now += 20
    keys.add("other")
    assert await keys.get() == "other"
    assert len(keys) == 0


async def test_a_wish_that_was_withdrawn_does_not_come_back() -> None:
    clock = Clock()
    keys = queue(clock)
    keys.add_after("a", 2)
    assert keys.due == 1
    keys.forget_due("a")
    clock.now += 5
    keys.add("other")
    assert [await keys.get(), len(keys), keys.due] == ["other", 0, 0]


async def test_failures_wait_longer_each_time_up_to_a_bound() -> None:
    keys = queue()
    delays = [keys.failed("a") for _ in range(14)]
    assert delays[:3] == [FIRST_DELAY, FIRST_DELAY * 2, FIRST_DELAY * 4]
    assert delays[-1] == LONGEST_DELAY


async def test_success_forgets_the_failures() -> None:
    keys = queue()
    keys.failed("a")
    keys.failed("a")
    keys.succeeded("a")
    assert keys.failed("a") == FIRST_DELAY


async def test_the_peer_may_ask_for_a_longer_wait() -> None:
    assert queue().failed("a", at_least=30) == 30


async def test_a_waiting_worker_wakes_for_a_new_key() -> None:
    keys = queue()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        worker = tasks.create_task(keys.get())
        await asyncio.sleep(0)
        keys.add("a")
    assert worker.result() == "a"


async def test_every_waiting_worker_wakes_when_several_keys_arrive() -> None:
    keys = queue()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        workers = [tasks.create_task(keys.get()) for _ in range(3)]
        await asyncio.sleep(0)
        for key in "abc":
            keys.add(key)
    assert {worker.result() for worker in workers} == {"a", "b", "c"}


async def test_the_peer_may_not_ask_for_a_wait_without_end() -> None:
    assert queue().failed("a", at_least=86400) == LONGEST_DELAY
