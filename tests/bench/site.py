"""The bed with everything that a measurement needs at hand, and a way back to an empty one."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from tests.bench import kubernetes, nomad
from tests.bench.burst import send_all
from tests.bench.errors import MeasurementError
from tests.bench.kubernetes import Kubernetes
from tests.bench.nomad import Nomad
from tests.bench.requests import AuditTrail
from tests.bench.workload import NODE
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.vnode_process import VnodeProcess

_CLEAR_SECONDS = 120
#: The pool that vnode uses unless told otherwise.
_POOL = "default"
_LOOK_SECONDS = 0.5
_WATCH_SECONDS = 1.0
#: Seconds without a request for any Pod after which a phase has come to rest.
QUIET_SECONDS = 3.0
REST_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured, and how much of it. `within` bounds each wait for the last of all Pods, in seconds."""

    pods: int
    repeat: int
    only: frozenset[str]
    concurrency: int
    rate: float
    rate_seconds: float
    idle_seconds: float
    sample: int
    shared: int
    within: float


class Vnode:
    """A running vnode whose unexpected end is noticed at once, and not when a deadline passes."""

    def __init__(self, process: VnodeProcess) -> None:
        self.process = process
        self._stopped = False

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.child.pid

    async def watch(self) -> None:
        """Raise when it has ended by itself."""
        while True:
            if not self._stopped:
                self.process.child.must_live()
            await asyncio.sleep(_WATCH_SECONDS)

    async def stop(self) -> None:
        """End it in order."""
        self._stopped = True
        await asyncio.to_thread(self.process.stop)

    async def start(self) -> None:
        """Start it again, until its Node is Ready."""
        await asyncio.to_thread(self.process.start)
        self._stopped = False


@dataclass(frozen=True)
class Site:
    """Where it is measured."""

    bed: Bed
    kubernetes: Kubernetes
    nomad: Nomad
    audit: AuditTrail
    plan: Plan
    say: Callable[[str], None]

    @asynccontextmanager
    async def vnode(self, nomad_address: str | None = None) -> AsyncIterator["Vnode"]:
        """A vnode of its own, which talks to Nomad at another address if one is given; its death ends the block."""
        most = max(self.plan.pods, self.plan.sample, self.plan.shared)
        context = self.bed.vnode(f"--max-pods={most}", node_name=NODE)
        real = self.bed.nomad.address
        # A flag would add an address to the real one, which comes first.
        self.bed.nomad.address = nomad_address or real
        try:
            vnode = await asyncio.to_thread(context.__enter__)
        finally:
            self.bed.nomad.address = real
        watched = Vnode(vnode)
        try:
            async with asyncio.TaskGroup() as tasks:
                watcher = tasks.create_task(watched.watch())
                yield watched
                watcher.cancel()
        finally:
            await asyncio.to_thread(context.__exit__, None, None, None)

    async def clear(self) -> None:
        """Remove all Pods and jobs, and what Nomad remembers of them; no vnode runs meanwhile."""
        pods = await self.kubernetes.names()
        await send_all({name: partial(self.kubernetes.delete, name, 0) for name in pods}, self.plan.concurrency)
        jobs = await self.nomad.job_ids()
        await send_all({job: partial(self.nomad.stop, job) for job in jobs}, self.plan.concurrency)
        await _zero("allocations that have not ended", self.nomad.live_allocations)
        await send_all({job: partial(self.nomad.stop, job, purge=True) for job in jobs}, self.plan.concurrency)
        await self.nomad.collect_garbage()
        await _zero("allocations that Nomad remembers", self.nomad.allocations)


@asynccontextmanager
async def open_site(bed: Bed, plan: Plan, say: Callable[[str], None]) -> AsyncIterator[Site]:
    """Connect to both sides of a running bed, and end the clients that get no Pods.

    A client reads the host's table of mounts whenever it looks at its disks, and all clients of the bed share one host
    with the mounts of all tasks: idle clients took a fifth of all clients' CPU.
    """
    for client in bed.nomad.clients.values():
        if client.pool != _POOL:
            await asyncio.to_thread(client.stop)
    async with kubernetes.connect(bed) as pods, nomad.connect(bed) as jobs:
        yield Site(bed, pods, jobs, AuditTrail(bed.audit_log), plan, say)


async def _zero(what: str, count: Callable[[], Awaitable[int]]) -> None:
    deadline = time.monotonic() + _CLEAR_SECONDS
    while left := await count():
        if time.monotonic() > deadline:
            raise MeasurementError(f"after {_CLEAR_SECONDS} s there are {left} {what}")
        await asyncio.sleep(_LOOK_SECONDS)
