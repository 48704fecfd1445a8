"""PersistentVolumes and StorageClasses, as whoever makes volumes needs them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from translators.records.storage import PersistentVolume, StorageClass
from vnode.errors import Conflict, NotFound
from vnode.kube.api import Requests, decode_as, encode

_VOLUMES = "/api/v1/persistentvolumes"
_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"

_VOLUME: TypeAdapter[PersistentVolume] = TypeAdapter(PersistentVolume)
_CLASS: TypeAdapter[StorageClass] = TypeAdapter(StorageClass)


class Volumes:
    """Requests about volumes; all methods raise the kinds of `vnode.errors`."""

    def __init__(self, connection: Requests) -> None:
        self._connection = connection

    async def storage_class(self, name: str) -> StorageClass:
        """A class; raises NotFound."""
        answer = await self._connection.request("GET", f"{_CLASSES}/{quote(name, safe='')}")
        return decode_as("StorageClass", _CLASS.validate_python, answer)

    async def get(self, name: str) -> PersistentVolume | None:
        """A volume as it is now; None when there is none."""
        try:
            answer = await self._connection.request("GET", _path(name))
        except NotFound:
            return None
        return decode_as("PersistentVolume", _VOLUME.validate_python, answer)

    async def create(self, body: Mapping[str, Any]) -> None:
        """Create a volume; one of its name is the one that an earlier attempt created."""
        try:
            await self._connection.request("POST", _VOLUMES, body=encode(body))
        except Conflict:
            return

    async def delete(self, name: str, uid: str) -> None:
        """DELETE a volume; one that is gone, or another one of its name, is no error."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        try:
            await self._connection.request("DELETE", _path(name), body=encode(body))
        except (NotFound, Conflict):
            return


def _path(name: str) -> str:
    return f"{_VOLUMES}/{quote(name, safe='')}"
