"""Waiting for the end of a container's run, for whoever reads its log."""

import asyncio
from collections import defaultdict

from translators import container_id
from translators.records.pods import PodUid
from vnode.view.view import View


class RunWatch:
    """Tells when runs end, as the allocation's task states show it; the app wakes it with every changed UID."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._waiting: dict[PodUid, set[asyncio.Event]] = defaultdict(set)

    def wake(self, uid: PodUid) -> None:
        """Something about this Pod changed."""
        for event in self._waiting.get(uid, ()):
            event.set()

    async def wait_until_ended(self, uid: PodUid, identity: str) -> None:
        """Return when the run is known not to run (any more); at once for a run that nobody knows."""
        changed = asyncio.Event()
        self._waiting[uid].add(changed)
        try:
            while self._is_up(uid, identity):
                changed.clear()
                await changed.wait()
        finally:
            self._waiting[uid].discard(changed)
            if not self._waiting[uid]:
                del self._waiting[uid]

    def _is_up(self, uid: PodUid, identity: str) -> bool:
        run = container_id.parse(identity)
        if run is None:
            return False
        for allocation in self._view.jobs.allocations(uid):
            state = allocation.task_states.get(run.task)
            if allocation.id == run.allocation and state is not None:
                return state.state == "running" and state.restarts <= run.run
        return False
