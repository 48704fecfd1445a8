"""(d), (e) and (f): what it costs that Pods are there: memory, idle requests, and a restart of vnode among them."""

import asyncio
import time
from dataclasses import dataclass
from functools import partial

from tests.bench import metrics, process, requests
from tests.bench.burst import send_all
from tests.bench.kubernetes import PodSightings
from tests.bench.metrics import Metrics
from tests.bench.recorder import Recorder, record
from tests.bench.requests import Requests
from tests.bench.settled import at_rest
from tests.bench.site import Site, Vnode
from tests.bench.workload import manifest, pod_names

ROUNDS, WAITING = "vnode_rounds_total", "vnode_queue_length"
_LOOK_SECONDS = 0.1
_RESTART_SECONDS = 60.0


@dataclass(frozen=True)
class Memory:
    """Resident bytes without Pods, with all of them Running, the most until then, and at the end of the idling."""

    empty: int
    full: int
    peak: int
    idle: int


@dataclass(frozen=True)
class Idle:
    """Requests in so many seconds in which nothing happened."""

    seconds: float
    kubernetes: Requests
    nomad: Requests

    @property
    def foreground(self) -> Requests:
        """Those that should not be there: neither lease, Node status, watch nor slow resync."""
        return requests.foreground(self.kubernetes) + requests.foreground(self.nomad)


@dataclass(frozen=True)
class Restart:
    """vnode started anew among running Pods; seconds from the start of its process.

    `looked` is when it had looked at every Pod, by its own count. `healed` sees the same from outside, and more: while
    it was down a foreign hand set the phase of every Pod to Pending, and this is when the last one was Running again.
    """

    looked: float | None
    ready: float
    healed: float | None
    kubernetes: Requests
    nomad: Requests

    @property
    def writes(self) -> int:
        """Writes for Pods, of which none was needed."""
        return requests.writes(self.kubernetes) + requests.writes(self.nomad)


@dataclass(frozen=True)
class Standing:
    """What was asked of the plan; the rest is None."""

    memory: Memory
    restart: Restart | None
    idle: Idle | None


async def measure(site: Site) -> Standing:
    """Fill the Node, restart vnode, let it idle."""
    names = pod_names("standing", site.plan.pods)
    async with record(site.bed) as recorder, site.vnode(recorder.address) as vnode, site.kubernetes.watch() as seen:
        await at_rest(site, recorder)
        empty = process.resident_bytes(vnode.pid)
        creates = {name: partial(site.kubernetes.create, manifest(name)) for name in names}
        await send_all(creates, site.plan.concurrency)
        await seen.running.wait(names, site.plan.within)
        await at_rest(site, recorder)
        full, peak = process.resident_bytes(vnode.pid), process.peak_resident_bytes(vnode.pid)
        site.say(f"  {len(names)} Pods Running, {full / 1e6:.0f} MB resident")
        restart = await _restart(site, recorder, vnode) if "f" in site.plan.only else None
        idle = await _idle(site, recorder) if "d" in site.plan.only else None
        memory = Memory(empty, full, peak, process.resident_bytes(vnode.pid))
    if restart is not None:
        restart = await _heal(site, restart, names)
    await site.clear()
    return Standing(memory, restart, idle)


async def _restart(site: Site, recorder: Recorder, vnode: Vnode) -> Restart:
    await vnode.stop()
    position, before = site.audit.position(), recorder.requests.copy()
    began = time.monotonic()
    async with metrics.session(site.bed, vnode.process) as session, asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(_looked(Metrics(session), site.plan.pods, began))
        await vnode.start()
        ready = time.monotonic() - began
    await at_rest(site, recorder)
    return Restart(looking.result(), ready, None, site.audit.since(position), recorder.requests - before)


async def _looked(vnode: Metrics, count: int, began: float) -> float | None:
    """When every Pod had been looked at; None if that cannot be said."""
    while (passed := time.monotonic() - began) < _RESTART_SECONDS:
        scrape = await vnode.scrape_if_up()
        if scrape and (scrape.value(ROUNDS) or 0) >= count and not scrape.value(WAITING):
            return passed
        await asyncio.sleep(_LOOK_SECONDS)
    return None


async def _idle(site: Site, recorder: Recorder) -> Idle:
    position, before = site.audit.position(), recorder.requests.copy()
    site.say(f"  idle for {site.plan.idle_seconds:g} s")
    await asyncio.sleep(site.plan.idle_seconds)
    return Idle(site.plan.idle_seconds, site.audit.since(position), recorder.requests - before)


async def _heal(site: Site, restart: Restart, names: list[str]) -> Restart:
    """No vnode runs: spoil every status, start one, and see the last of them right again."""
    spoil = {name: partial(site.kubernetes.set_phase, name, "Pending") for name in names}
    await send_all(spoil, site.plan.concurrency)
    began = time.monotonic()
    async with site.kubernetes.watch() as seen, site.vnode():
        await seen.running.wait(names, site.plan.within)
        healed = max(seen.running.at[name] for name in names) - began
        await _delete(site, names, seen)
    return Restart(restart.looked, restart.ready, healed, restart.kubernetes, restart.nomad)


async def _delete(site: Site, names: list[str], seen: PodSightings) -> None:
    await send_all({name: partial(site.kubernetes.delete, name) for name in names}, site.plan.concurrency)
    await seen.gone.wait(names, site.plan.within)
