"""Making volumes for claims, and removing them: an external provisioner of Kubernetes, for one virtual Node.

Every event says "look at this again"; each round reads what it is about to change. A volume has the same name at
every attempt, on both sides, so that an attempt whose end was not seen is gone on with.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import structlog

from translators.allocation_to_status import EventNote
from translators.errors import Hindrance, Refused, Waiting
from translators.provisioning import Home, host_volume, is_unplaced, is_wanted, persistent_volume, removal, volume_name
from translators.records.allocations import Client
from translators.records.pods import ObjectMeta
from translators.records.storage import Claim, HostVolume, HostVolumeStub, PersistentVolume, StorageClass
from vnode.errors import Denied, PeerError, Withheld
from vnode.kube.events import Regarding
from vnode.view.claims import ClaimStore, ObjectId

_log = structlog.get_logger(__name__)

#: Keys of the queue: a claim with its namespace, a volume without.
_SEPARATOR = "/"
_CLAIM, _VOLUME = "PersistentVolumeClaim", "PersistentVolume"
_IMMEDIATE = (
    "a volume of Nomad is on one client, for which a Node has to be chosen first: StorageClass {} needs "
    "volumeBindingMode: WaitForFirstConsumer"
)
_RIGHTS = " (what it takes is in deploy/components/persistent-volumes)"


class Queue(Protocol):
    """Keys that want to be looked at."""

    def add(self, key: str) -> None:
        """Ask for a round."""

    async def get(self) -> str:
        """Wait for a key."""

    def done(self, key: str) -> None:
        """End a round."""

    def failed(self, key: str) -> float:
        """Ask for another one, later."""

    def succeeded(self, key: str) -> None:
        """Forget failures."""


class KubernetesVolumes(Protocol):
    """See `vnode.kube.volumes.Volumes`."""

    async def storage_class(self, name: str) -> StorageClass:
        """A class."""

    async def get(self, name: str) -> PersistentVolume | None:
        """A volume as it is now."""

    async def create(self, body: Mapping[str, Any]) -> None:
        """Create a volume."""

    async def delete(self, name: str, uid: str) -> None:
        """Delete a volume."""


class NomadVolumes(Protocol):
    """See `vnode.nomad.host_volumes.NomadHostVolumes`."""

    async def named(self, namespace: str, name: str) -> list[HostVolumeStub]:
        """The volumes of a name, oldest first."""

    async def create(self, volume: HostVolume) -> HostVolumeStub:
        """Make one."""

    async def delete(self, namespace: str, volume_id: str) -> None:
        """Remove one."""


class Recorder(Protocol):
    """See `vnode.kube.events.EventRecorder`."""

    def record(self, regarding: Regarding, note: EventNote, /) -> None:
        """Note what happened."""


class Provisioner:
    """Makes and removes volumes; `work` is one worker of several.

    `namespace` maps a namespace of Kubernetes to one of Nomad, `clients` are those of our Node, None until they are
    known.
    """

    def __init__(
        self,
        home: Home,
        store: ClaimStore,
        queue: Queue,
        kubernetes: KubernetesVolumes,
        nomad: NomadVolumes,
        events: Recorder,
        *,
        namespace: Callable[[str], str],
        clients: Callable[[], Iterable[Client] | None],
    ) -> None:
        self._home = home
        self._store = store
        self._queue = queue
        self._kubernetes = kubernetes
        self._nomad = nomad
        self._events = events
        self._namespace = namespace
        self._clients = clients
        store.claim_changed = self._look_at_claim
        store.volume_changed = self._look_at_volume

    async def work(self) -> None:
        """Look at one key after the other, for ever."""
        while True:
            key = await self._queue.get()
            try:
                await self._round(key)
            finally:
                self._queue.done(key)

    async def _round(self, key: str) -> None:
        namespace, _, name = key.rpartition(_SEPARATOR)
        try:
            if namespace:
                await self._provision(ObjectId(namespace, name))
            else:
                await self._reclaim(name)
        except Withheld:
            # Whoever leads next lists everything anew.
            return
        except Waiting:
            self._queue.failed(key)
        except (PeerError, Refused) as problem:
            self._tell_failure(namespace, name, problem)
            self._queue.failed(key)
        else:
            self._queue.succeeded(key)

    async def _provision(self, key: ObjectId) -> None:
        claim = self._store.claims.get(key)
        if claim is None or not is_wanted(claim, self._home):
            return
        kind = await self._kubernetes.storage_class(claim.spec.storage_class_name)
        namespace, clients = self._namespace(key.namespace), self._clients()
        if clients is None:
            raise Waiting(Hindrance())
        wanted = host_volume(claim, kind, namespace, clients)
        made, *doubles = await self._nomad.named(namespace, volume_name(claim)) or [await self._nomad.create(wanted)]
        for double in doubles:
            # Of two attempts, before anybody knew of either: they are empty.
            await self._nomad.delete(namespace, double.id)
        if not made.is_ready:
            raise Waiting(Hindrance())
        await self._kubernetes.create(persistent_volume(claim, kind, made, namespace, self._home))
        _log.info("a volume was made", claim=_SEPARATOR.join(key), volume=made.name, client=made.node_id)
        message = f"Nomad made the host volume {made.name} on client {made.node_id}"
        self._record(_CLAIM, claim.metadata, EventNote("Normal", "ProvisioningSucceeded", message, ""))

    async def _reclaim(self, name: str) -> None:
        known = self._store.volumes.get(ObjectId("", name))
        if known is None or removal(known, self._home) is None:
            return
        # What we know may be of yesterday, and what is removed does not come back.
        volume = await self._kubernetes.get(name)
        left = removal(volume, self._home) if volume is not None else None
        if volume is None or left is None:
            return
        await self._nomad.delete(left.namespace, left.id)
        await self._kubernetes.delete(name, volume.metadata.uid)
        _log.info("a volume was removed", volume=name)

    def _tell_failure(self, namespace: str, name: str, problem: PeerError | Refused) -> None:
        text = f"{problem}{_RIGHTS if isinstance(problem, Denied) else ''}"
        _log.info("a volume was neither made nor removed", namespace=namespace, name=name, problem=text)
        if namespace:
            claim = self._store.claims.get(ObjectId(namespace, name))
            if claim is not None:
                note = EventNote("Warning", "ProvisioningFailed", text, "")
                self._record(_CLAIM, claim.metadata, note)
        elif (volume := self._store.volumes.get(ObjectId("", name))) is not None:
            note = EventNote("Warning", "VolumeFailedDelete", text, "")
            self._record(_VOLUME, volume.metadata, note)

    def _look_at_claim(self, claim: Claim) -> None:
        if is_unplaced(claim):
            note = EventNote("Warning", "ProvisioningFailed", _IMMEDIATE.format(claim.spec.storage_class_name), "")
            self._record(_CLAIM, claim.metadata, note)
        if is_wanted(claim, self._home):
            self._queue.add(f"{claim.metadata.namespace}{_SEPARATOR}{claim.metadata.name}")

    def _look_at_volume(self, volume: PersistentVolume) -> None:
        if removal(volume, self._home) is not None:
            self._queue.add(volume.metadata.name)

    def _record(self, kind: str, found: ObjectMeta, note: EventNote) -> None:
        regarding = Regarding(
            kind=kind,
            name=found.name,
            uid=found.uid,
            namespace=found.namespace,
            resource_version=found.resource_version,
            host=self._home.node,
        )
        self._events.record(regarding, note)
