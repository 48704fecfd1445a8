"""Kubernetes as the bench uses it: Pods are created, edited and deleted, and one watch sees what becomes of them."""

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

_PODS = "/api/v1/namespaces/default/pods"
_CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
_APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True)
class PodSightings:
    """What the watch has shown, by Pod name; `uids` are those of the Pods in `added`."""

    added: Sightings = field(default_factory=lambda: Sightings("in the API"))
    running: Sightings = field(default_factory=lambda: Sightings("Running"))
    gone: Sightings = field(default_factory=lambda: Sightings("gone from the API"))
    uids: dict[str, str] = field(default_factory=dict)


class Kubernetes:
    """The API server, as an administrator."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._http = session

    async def create(self, manifest: bytes) -> None:
        """Create a Pod."""
        await transport.request(self._http, "POST", _PODS, manifest)

    async def delete(self, name: str, grace: int | None = None) -> None:
        """Delete a Pod, with its own grace period unless another is given."""
        body = b"{}" if grace is None else json.dumps({"gracePeriodSeconds": grace}).encode()
        await transport.request(self._http, "DELETE", f"{_PODS}/{name}", body)

    async def set_phase(self, name: str, phase: str) -> None:
        """Write a phase into a Pod's status, as a foreign hand would."""
        body = json.dumps({"status": {"phase": phase}}).encode()
        await transport.request(self._http, "PATCH", f"{_PODS}/{name}/status", body, "application/merge-patch+json")

    async def write_config_map(self, name: str, text: str) -> None:
        """Make a ConfigMap with one key, or give it another value."""
        metadata = {"name": name}
        body = json.dumps(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": text}}
        ).encode()
        await transport.request(self._http, "PATCH", f"{_CONFIG_MAPS}/{name}?fieldManager=bench", body, _APPLY)

    async def delete_config_map(self, name: str) -> None:
        """Remove a ConfigMap."""
        await transport.request(self._http, "DELETE", f"{_CONFIG_MAPS}/{name}")

    async def names(self) -> list[str]:
        """The names of all Pods."""
        return [pod["metadata"]["name"] for pod in (await self._list())["items"]]

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[PodSightings]:
        """See what happens to Pods from now on."""
        version = (await self._list(limit=1))["metadata"]["resourceVersion"]
        seen = PodSightings()
        async with asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(self._follow(version, seen))
            yield seen
            watcher.cancel()

    async def _list(self, **query: int) -> dict[str, Any]:
        text = "&".join(f"{key}={value}" for key, value in query.items())
        answer: dict[str, Any] = json.loads(await transport.request(self._http, "GET", f"{_PODS}?{text}"))
        return answer

    async def _follow(self, version: str, seen: PodSightings) -> None:
        while True:
            # A saturated API server closes slow watches: go on where the last one ended.
            async for line in transport.lines(self._http, _PODS, transport.query(watch=True, resourceVersion=version)):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise MeasurementError(f"the bench's watch was ended: {event['object'].get('message')}")
                version = event["object"]["metadata"]["resourceVersion"]
                _note(event["type"], event["object"], seen)


def _note(kind: str, pod: Mapping[str, Any], seen: PodSightings) -> None:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    if kind == "ADDED":
        seen.uids[name] = pod["metadata"]["uid"]
        seen.added.see(name)
    if kind == "DELETED":
        seen.gone.see(name)
    elif status.get("phase") == "Running":
        seen.running.see(name)
    elif status.get("phase") == "Failed" and "deletionTimestamp" not in pod["metadata"]:
        raise MeasurementError(f"Pod {name} is Failed: {status.get('reason')}: {status.get('message')}")


@asynccontextmanager
async def connect(bed: Bed) -> AsyncIterator[Kubernetes]:
    """A connection with the administrator's certificate."""
    async with transport.session(bed.control_plane.address, administrator(bed)) as session:
        yield Kubernetes(session)


def administrator(bed: Bed) -> ssl.SSLContext:
    """TLS as administrator, towards the API server and towards vnode's kubelet API alike."""
    context = ssl.create_default_context(cafile=str(bed.control_plane.authority.certificate))
    admin = bed.control_plane.admin
    context.load_cert_chain(admin.certificate, admin.key)
    return context
