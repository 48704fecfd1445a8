"""The cluster's claims and volumes, and which of our Pods name which claim."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from translators.material import Claimed, Claims
from translators.records.pods import Pod, PodUid
from translators.records.storage import Claim, PersistentVolume
from vnode.errors import Denied, PeerError

T = TypeVar("T", Claim, PersistentVolume)

_ENDED = frozenset({"Succeeded", "Failed"})


class ObjectId(NamedTuple):
    """Namespace and name; the namespace of a volume is empty."""

    namespace: str
    name: str


class Held(Generic[T]):
    """A reflector's sink for one kind.

    `told` is called with every object that came, changed or went, `settled` when all are known for the first time.
    """

    def __init__(self, told: Callable[[T], None], settled: Callable[[], None]) -> None:
        self._told: Callable[[T], None] = told
        self._settled = settled
        self._objects: dict[ObjectId, T] = {}
        self.synced = False
        self.problem = ""

    def get(self, key: ObjectId) -> T | None:
        """The object of this name."""
        return self._objects.get(key)

    def replace(self, objects: list[T], /) -> None:
        """Take over a complete list."""
        before, first = self._objects, not self.synced
        self._objects = {_id(each): each for each in objects}
        self.synced, self.problem = True, ""
        for key in before.keys() - self._objects.keys():
            self._told(before[key])
        for key, each in self._objects.items():
            if before.get(key) != each:
                self._told(each)
        if first:
            self._settled()

    def apply(self, obj: T, /) -> None:
        """Take over one that was added or changed."""
        self._objects[_id(obj)] = obj
        self._told(obj)

    def remove(self, obj: T, /) -> None:
        """Forget one that was deleted."""
        self._objects.pop(_id(obj), None)
        self._told(obj)


class ClaimStore:
    """What is known of claims and volumes.

    `changed` is called with every UID that a change concerns; `claim_changed` and `volume_changed`, set by whoever
    makes volumes, with every object that changed. Until `serve` claims are not looked at.
    """

    def __init__(self, changed: Callable[[PodUid], None]) -> None:
        self._changed = changed
        self._users: dict[ObjectId, set[PodUid]] = {}
        self._names: dict[PodUid, tuple[ObjectId, ...]] = {}
        self.claims: Held[Claim] = Held(self._claim_changed, self._wake_all)
        self.volumes: Held[PersistentVolume] = Held(self._volume_changed, self._wake_all)
        self.claim_changed: Callable[[Claim], None] = lambda _: None
        self.volume_changed: Callable[[PersistentVolume], None] = lambda _: None
        self.served = False

    def serve(self) -> None:
        """From now on both are followed."""
        self.served = True

    def look(self, uid: PodUid, pod: Pod | None) -> None:
        """Take note of a Pod that came, changed, ended or left."""
        if pod is None or pod.status.phase in _ENDED:
            for name in self._names.pop(uid, ()):
                self._users[name].discard(uid)
                if not self._users[name]:
                    del self._users[name]
        elif uid not in self._names and (names := _named(pod)):
            self._names[uid] = names
            for name in names:
                self._users.setdefault(name, set()).add(uid)

    def of(self, pod: Pod) -> Claims | None:
        """What is known of the claims of a Pod; None for a Pod that names none."""
        names = self._names.get(pod.uid)
        if not names:
            return None
        if not (self.claims.synced and self.volumes.synced):
            return Claims(served=self.served, problem=self.claims.problem or self.volumes.problem)
        return Claims(served=self.served, found={name.name: self._claimed(name) for name in names})

    def hindered(self, problem: PeerError | ValueError | None) -> None:
        """Say to Pods that wait why claims or volumes are not known, where only an administrator can help."""
        if not isinstance(problem, Denied):
            return
        for held in (self.claims, self.volumes):
            if not held.synced and held.problem != str(problem):
                held.problem = str(problem)
                self._wake_all()

    def _claimed(self, name: ObjectId) -> Claimed:
        claim = self.claims.get(name)
        if claim is None:
            return Claimed()
        return Claimed(claim, self.volumes.get(ObjectId("", claim.spec.volume_name)))

    def _claim_changed(self, claim: Claim) -> None:
        self._wake(_id(claim))
        self.claim_changed(claim)

    def _volume_changed(self, volume: PersistentVolume) -> None:
        if (reference := volume.spec.claim_ref) is not None:
            self._wake(ObjectId(reference.namespace, reference.name))
        self.volume_changed(volume)

    def _wake_all(self) -> None:
        for uid in tuple(self._names):
            self._changed(uid)

    def _wake(self, name: ObjectId) -> None:
        for uid in tuple(self._users.get(name, ())):
            self._changed(uid)


def _id(obj: Claim | PersistentVolume) -> ObjectId:
    return ObjectId(obj.metadata.namespace, obj.metadata.name)


def _named(pod: Pod) -> tuple[ObjectId, ...]:
    namespace, name = pod.metadata.namespace, pod.metadata.name
    return tuple(ObjectId(namespace, claim) for each in pod.spec.volumes if (claim := each.claim(name)))
