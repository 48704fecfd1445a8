"""A few Pods behind the recorder: the jobs that vnode makes of them, and its requests to Nomad, counted outside of it.

It also warms both sides up: the first Pods of a run are slower than the rest.
"""

from dataclasses import dataclass
from functools import partial

from tests.bench import requests
from tests.bench.burst import send_all
from tests.bench.recorder import record
from tests.bench.requests import Requests
from tests.bench.settled import settled
from tests.bench.site import QUIET_SECONDS, REST_SECONDS, Site
from tests.bench.workload import JobTemplate, manifest, pod_names


@dataclass(frozen=True)
class Sample:
    """Requests to Nomad for so many Pods: until all ran, and until all were gone."""

    count: int
    template: JobTemplate
    starting: Requests
    ending: Requests

    @property
    def nomad_writes_per_pod(self) -> float:
        """Writes of one Pod's way to Running."""
        return requests.writes(self.starting) / self.count

    @property
    def nomad_writes_per_end(self) -> float:
        """Writes of one Pod's way out."""
        return requests.writes(self.ending) / self.count

    @property
    def nomad_reads_per_pod(self) -> float:
        """Reads of one Pod's way to Running, streams and resync left out."""
        return requests.reads(self.starting) / self.count


async def take(site: Site) -> Sample:
    """Run the sample, and leave nothing of it."""
    names = pod_names("sample", site.plan.sample)
    creates = {name: partial(site.kubernetes.create, manifest(name)) for name in names}
    deletes = {name: partial(site.kubernetes.delete, name) for name in names}
    async with record(site.bed) as recorder, site.vnode(recorder.address), site.kubernetes.watch() as seen:

        async def counted() -> Requests:
            await settled(
                "vnode's requests to Nomad",
                lambda: requests.foreground(recorder.requests),
                quiet=QUIET_SECONDS,
                within=REST_SECONDS,
            )
            return recorder.requests.copy()

        before = await counted()
        await send_all(creates, site.plan.concurrency)
        await seen.running.wait(names, site.plan.within)
        running = await counted()
        await send_all(deletes, site.plan.concurrency)
        await seen.gone.wait(names, site.plan.within)
        gone = await counted()
        template = JobTemplate.of(recorder.registrations, names[0], seen.uids[names[0]])
    await site.clear()
    return Sample(len(names), template, running - before, gone - running)
