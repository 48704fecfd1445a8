"""The ConfigMaps, Secrets, tokens and Services that our Pods name, and which Pods name them.

Only what a Pod of ours names is held, once for all Pods that name it, and dropped with the last of them.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple, Protocol
from zlib import crc32

from translators.material import NOTHING, DataObject, Material, ObjectKey, Token, TokenNeed
from translators.records.pods import Pod, PodUid
from translators.records.sources import Service
from translators.references import References

_ENDED = frozenset({"Succeeded", "Failed"})


class Place(NamedTuple):
    """An object and its namespace."""

    namespace: str
    key: ObjectKey


class Subscriber(Protocol):
    """Whoever brings the objects: is told which ones are wanted."""

    def wanted(self, place: Place) -> None:
        """From now on an object is named by a Pod."""

    def unwanted(self, place: Place) -> None:
        """No Pod names the object any more."""


class ObjectStore:
    """What is known of the objects; `changed` is called with every UID that a change concerns.

    `references` finds what a Pod names, `services` gives the Services of a namespace, None while they are not known.
    """

    def __init__(self, changed: Callable[[PodUid], None], references: Callable[[Pod], References]) -> None:
        self._changed = changed
        self.services: Callable[[str], tuple[Service, ...] | None] = lambda _: ()
        self._find_references = references
        self._references: dict[PodUid, References] = {}
        self._namespaces: dict[PodUid, str] = {}
        self._users: dict[Place, set[PodUid]] = {}
        self._objects: dict[Place, DataObject | None] = {}
        self._denied: dict[Place, str] = {}
        self._tokens: dict[PodUid, dict[TokenNeed, Token]] = {}
        self.subscriber: Subscriber | None = None

    def look(self, uid: PodUid, pod: Pod | None) -> None:
        """Take note of a Pod that came, changed, ended or left."""
        if pod is None or pod.status.phase in _ENDED:
            self._release(uid)
        elif uid not in self._references:
            found = self._find_references(pod)
            self._references[uid] = found
            self._namespaces[uid] = pod.metadata.namespace
            for key in found.objects:
                self._take(Place(pod.metadata.namespace, key), uid)

    def material(self, pod: Pod) -> Material:
        """What is known for a Pod."""
        uid, namespace = pod.uid, pod.metadata.namespace
        found = self._references.get(uid)
        if found is None:
            return NOTHING
        services = self.services(namespace) if found.services else ()
        if not (found.objects or found.tokens or found.own_fields):
            return NOTHING if services == () else Material(services=services)
        places = {key: Place(namespace, key) for key in found.objects}
        tokens = self._tokens.get(uid, {})
        return Material(
            objects={key: self._objects[place] for key, place in places.items() if place in self._objects},
            denied={key: self._denied[place] for key, place in places.items() if place in self._denied},
            tokens=tokens,
            needs=found.tokens,
            live=found.live,
            services=services,
            stamp=self._stamp(pod, found),
        )

    def put(self, place: Place, found: DataObject | None) -> None:
        """Take over an object as it is now, or that there is none."""
        if place not in self._users:
            return
        known = place in self._objects and place not in self._denied
        before = self._objects.get(place)
        self._denied.pop(place, None)
        self._objects[place] = found
        if not known or _version(before) != _version(found):
            self._tell(place)

    def deny(self, place: Place, why: str) -> None:
        """Take over that we may not read an object; what was read before counts on."""
        if place in self._users and place not in self._objects and self._denied.get(place) != why:
            self._denied[place] = why
            self._tell(place)

    def fold_token(self, uid: PodUid, need: TokenNeed, token: Token) -> None:
        """Take over a token that was asked for, or found with a Pod's data."""
        if uid in self._references:
            self._tokens.setdefault(uid, {})[need] = token

    def shift(self, step: timedelta) -> None:
        """The clock was set by so much: no token is older or younger for that."""
        for tokens in self._tokens.values():
            tokens.update({need: token.shifted(step) for need, token in tokens.items()})

    def due(self, now: datetime) -> Iterator[PodUid]:
        """The Pods that have a token which is to be renewed."""
        for uid, tokens in self._tokens.items():
            if any(token.is_due(now, jitter(uid)) for token in tokens.values()):
                yield uid

    def _take(self, place: Place, uid: PodUid) -> None:
        users = self._users.setdefault(place, set())
        users.add(uid)
        if len(users) == 1 and self.subscriber is not None:
            self.subscriber.wanted(place)

    def _release(self, uid: PodUid) -> None:
        found = self._references.pop(uid, None)
        self._tokens.pop(uid, None)
        namespace = self._namespaces.pop(uid, "")
        for key in found.objects if found is not None else ():
            place = Place(namespace, key)
            users = self._users.get(place, set())
            users.discard(uid)
            if not users and place in self._users:
                del self._users[place]
                self._objects.pop(place, None)
                self._denied.pop(place, None)
                if self.subscriber is not None:
                    self.subscriber.unwanted(place)

    def _tell(self, place: Place) -> None:
        for uid in tuple(self._users.get(place, ())):
            self._changed(uid)

    def _stamp(self, pod: Pod, found: References) -> str:
        parts = [f"{key.kind}/{key.name}={_version(self._objects.get(Place(pod.metadata.namespace, key)))}"
                 for key in sorted(found.objects)]  # fmt: skip
        parts += [f"{need}={token.value}" for need, token in sorted(self._tokens.get(pod.uid, {}).items())]
        if found.own_fields:
            parts.append(str(sorted(pod.metadata.labels.items()) + sorted(pod.metadata.annotations.items())))
        return sha256("\n".join(parts).encode()).hexdigest()[:16]


def jitter(uid: PodUid) -> float:
    """The same number in [-1, 1] for a Pod at any time, so that renewals spread and none is asked for twice."""
    return crc32(uid.encode()) / 2**31 - 1


def _version(found: DataObject | None) -> str:
    return "" if found is None else found.version
