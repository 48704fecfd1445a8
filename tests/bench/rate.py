"""(c): Pods at a steady rate, and how long each of our two hops takes."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from tests.bench import metrics
from tests.bench.burst import Send, send_all
from tests.bench.metrics import Histogram, Metrics
from tests.bench.quantiles import quantile
from tests.bench.site import Site
from tests.bench.workload import JobTemplate, job_id, manifest, pod_names

STATUS = "vnode_status_latency_seconds"
SUBMISSION = "vnode_submission_latency_seconds"


@dataclass(frozen=True)
class Latency:
    """Median and 99th percentile in milliseconds of so many observations."""

    count: int
    p50: float | None
    p99: float | None


@dataclass(frozen=True)
class Rate:
    """Latencies at the steady rate.

    `status` and `submission` are vnode's histograms: from a line read off its socket to the answer of what it sends for
    it. `seen_status` and `seen_submission` are the same hops as two bystanders see them, line to line on streams of
    their own: they say whether the histograms tell the truth. `create` is from the request that creates a Pod to the
    line that says Running, `direct` from the request that registers the same job to the line that says running.
    """

    status: Latency | None
    submission: Latency | None
    seen_status: Latency
    seen_submission: Latency
    create: Latency
    direct: Latency
    direct_registration: Latency


async def measure(site: Site, template: JobTemplate, rate: float) -> Rate:
    """Create Pods at a rate, in Pods per second, then the same jobs directly."""
    count = round(rate * site.plan.rate_seconds)
    names = pod_names("steady", count)
    sent: dict[str, float] = {}
    async with (
        site.vnode() as vnode,
        metrics.session(site.bed, vnode.process) as session,
        site.kubernetes.watch() as pods,
        site.nomad.watch("Job", "Allocation") as jobs,
    ):
        before = await Metrics(session).scrape()
        await _at_rate({name: partial(site.kubernetes.create, manifest(name)) for name in names}, rate, sent)
        await pods.running.wait(names, site.plan.within)
        after = await Metrics(session).scrape()
        job = {name: job_id(pods.uids[name]) for name in names}
        await jobs.registered.wait(job.values(), site.plan.within)
        await jobs.running.wait(job.values(), site.plan.within)
        await send_all({name: partial(site.kubernetes.delete, name) for name in names}, site.plan.concurrency)
        await pods.gone.wait(names, site.plan.within)
    await site.clear()
    direct, registration = await _directly(site, template, count, rate)
    return Rate(
        status=_of_histogram(after.since(before, STATUS)),
        submission=_of_histogram(after.since(before, SUBMISSION)),
        seen_status=_latency([pods.running.at[name] - jobs.running.at[job[name]] for name in names]),
        seen_submission=_latency([jobs.registered.at[job[name]] - pods.added.at[name] for name in names]),
        create=_latency([pods.running.at[name] - sent[name] for name in names]),
        direct=direct,
        direct_registration=registration,
    )


async def _directly(site: Site, template: JobTemplate, count: int, rate: float) -> tuple[Latency, Latency]:
    jobs = template.jobs(pod_names("direct", count))
    sent: dict[str, float] = {}
    answers: list[float] = []

    async def register(body: bytes) -> None:
        answers.append(await site.nomad.register(body))

    async with site.nomad.watch("Allocation") as seen:
        await _at_rate({job: partial(register, body) for job, body in jobs.items()}, rate, sent)
        await seen.running.wait(jobs.keys(), site.plan.within)
    await site.clear()
    return _latency([seen.running.at[job] - sent[job] for job in jobs]), _latency(answers)


async def _at_rate(sends: Mapping[str, Send], rate: float, sent: dict[str, float]) -> None:
    """Send at fixed moments, whether earlier requests are answered or not: waiting would hide a delay."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number, (name, send) in enumerate(sends.items()):
            await asyncio.sleep(began + number / rate - time.monotonic())
            sent[name] = time.monotonic()
            tasks.create_task(_only(send))


async def _only(send: Send) -> None:
    await send()


def _latency(seconds: list[float]) -> Latency:
    return Latency(len(seconds), round(1000 * quantile(seconds, 0.5), 1), round(1000 * quantile(seconds, 0.99), 1))


def _of_histogram(histogram: Histogram | None) -> Latency | None:
    if histogram is None or not histogram.count:
        return None
    p50, p99 = histogram.quantile(0.5), histogram.quantile(0.99)
    if p50 is None or p99 is None:
        return None
    return Latency(histogram.count, round(1000 * p50, 1), round(1000 * p99, 1))
