"""A flood of changes while the API server is slow: bounded work, bounded memory, and the last status is written."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.unit.pods.observations import NOW, UID, allocation, circumstances, pod, started, terminated
from tests.unit.pods.peers import Script
from tests.unit.pods.test_reconciler_carries_decisions_out import stub
from translators.records.pods import Pod, PodUid
from vnode.metrics import Metrics
from vnode.pods.queue import KeyedQueue
from vnode.pods.reconciler import Reconciler
from vnode.view.view import View

_CHANGES = 500
_WORKERS = 8


class SlowPods:
    """An API server that answers a patch when it is told to."""

    def __init__(self, script: Script) -> None:
        self._pods = script.peers().pods
        self.answers = asyncio.Event()
        self.written: list[Mapping[str, Any]] = []
        self.at_once = 0
        self._running = 0

    async def patch_status(self, namespace: str, name: str, body: Mapping[str, Any]) -> Pod:
        self._running += 1
        self.at_once = max(self.at_once, self._running)
        self.written.append(body["status"])
        await self.answers.wait()
        self._running -= 1
        return await self._pods.patch_status(namespace, name, body)

    async def delete(self, namespace: str, name: str, uid: str, *, grace: int | None) -> None:
        await self._pods.delete(namespace, name, uid, grace=grace)

    async def get(self, namespace: str, name: str) -> Pod | None:
        return await self._pods.get(namespace, name)


async def test_hundreds_of_changes_during_one_slow_patch_are_one_more_patch() -> None:
    script = Script()
    slow = SlowPods(script)
    queue: KeyedQueue[PodUid] = KeyedQueue(lambda: 0.0)
    view = View(cluster="c1", node="nomad", changed=queue.add, capacity_changed=lambda: None, clock=lambda: 0.0)
    reconciler = Reconciler(
        view=view,
        queue=queue,
        peers=replace(script.peers(), pods=slow),
        circumstances=lambda _: circumstances(),
        metrics=Metrics(),
        published=lambda _: None,
        now=lambda: NOW,
        clock=lambda: 0.0,
    )
    one = pod()
    view.pods.apply(one)
    view.jobs.apply_job(stub(one))
    workers = [asyncio.create_task(reconciler.work()) for _ in range(_WORKERS)]
    view.jobs.apply_allocation(replace(allocation("running", events=(started(),)), modify_index=1))
    await _settle()
    for index in range(2, _CHANGES):
        view.jobs.apply_allocation(replace(allocation("running", events=(started(),)), modify_index=index))
    ended = allocation("failed", state="dead", failed=True, events=(started(), terminated(3)))
    view.jobs.apply_allocation(replace(ended, modify_index=_CHANGES))
    await _settle()
    assert (slow.at_once, len(slow.written), len(queue)) == (1, 1, 0)
    slow.answers.set()
    await _settle()
    for worker in workers:
        worker.cancel()
    (container,) = slow.written[-1]["containerStatuses"]
    assert container["state"]["terminated"]["exitCode"] == 3
    assert len(slow.written) <= 3
    assert view.pods.get(UID) is not None


async def _settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)
