"""The Pods of our Node, as the Kubernetes API holds them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from translators.allocation_to_status import overwriter
from translators.records.pods import Pod, PodUid
from translators.support import decode_newer, decode_pod
from vnode.view.observation import Removal


class PodStore:
    """A reflector's sink: keeps Pods by UID and tells `changed` which UIDs to look at again.

    Two Pods of one name can be here at once: the old one until its DELETED event, the new one already.
    """

    def __init__(self, changed: Callable[[PodUid], None], clock: Callable[[], float]) -> None:
        self._changed = changed
        self._clock = clock
        self._read_at: dict[PodUid, float] = {}
        self._pods: dict[PodUid, Pod] = {}
        self._newest: dict[tuple[str, str], PodUid] = {}
        self._removals: dict[PodUid, Removal] = {}
        self._leaving: dict[PodUid, float] = {}
        #: Pods that the API was asked for and knows no more, while a slow watch may still tell of their lives.
        self._buried: set[PodUid] = set()
        self.synced = False

    def __len__(self) -> int:
        return len(self._pods)

    def __iter__(self) -> Iterator[Pod]:
        return iter(self._pods.values())

    def __contains__(self, uid: object) -> bool:
        return uid in self._pods

    def get(self, uid: PodUid) -> Pod | None:
        """The Pod with this UID."""
        return self._pods.get(uid)

    def pod(self, namespace: str, name: str) -> Pod | None:
        """The Pod that bears this name now: the newest one."""
        uid = self._newest.get((namespace, name))
        return None if uid is None else self._pods.get(uid)

    def pods(self) -> Iterable[Pod]:
        """All Pods of the Node."""
        return self._pods.values()

    def removal(self, uid: PodUid) -> Removal | None:
        """How the Pod left the API, if we saw it leave."""
        return self._removals.get(uid)

    def leaving_for(self, uid: PodUid) -> float | None:
        """For how many seconds the Pod is being deleted as it is now, if we saw that begin."""
        began = self._leaving.get(uid)
        return None if began is None else self._clock() - began

    def take_read_at(self, uid: PodUid) -> float | None:
        """When the watch showed this Pod first, monotonic seconds; asking forgets it."""
        return self._read_at.pop(uid, None)

    def decode(self, raw: Mapping[str, Any]) -> Pod:
        """A Pod as the API serves it, made from what is known of it already; raises pydantic.ValidationError."""
        metadata = raw.get("metadata")
        known = self._pods.get(metadata.get("uid", "")) if isinstance(metadata, dict) else None
        return decode_pod(raw) if known is None else decode_newer(raw, known)

    def decode_watched(self, raw: Mapping[str, Any]) -> Pod:
        """As `decode`, for what others may have written: it says who wrote over a status of ours."""
        pod = self.decode(raw)
        known = self._pods.get(pod.uid)
        if known is None or pod is known:
            return pod
        by = overwriter(raw, pod, known)
        return pod if by == pod.overwritten_by else replace(pod, overwritten_by=by)

    def replace(self, pods: Iterable[Pod]) -> None:
        """Take over a complete list; what it does not hold is looked at, and not believed to have left the API."""
        found = {pod.uid: pod for pod in pods}
        listed = {uid: pod for uid, pod in found.items() if uid not in self._buried}
        self._buried &= found.keys()
        self._leaving = {
            uid: began
            for uid, began in self._leaving.items()
            if uid in listed and _ends(listed[uid]) == _ends(self._pods[uid])
        }
        gone = [uid for uid in self._pods if uid not in listed]
        changed = [uid for uid, pod in listed.items() if self._pods.get(uid) != pod]
        self._pods = listed
        self._newest = {_name(pod): pod.uid for pod in listed.values()}
        self.synced = True
        for uid in (*gone, *changed):
            self._changed(uid)

    def apply(self, pod: Pod) -> None:
        """Take over one Pod as added or modified; a version that we wrote ourselves is nothing new."""
        if pod.uid in self._buried:
            return
        known = self._pods.get(pod.uid)
        self._note_leaving(known, pod)
        self._pods[pod.uid] = pod
        if known is None:
            self._newest[_name(pod)] = pod.uid
            self._read_at[pod.uid] = self._clock()
        if known is None or known.metadata.resource_version != pod.metadata.resource_version:
            self._changed(pod.uid)

    def fold(self, pod: Pod) -> None:
        """Take over the answer to a write of ours, unless the watch already brought something newer."""
        known = self._pods.get(pod.uid)
        if known is not None and int(known.metadata.resource_version) <= int(pod.metadata.resource_version):
            self._note_leaving(known, pod)
            self._pods[pod.uid] = pod

    def remove(self, pod: Pod) -> None:
        """Forget a Pod that left the API."""
        self._buried.discard(pod.uid)
        self._pods.pop(pod.uid, None)
        self._leaving.pop(pod.uid, None)
        self._removals[pod.uid] = Removal(grace=pod.metadata.deletion_grace_period_seconds)
        if self._newest.get(_name(pod)) == pod.uid:
            del self._newest[_name(pod)]
        self._changed(pod.uid)

    def find(self, pod: Pod) -> None:
        """Take over a Pod that a list lacked and the API knows all the same, unless it was seen leaving meanwhile."""
        if pod.uid not in self._removals and pod.uid not in self._pods:
            self.apply(pod)

    def bury(self, uid: PodUid) -> None:
        """The API knows the Pod no more; what the watch tells of it until its DELETED event is old."""
        self._buried.add(uid)

    def lose(self, uid: PodUid) -> None:
        """A write was told that there is no such Pod: look at what we know of it as if a list lacked it."""
        if (pod := self._pods.pop(uid, None)) is not None:
            self._leaving.pop(uid, None)
            if self._newest.get(_name(pod)) == uid:
                del self._newest[_name(pod)]
            self._changed(uid)

    def forget(self, uid: PodUid) -> None:
        """Drop the memory of a removal once its job is gone too."""
        self._removals.pop(uid, None)
        self._read_at.pop(uid, None)

    def _note_leaving(self, known: Pod | None, pod: Pod) -> None:
        if known is not None and _ends(pod) is not None and _ends(known) != _ends(pod):
            self._leaving[pod.uid] = self._clock()


def _ends(pod: Pod) -> datetime | None:
    return pod.metadata.deletion_timestamp


def _name(pod: Pod) -> tuple[str, str]:
    return pod.metadata.namespace, pod.metadata.name
