"""Nomad as the bench uses it: jobs are registered and stopped directly, and one event stream sees their fate."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.bench import transport
from tests.bench.errors import MeasurementError
from tests.bench.sightings import Sightings
from tests.e2e.bed.bed import Bed

_NAMESPACE = "default"
_ENDED = {"complete", "failed", "lost"}


@dataclass(frozen=True)
class JobSightings:
    """What the event stream has shown, by job ID."""

    registered: Sightings = field(default_factory=lambda: Sightings("registered"))
    running: Sightings = field(default_factory=lambda: Sightings("running"))
    ended: Sightings = field(default_factory=lambda: Sightings("ended"))


class Nomad:
    """Nomad's HTTP API, with all rights."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._http = session

    async def register(self, body: bytes) -> float:
        """Register the job of a request body as vnode sends it; returns the seconds until the answer."""
        return await transport.timed(self._http, "PUT", f"/v1/jobs?namespace={_NAMESPACE}", body)

    async def stop(self, job_id: str, *, purge: bool = False) -> None:
        """Stop a job, and forget it as well."""
        purging = str(purge).lower()
        await transport.request(self._http, "DELETE", f"/v1/job/{job_id}?namespace={_NAMESPACE}&purge={purging}")

    async def collect_garbage(self) -> None:
        """Drop what has ended, from the servers' memory too."""
        await transport.request(self._http, "PUT", "/v1/system/gc")

    async def job_ids(self) -> list[str]:
        """The jobs that are there, dead ones too."""
        answer = await transport.request(self._http, "GET", f"/v1/jobs?namespace={_NAMESPACE}")
        return [job["ID"] for job in json.loads(answer)]

    async def job(self, job_id: str) -> dict[str, Any]:
        """A job as Nomad holds it."""
        path = f"/v1/job/{job_id}?namespace={_NAMESPACE}"
        answer: dict[str, Any] = json.loads(await transport.request(self._http, "GET", path))
        return answer

    async def live_allocations(self) -> int:
        """How many allocations have not ended."""
        answer = await transport.request(self._http, "GET", f"/v1/allocations?namespace={_NAMESPACE}")
        return sum(allocation["ClientStatus"] not in _ENDED for allocation in json.loads(answer))

    async def allocations(self) -> int:
        """How many allocations Nomad remembers."""
        return len(json.loads(await transport.request(self._http, "GET", f"/v1/allocations?namespace={_NAMESPACE}")))

    @asynccontextmanager
    async def watch(self, *topics: str) -> AsyncIterator[JobSightings]:
        """See what happens to jobs from now on; `registered` needs the topic Job, the others Allocation."""
        index = await self._index()
        seen = JobSightings()
        async with asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(self._follow(index, topics, seen))
            yield seen
            watcher.cancel()

    async def _index(self) -> int:
        async with self._http.get(f"/v1/allocations?namespace={_NAMESPACE}&per_page=1") as answer:
            return int(answer.headers["X-Nomad-Index"])

    async def _follow(self, index: int, topics: tuple[str, ...], seen: JobSightings) -> None:
        parameters = "&".join(f"topic={topic}" for topic in topics)
        path = f"/v1/event/stream?{parameters}"
        async for line in transport.lines(self._http, path, transport.query(namespace=_NAMESPACE, index=index)):
            for event in json.loads(line).get("Events") or ():
                _note(event, seen)
        raise MeasurementError("Nomad ended the event stream")


def _note(event: Mapping[str, Any], seen: JobSightings) -> None:
    if event["Type"] == "JobRegistered" and event["Topic"] == "Job":
        seen.registered.see(event["Key"])
    if event["Topic"] != "Allocation":
        return
    allocation = event["Payload"]["Allocation"]
    status, job = allocation["ClientStatus"], allocation["JobID"]
    if status == "running":
        seen.running.see(job)
    elif status == "complete":
        seen.ended.see(job)
    elif status in _ENDED:
        raise MeasurementError(f"the allocation of job {job} is {status}: {allocation.get('ClientDescription')}")


@asynccontextmanager
async def connect(bed: Bed) -> AsyncIterator[Nomad]:
    """A connection with the management token."""
    async with session(bed) as opened:
        yield Nomad(opened)


def session(bed: Bed) -> aiohttp.ClientSession:
    """HTTP to Nomad's server as the bed's profile demands it."""
    token = bed.nomad.management_token
    return transport.session(bed.nomad.address, tls(bed), {"X-Nomad-Token": token} if token else {})


def tls(bed: Bed) -> ssl.SSLContext | None:
    """TLS towards Nomad, None where it speaks plain HTTP."""
    if bed.nomad.security is None or bed.nomad.cli is None:
        return None
    context = ssl.create_default_context(cafile=str(bed.nomad.security.authority))
    context.load_cert_chain(bed.nomad.cli.certificate, bed.nomad.cli.key)
    return context
