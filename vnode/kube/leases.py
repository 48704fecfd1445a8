"""Leases: the heartbeat of a Node, and what an election of a leader has in common with it.

Source: coordination.k8s.io/v1; for the heartbeat component-helpers apimachinery/lease/controller.go.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from vnode.errors import Conflict, NotFound, Unavailable
from vnode.kube.api import Requests, decode_as, encode

_NODE_NAMESPACE = "kube-node-lease"
_NODE_LEASE_SECONDS = 40
_ATTEMPTS = 5
# A renewal that takes longer than the time between two renewals is of no use.
_WITHIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as the server last returned it; `metadata` and `spec` are kept whole, for they go back whole."""

    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]

    @property
    def holder(self) -> str:
        """Who holds it; "" for nobody."""
        return self.spec.get("holderIdentity") or ""

    @property
    def duration(self) -> int:
        """Seconds for which a renewal is good; 0 where the record does not say."""
        return self.spec.get("leaseDurationSeconds") or 0

    @property
    def version(self) -> int:
        """Its resource version; 0 for one that was not written yet."""
        return int(self.metadata.get("resourceVersion") or 0)

    def renewed(self, now: datetime, **spec: Any) -> "Lease":
        """This Lease with a new renewTime and whatever else of its spec shall change."""
        return replace(self, spec={**self.spec, **spec, "renewTime": micro_time(now)})


class LeaseClient:
    """Reads and writes one Lease; each write is guarded by the resource version that it rests on.

    `within` bounds each request in seconds.
    """

    def __init__(self, connection: Requests, namespace: str, name: str, *, within: float = _WITHIN_SECONDS) -> None:
        self._connection = connection
        self._within = within
        self._collection = leases_path(namespace)
        self._path = f"{self._collection}/{quote(name, safe='')}"
        self._identity = {"namespace": namespace, "name": name}

    async def read(self) -> Lease:
        """GET; raises NotFound when there is none."""
        return _decode(await self._connection.request("GET", self._path, within=self._within))

    async def create(self, lease: Lease) -> Lease:
        """POST; raises Conflict when somebody was faster."""
        body = self._encode(replace(lease, metadata={**lease.metadata, **self._identity}))
        return _decode(await self._connection.request("POST", self._collection, body=body, within=self._within))

    async def update(self, lease: Lease) -> Lease:
        """PUT; raises Conflict when it was changed since, *or is gone*: a PUT on a deleted Lease is a 409 for ever."""
        body = self._encode(lease)
        return _decode(await self._connection.request("PUT", self._path, body=body, within=self._within))

    @staticmethod
    def _encode(lease: Lease) -> bytes:
        return encode(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": lease.metadata,
                "spec": lease.spec,
            }
        )


class NodeLease:
    """The Lease in kube-node-lease that says a Node is alive; its owner is the Node, so it goes with it."""

    def __init__(self, connection: Requests, node: str, now: Callable[[], datetime]) -> None:
        self._client = LeaseClient(connection, _NODE_NAMESPACE, node)
        self._node = node
        self._now = now
        self._held: Lease | None = None
        self._renewing = asyncio.Lock()

    async def renew(self, node_uid: str) -> None:
        """Renew the Lease, or make it anew, for the Node with this UID: one request when all is well.

        A conflict is followed by a read, its absence by a POST, a failure by an immediate retry: five attempts in all.
        Raises the last PeerError.
        """
        async with self._renewing:
            for attempt in range(_ATTEMPTS):
                try:
                    self._held = await self._attempt(node_uid)
                except (Conflict, NotFound, Unavailable) as problem:
                    if not isinstance(problem, Unavailable):
                        self._held = None
                    if attempt == _ATTEMPTS - 1:
                        raise
                else:
                    return

    async def _attempt(self, node_uid: str) -> Lease:
        metadata = {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": self._node, "uid": node_uid}]}
        spec = {"holderIdentity": self._node, "leaseDurationSeconds": _NODE_LEASE_SECONDS}
        if self._held is None:
            try:
                self._held = await self._client.read()
            except NotFound:
                return await self._client.create(Lease(metadata, {}).renewed(self._now(), **spec))
        owned = replace(self._held, metadata={**self._held.metadata, **metadata})
        return await self._client.update(owned.renewed(self._now(), **spec))


def micro_time(moment: datetime) -> str:
    """A time as metav1.MicroTime demands it: exactly six digits of a second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def leases_path(namespace: str) -> str:
    """The collection of the Leases of a namespace."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace, safe='')}/leases"


def _decode(body: bytes) -> Lease:
    return decode_as("Lease", decode_lease, body)


def decode_lease(raw: Mapping[str, Any]) -> Lease:
    """A Lease as the API shows it; raises LookupError or ValueError for what is none."""
    metadata = raw["metadata"]
    if not metadata["resourceVersion"]:
        raise ValueError("a write that rests on it would be unconditional")
    return Lease(metadata, raw.get("spec") or {})
