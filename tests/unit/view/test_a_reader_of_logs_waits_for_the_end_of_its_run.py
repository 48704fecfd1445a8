import asyncio
from dataclasses import replace

import pytest

from tests.unit.pods.observations import UID, allocation, started
from tests.unit.view.objects import pod, view
from translators.records.allocations import Allocation
from vnode.view.runs import RunWatch
from vnode.view.view import View

RUN = "nomad://a1/app/0@0.0,0.0"


@pytest.fixture
def seen() -> View:
    found = view()
    found.pods.apply(pod(UID))
    found.jobs.apply_allocation(allocation("running", events=(started(),)))
    return found


@pytest.mark.parametrize(
    "ended",
    [
        allocation("complete", state="dead"),
        allocation("pending", state="pending", restarts=1),
        allocation("running", restarts=1),
    ],
    ids=["dead", "waits to be restarted", "restarted"],
)
async def test_the_end_of_the_run_ends_the_wait(seen: View, ended: Allocation) -> None:
    runs = RunWatch(seen)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        reader = tasks.create_task(runs.wait_until_ended(UID, RUN))
        await asyncio.sleep(0)
        runs.wake(UID)
        await asyncio.sleep(0)
        assert not reader.done()
        seen.jobs.apply_allocation(replace(ended, modify_index=99))
        runs.wake(UID)


@pytest.mark.parametrize("unknown", ["", "docker://abc", "nomad://other/app/0", "nomad://a1/other/0"])
async def test_a_run_that_nobody_knows_is_over(seen: View, unknown: str) -> None:
    async with asyncio.timeout(5):
        await RunWatch(seen).wait_until_ended(UID, unknown)
