"""(b) once more and (h): Pods that have data, which are the default token and a ConfigMap that all of them share."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from tests.bench import requests
from tests.bench.burst import send_all
from tests.bench.errors import MeasurementError
from tests.bench.recorder import Recorder, record
from tests.bench.requests import Requests
from tests.bench.settled import at_rest
from tests.bench.site import Site
from tests.bench.workload import manifest, pod_names

_CONFIG_MAP = "shared"
_LOOK_SECONDS = 0.05
_TOKEN = "create serviceaccounts/token"
_VARIABLE = "PUT /v1/var/nomad/jobs/:id"


@dataclass(frozen=True)
class Tokens:
    """Requests of so many Pods with the default token on their way to Running."""

    count: int
    kubernetes: Requests
    nomad: Requests

    @property
    def asked_per_pod(self) -> float:
        """TokenRequests of one Pod."""
        return self.kubernetes[_TOKEN] / self.count

    @property
    def nomad_writes_per_pod(self) -> float:
        """Writes to Nomad of one Pod, its job's registration among them."""
        return requests.writes(self.nomad) / self.count


@dataclass(frozen=True)
class Shared:
    """Requests of so many Pods that mount one ConfigMap: until all ran, and for a change of it.

    `seconds` lie between the change and vnode's last write for it.
    """

    count: int
    kubernetes: Requests
    seconds: float
    kubernetes_for_change: Requests
    nomad_for_change: Requests

    @property
    def reads(self) -> int:
        """How often a ConfigMap was read until all ran."""
        return self.kubernetes["list configmaps"] + self.kubernetes["get configmaps"]

    @property
    def watches(self) -> int:
        """How many watches of ConfigMaps there were until all ran."""
        return self.kubernetes["watch configmaps"]

    @property
    def writes_per_change(self) -> float:
        """Writes to Nomad of one Pod for the change."""
        return requests.writes(self.nomad_for_change) / self.count


async def tokens(site: Site) -> Tokens:
    """Run the sample once more, with the token that Kubernetes mounts by default."""
    names = pod_names("token", site.plan.sample)
    async with _running(site, {name: manifest(name, token=True) for name in names}) as (recorder, position, before):
        await at_rest(site, recorder)
        found = Tokens(len(names), site.audit.since(position), recorder.requests - before)
    await site.clear()
    return found


async def shared(site: Site) -> Shared:
    """Run Pods that share a ConfigMap, and change it."""
    names = pod_names("shared", site.plan.shared)
    await site.kubernetes.write_config_map(_CONFIG_MAP, "before")
    try:
        pods = {name: manifest(name, config_map=_CONFIG_MAP) for name in names}
        async with _running(site, pods) as (recorder, position, _):
            await at_rest(site, recorder)
            starting = site.audit.since(position)
            changing, before = site.audit.position(), recorder.requests.copy()
            began = time.monotonic()
            await site.kubernetes.write_config_map(_CONFIG_MAP, "after")
            await _counted(lambda: (recorder.requests - before)[_VARIABLE], len(names), site.plan.within)
            seconds = time.monotonic() - began
            await at_rest(site, recorder)
            for_change = site.audit.since(changing)
            found = Shared(len(names), starting, seconds, for_change, recorder.requests - before)
    finally:
        await site.clear()
        await site.kubernetes.delete_config_map(_CONFIG_MAP)
    return found


@asynccontextmanager
async def _running(site: Site, pods: dict[str, bytes]) -> AsyncIterator[tuple[Recorder, int, Requests]]:
    """Pods that are Running; what was counted before them, in Kubernetes and in Nomad. They are gone at the end."""
    async with record(site.bed) as recorder, site.vnode(recorder.address), site.kubernetes.watch() as seen:
        await at_rest(site, recorder)
        position, before = site.audit.position(), recorder.requests.copy()
        creates = {name: partial(site.kubernetes.create, body) for name, body in pods.items()}
        await send_all(creates, site.plan.concurrency)
        await seen.running.wait(pods.keys(), site.plan.within)
        yield recorder, position, before
        deletes = {name: partial(site.kubernetes.delete, name) for name in pods}
        await send_all(deletes, site.plan.concurrency)
        await seen.gone.wait(pods.keys(), site.plan.within)


async def _counted(count: Callable[[], int], wanted: int, within: float) -> None:
    deadline = time.monotonic() + within
    while (found := count()) < wanted:
        if time.monotonic() > deadline:
            raise MeasurementError(f"after {within:g} s the change was written for {found} of {wanted} Pods")
        await asyncio.sleep(_LOOK_SECONDS)
