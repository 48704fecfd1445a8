"""Whose client certificates are believed: the cluster's client authority, re-read so that it can rotate."""

import asyncio
import json
from pathlib import Path
from typing import Protocol

from vnode.kubelet.requests import KubernetesRequests

_CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"


class ClientAuthority(Protocol):
    """Where the authority comes from."""

    async def current(self) -> str:
        """The certificates of the authority, PEM; empty when client certificates are not to be asked for.

        Raises vnode.errors or OSError when they cannot be read now.
        """
        ...


class FileAuthority:
    """A file of certificates, as kubelet's --client-ca-file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def current(self) -> str:
        """What the file holds now."""
        return await asyncio.to_thread(self._path.read_text, encoding="ascii")


class ClusterAuthority:
    """What the API server publishes about itself.

    Needs the Role `extension-apiserver-authentication-reader` in kube-system. Source: verified.md A5.
    """

    def __init__(self, kubernetes: KubernetesRequests) -> None:
        self._kubernetes = kubernetes

    async def current(self) -> str:
        """Key `client-ca-file` of the ConfigMap; empty where the API server has none."""
        data = json.loads(await self._kubernetes.request("GET", _CONFIG_MAP)).get("data") or {}
        return str(data.get("client-ca-file") or "")
