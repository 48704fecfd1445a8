"""(a) and (b): so many Pods at once, against the same jobs registered with Nomad at the same concurrency."""

from dataclasses import dataclass
from functools import partial

from tests.bench import burst, process, requests
from tests.bench.burst import Burst, Pace
from tests.bench.process import CpuMeter
from tests.bench.requests import Requests
from tests.bench.settled import settled
from tests.bench.site import QUIET_SECONDS, REST_SECONDS, Site, Vnode
from tests.bench.workload import JobTemplate, manifest, pod_names


@dataclass(frozen=True)
class DirectBurst:
    """Nomad alone: registered until running, stopped until ended."""

    start: Burst
    stop: Burst


@dataclass(frozen=True)
class PodBurst:
    """Over Kubernetes: created until Running, deleted until gone; with vnode's requests to the API server."""

    start: Burst
    stop: Burst
    starting: Requests
    stopping: Requests
    refused: Requests


@dataclass(frozen=True)
class Round:
    """One of each, one straight after the other."""

    direct: DirectBurst
    pods: PodBurst

    @property
    def start_ratio(self) -> float:
        """How many times as long as Nomad alone Pods take to start."""
        return self.pods.start.seconds / self.direct.start.seconds

    @property
    def start_cpu_ratio(self) -> float:
        """The same in CPU of all servers: it stays true on a machine that others use."""
        return self.pods.start.ours / self.direct.start.ours

    @property
    def stop_cpu_ratio(self) -> float:
        """The same in CPU of all servers."""
        return self.pods.stop.ours / self.direct.stop.ours

    @property
    def stop_ratio(self) -> float:
        """How many times as long as Nomad alone Pods take to end."""
        return self.pods.stop.seconds / self.direct.stop.seconds


async def compare(site: Site, template: JobTemplate, number: int) -> Round:
    """One round; odd ones begin with the Pods, so that neither side is always second."""
    if number % 2:
        pods = await over_kubernetes(site)
        return Round(await directly(site, template, site.plan.pods), pods)
    direct = await directly(site, template, site.plan.pods)
    return Round(direct, await over_kubernetes(site))


async def directly(site: Site, template: JobTemplate, count: int) -> DirectBurst:
    """Register and stop the jobs while no vnode runs: it would take them for its own."""
    jobs = template.jobs(pod_names("direct", count))
    registrations = {job: partial(site.nomad.register, body) for job, body in jobs.items()}
    stops = {job: partial(site.nomad.stop, job) for job in jobs}
    pace = Pace(site.plan.concurrency, site.plan.within)
    async with site.nomad.watch("Allocation") as seen:
        start = await burst.measure(registrations, seen.running, _meter(site), pace)
        site.say(f"  {count} jobs directly: running after {start.seconds:.1f} s")
        stop = await burst.measure(stops, seen.ended, _meter(site), pace)
        site.say(f"  {count} jobs directly: ended after {stop.seconds:.1f} s")
    await site.clear()
    return DirectBurst(start, stop)


async def over_kubernetes(site: Site) -> PodBurst:
    """Create and delete the Pods."""
    names = pod_names("burst", site.plan.pods)
    creates = {name: partial(site.kubernetes.create, manifest(name)) for name in names}
    deletes = {name: partial(site.kubernetes.delete, name) for name in names}
    pace = Pace(site.plan.concurrency, site.plan.within)
    async with site.vnode() as vnode, site.kubernetes.watch() as seen:
        began = await _at_rest(site)
        start = await burst.measure(creates, seen.running, _meter(site, vnode), pace)
        site.say(f"  {len(names)} Pods: Running after {start.seconds:.1f} s")
        running = await _at_rest(site)
        stop = await burst.measure(deletes, seen.gone, _meter(site, vnode), pace)
        site.say(f"  {len(names)} Pods: gone after {stop.seconds:.1f} s")
        await _at_rest(site)
        everything = site.audit.since(began)
        stopping = site.audit.since(running)
        refused = site.audit.refused_since(began)
    await site.clear()
    return PodBurst(start, stop, everything - stopping, stopping, refused)


async def _at_rest(site: Site) -> int:
    """The position of the audit log when vnode makes no more requests for Pods."""
    began = site.audit.position()
    await settled(
        "vnode's requests to the API server",
        lambda: requests.foreground(site.audit.since(began)),
        quiet=QUIET_SECONDS,
        within=REST_SECONDS,
    )
    return site.audit.position()


def _meter(site: Site, vnode: Vnode | None = None) -> CpuMeter:
    return CpuMeter(process.groups(site.bed, None if vnode is None else vnode.pid))
