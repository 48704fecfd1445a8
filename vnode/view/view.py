"""The view: both sides as far as we know them, and the observation of one Pod out of it."""

from collections.abc import Callable, Collection, Container
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from translators.identity import JobIdentity, job_id
from translators.material import NOTHING, Material
from translators.port_addresses import Placement
from translators.records.allocations import GONE, Allocation
from translators.records.jobs import JobId
from translators.records.pods import Pod, PodUid
from translators.references import References
from vnode.view.claims import ClaimStore
from vnode.view.clients import ClientStore
from vnode.view.health import HealthStore
from vnode.view.jobs import JobStore
from vnode.view.objects import ObjectStore
from vnode.view.observation import Memory, Observation, OwnerHistory
from vnode.view.pods import PodStore

_Name = tuple[str, str]
_NO_MEMORY = Memory()
_LOST, _READY = "lost", "ready"
_OVER = frozenset({"Succeeded", "Failed"})
_TOLD = frozenset({_READY, GONE})


class View:
    """Everything that decisions rest on; it does no I/O and takes no decision.

    `changed` is called with every UID that is worth a look, `capacity_changed` when clients differ. A change
    of one Pod also wakes the other Pods of its name, which may have waited for its end. `forgotten` is told when
    a UID is gone on both sides. `chosen` restricts the view to some UIDs, for work on nothing else. `references` finds
    which objects a Pod names.
    """

    def __init__(
        self,
        *,
        cluster: str,
        node: str,
        changed: Callable[[PodUid], None],
        capacity_changed: Callable[[], None],
        clock: Callable[[], float],
        forgotten: Callable[[PodUid], None] = lambda _: None,
        chosen: Container[PodUid] | None = None,
        references: Callable[[Pod], References] = lambda _: References(),
    ) -> None:
        self._notify = changed
        self._mine = (cluster, node)
        self._chosen = chosen
        self._forgotten = forgotten
        self.pods = PodStore(self._changed, clock)
        self.jobs = JobStore(changed=self._changed, is_ours=self.is_ours, expects=lambda uid: uid in self.pods)
        self.clients = ClientStore(capacity_changed, self._clients_turned)
        self.objects = ObjectStore(changed, references)
        self.claims = ClaimStore(changed)
        self.health = HealthStore()
        self._names: dict[_Name, set[PodUid]] = {}
        self._named: dict[PodUid, _Name] = {}
        self._memories: dict[PodUid, Memory] = {}
        self._absent: set[PodUid] = set()
        self._owners: dict[tuple[str, str], OwnerHistory] = {}

    def is_ours(self, identity: JobIdentity) -> bool:
        """Whether a job was registered for this cluster and this virtual Node."""
        mine = (identity.cluster, identity.node) == self._mine
        return mine and (self._chosen is None or identity.uid in self._chosen)

    def observation(self, uid: PodUid) -> Observation:
        """One Pod, or its absence, at this moment."""
        pod, job = self.pods.get(uid), self.jobs.get(uid)
        memory = self._memories.get(uid, Memory())
        allocations = self._allocations(uid)
        return Observation(
            uid=uid,
            pod=pod,
            removal=None if pod is not None else self.pods.removal(uid),
            leaving_for=self.pods.leaving_for(uid),
            absent=uid in self._absent,
            job=job,
            confirmed=self.jobs.is_confirmed(uid),
            allocations=allocations,
            evaluation=self.jobs.evaluation(uid),
            predecessor=self._predecessor(pod),
            host_ip=self.clients.address(allocations[-1].node_id) if allocations else "",
            stranded_at=self._stranded_at(pod) if pod is not None and job is None else "",
            left_behind=job is None and self.jobs.last_client(uid) is not None,
            permit=self.jobs.permit(uid),
            material=self._material(pod) if pod is not None else NOTHING,
            health=self.health.of(uid),
            memory=memory,
            owner_history=self.owner_history(pod, memory.refusal.reason if memory.refusal else ""),
        )

    def placement(self, uid: PodUid) -> Placement | None:
        """Where a Pod runs now; None while it has no allocation that could run it."""
        allocation = next((one for one in reversed(self._allocations(uid)) if not one.is_terminal), None)
        if allocation is None:
            return None
        return Placement(allocation=allocation, host_ip=self.clients.address(allocation.node_id))

    def remember(self, uid: PodUid, **changes: Any) -> None:
        """Note something that we did or met with a Pod, see `Memory`."""
        self._memories[uid] = replace(self._memories.get(uid, Memory()), **changes)

    def shift(self, step: timedelta) -> None:
        """The clock was set by so much: what we remember by it was then, by the time that it shows now."""
        self._memories = {uid: memory.shifted(step) for uid, memory in self._memories.items()}
        self._owners = {owner: history.shifted(step) for owner, history in self._owners.items()}
        self.objects.shift(step)

    def confirm_absence(self, uid: PodUid) -> None:
        """Note that the API was asked and knows no such Pod."""
        self._absent.add(uid)
        self.pods.bury(uid)

    def owner_history(self, pod: Pod | None, reason: str) -> OwnerHistory:
        """How often Pods of this Pod's controller were failed for `reason`."""
        return self._owners.get((_controller(pod), reason), OwnerHistory()) if pod else OwnerHistory()

    def remember_failure(self, pod: Pod, reason: str, now: datetime) -> None:
        """Note that a Pod was failed, for the back-off of its owner."""
        key = (_controller(pod), reason)
        if key[0]:
            history = self._owners.get(key, OwnerHistory())
            self._owners[key] = OwnerHistory(failures=history.failures + 1, last=now)

    def forget(self, uid: PodUid) -> None:
        """Drop what is left of a Pod that is gone on both sides."""
        self.jobs.forget(uid)
        self.jobs.forget_client(uid)
        self.pods.forget(uid)
        self.health.forget(uid)
        self._memories.pop(uid, None)
        self._absent.discard(uid)
        if (name := self._named.pop(uid, None)) is not None:
            self._wake_others(name, uid)
            self._names[name].discard(uid)
            if not self._names[name]:
                del self._names[name]
        self._forgotten(uid)

    def _changed(self, uid: PodUid) -> None:
        pod = self.pods.get(uid)
        self.objects.look(uid, pod)
        self.claims.look(uid, pod)
        self._notify(uid)
        if (name := self._name(uid)) is not None:
            self._named[uid] = name
            self._names.setdefault(name, set()).add(uid)
            self._wake_others(name, uid)

    def _material(self, pod: Pod) -> Material:
        material, claims = self.objects.material(pod), self.claims.of(pod)
        return material if claims is None else replace(material, claims=claims)

    def _wake_others(self, name: _Name, uid: PodUid) -> None:
        for other in self._names.get(name, ()):
            if other != uid:
                self._notify(other)

    def _name(self, uid: PodUid) -> _Name | None:
        if (pod := self.pods.get(uid)) is not None:
            return pod.metadata.namespace, pod.metadata.name
        if (job := self.jobs.get(uid)) is not None:
            return job.identity.namespace, job.identity.pod
        return None

    def _predecessor(self, pod: Pod | None) -> JobId | None:
        if pod is None:
            return None
        for other in self._names.get((pod.metadata.namespace, pod.metadata.name), ()):
            if other != pod.uid and not self._is_over(other):
                return job_id(other)
        return None

    def _is_over(self, uid: PodUid) -> bool:
        if self.jobs.get(uid) is None:
            # A registration that is under way, or whose answer was lost, may yet make one.
            return self.jobs.is_confirmed(uid) or not self._memories.get(uid, _NO_MEMORY).submitted_to
        return Observation(uid=uid, job=self.jobs.get(uid), allocations=self._allocations(uid)).is_over

    def _allocations(self, uid: PodUid) -> tuple[Allocation, ...]:
        """A client that was lost is ready again only after it told what became of its allocations.

        Source: nomad/node_endpoint.go UpdateStatus. One that is gone will never tell.
        """
        found = self.jobs.allocations(uid)
        if all(each.client_status != _LOST for each in found):
            return found
        return tuple(
            replace(each, client_status="unknown")
            if each.client_status == _LOST and self.clients.status(each.node_id) not in _TOLD
            else each
            for each in found
        )

    def _stranded_at(self, pod: Pod) -> str:
        """The client that runs a Pod on whose job is gone, while Nomad does not know it as ready.

        Servers that lost their data know no client; one ends what it runs as soon as it is known again and told
        nothing of it. After a start of ours only the address is known, which is that of the client's machine.
        """
        if not self.clients.synced:
            return ""
        client = self.jobs.last_client(pod.uid)
        if client is not None:
            identity, name = client
            return "" if self.clients.status(identity) == _READY else name
        address = pod.status.host_ip
        if not address:
            return ""
        known = any(each.status == _READY and self.clients.address(each.id) == address for each in self.clients)
        return "" if known else address

    def _clients_turned(self, clients: Collection[str]) -> None:
        for uid in self.jobs.on_clients(clients):
            self._changed(uid)
        for pod in list(self.pods):
            if pod.status.phase not in _OVER and self.jobs.get(pod.uid) is None:
                self._changed(pod.uid)


def _controller(pod: Pod | None) -> str:
    owners = pod.metadata.owner_references if pod else ()
    return next((owner.uid for owner in owners if owner.controller), "")
