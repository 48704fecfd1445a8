"""Nomad's dynamic host volumes: directories, or what a plugin makes, on the disk of one client.

Source: nomad/nomad host_volume_endpoint.go, command/agent/host_volume_endpoint.go (1.11.3).
"""

from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from translators.records.base import NOMAD
from translators.records.storage import HostVolume, HostVolumeStub
from vnode.errors import NotFound, Unavailable
from vnode.nomad.pages import pages
from vnode.nomad.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class _Creation:
    volume: HostVolume


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class _Created:
    volume: HostVolumeStub


_CREATION = TypeAdapter(_Creation)
_CREATED = TypeAdapter(_Created)
_STUBS = TypeAdapter(list[HostVolumeStub])


class NomadHostVolumes:
    """Requests about dynamic host volumes; all methods raise the kinds of `vnode.errors`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def named(self, namespace: str, name: str) -> list[HostVolumeStub]:
        """The volumes of this very name, oldest first: there may be one on each client."""
        query = {"namespace": namespace, "type": "host", "prefix": name}
        found: list[HostVolumeStub] = []
        async for page in pages(self._transport, "/v1/volumes", query):
            try:
                found += _STUBS.validate_json(page)
            except ValidationError:
                raise Unavailable("Nomad's list of host volumes is not understood") from None
        return sorted((each for each in found if each.name == name), key=lambda each: each.create_index)

    async def create(self, volume: HostVolume) -> HostVolumeStub:
        """Make a volume; returns when its plugin has made it.

        Raises Unavailable when it is not known whether it was made, and for what the plugin says: look for its name.
        """
        body = _CREATION.dump_json(_Creation(volume=volume), by_alias=True)
        query = {"namespace": volume.namespace}
        reply = await self._transport.request("PUT", "/v1/volume/host/create", query, body=body)
        try:
            return _CREATED.validate_json(reply.body).volume
        except ValidationError:
            raise Unavailable("Nomad's answer about a host volume is not understood") from None

    async def delete(self, namespace: str, volume_id: str) -> None:
        """Remove a volume and what is in it; one that is not there is no error. Nomad refuses while it is in use."""
        path = f"/v1/volume/host/{quote(volume_id, safe='')}/delete"
        try:
            await self._transport.request("DELETE", path, {"namespace": namespace})
        except NotFound:
            return
