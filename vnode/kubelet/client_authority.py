"""Whose client certificates are believed: the cluster's client authority, followed so that it can rotate."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from vnode.kube.api import Watches, decode_object
from vnode.kube.reflector import Reflector

_CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"
_NAME = "extension-apiserver-authentication"


class ClientAuthority(Protocol):
    """Where the authority comes from."""

    async def current(self) -> str:
        """The certificates of the authority, PEM; empty when client certificates are not to be asked for.

        Raises vnode.errors or OSError when they cannot be read now.
        """
        ...


class FileAuthority:
    """A file of certificates, as kubelet's --client-ca-file; read at every look."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def current(self) -> str:
        """What the file holds now."""
        return await asyncio.to_thread(self._path.read_text, encoding="ascii")

    async def run(self) -> None:
        """Nothing to follow."""


class ClusterAuthority:
    """What the API server publishes about itself: asked for once, then watched.

    Needs the Role `extension-apiserver-authentication-reader` in kube-system.
    """

    def __init__(self, kubernetes: Watches, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._kubernetes = kubernetes
        query = {"fieldSelector": f"metadata.name={_NAME}"}
        self._reflector = Reflector(kubernetes, _CONFIG_MAPS, query, _authority, self, clock, random)
        self._known: str | None = None

    async def current(self) -> str:
        """Key `client-ca-file` of the ConfigMap; empty where the API server has none."""
        if self._known is None:
            self._known = _authority(decode_object(await self._kubernetes.request("GET", f"{_CONFIG_MAPS}/{_NAME}")))
        return self._known

    async def run(self) -> None:
        """Watch it."""
        await self._reflector.run()

    def replace(self, objects: Sequence[str], /) -> None:
        """From the reflector: the ConfigMap, or nothing."""
        self._known = objects[0] if objects else ""

    def apply(self, obj: str, /) -> None:
        """From the reflector: it changed."""
        self._known = obj

    def remove(self, _: str, /) -> None:
        """From the reflector: the API server makes it anew; until then the last one stands."""


def _authority(config_map: Mapping[str, Any]) -> str:
    return str((config_map.get("data") or {}).get("client-ca-file") or "")
