"""The Nomad jobs that are ours, with their allocations and evaluations."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

from translators.identity import JobIdentity, owner_of, uid_of
from translators.records.allocations import Allocation, AllocationId, Evaluation
from translators.records.jobs import JobId, JobStub
from translators.records.pods import PodUid
from vnode.view.observation import JobFacts

_STOP = "job-deregister"
_FINISHED = frozenset({"complete", "failed", "canceled"})


class JobStore:
    """An event stream's sink for jobs: keeps what belongs to our Pods, tells `changed` which UIDs to look at again.

    `is_ours` judges a job's identity: other virtual Nodes, clusters and people may share the Nomad. An allocation
    is kept when `expects` knows its UID, for its line may overtake the answer to its job's registration.
    """

    def __init__(
        self,
        *,
        changed: Callable[[PodUid], None],
        is_ours: Callable[[JobIdentity], bool],
        expects: Callable[[PodUid], bool],
    ) -> None:
        self._changed = changed
        self._is_ours = is_ours
        self._expects = expects
        self._jobs: dict[PodUid, JobFacts] = {}
        self._allocations: dict[PodUid, dict[AllocationId, Allocation]] = {}
        self._evaluations: dict[PodUid, Evaluation] = {}
        self._permits: dict[PodUid, str] = {}
        self._folds: dict[PodUid, int] = {}
        self._fold = 0
        self._heard: dict[PodUid, int] = {}
        self._read_at: dict[PodUid, float] = {}
        self._confirmed: set[PodUid] = set()
        self._last_clients: dict[PodUid, tuple[str, str]] = {}

    def __iter__(self) -> Iterator[JobFacts]:
        return iter(self._jobs.values())

    def __len__(self) -> int:
        return len(self._jobs)

    def get(self, uid: PodUid) -> JobFacts | None:
        """The job of this Pod."""
        return self._jobs.get(uid)

    def allocations(self, uid: PodUid) -> tuple[Allocation, ...]:
        """The allocations of this Pod's job, oldest first."""
        found = self._allocations.get(uid)
        if not found:
            return ()
        if len(found) == 1:
            return tuple(found.values())
        return tuple(sorted(found.values(), key=lambda allocation: allocation.create_index))

    def evaluation(self, uid: PodUid) -> Evaluation | None:
        """The newest evaluation of this Pod's job."""
        return self._evaluations.get(uid)

    def permit(self, uid: PodUid) -> str:
        """The Nomad namespace of this Pod's permit (see `translators.pod_to_job.permit`), empty while it has none."""
        return self._permits.get(uid, "")

    def replace_permits(self, namespace: str, uids: Collection[PodUid], *, since: int) -> None:
        """Take over the complete list of one namespace that was asked for at `since` (see `mark`)."""
        newer = {uid for uid, fold in self._folds.items() if fold > since}
        kept = {uid: at for uid, at in self._permits.items() if at != namespace or uid in newer}
        self._permits = {**{uid: namespace for uid in uids if uid not in newer}, **kept}
        for uid in uids:
            if uid in self._jobs or self._expects(uid):
                self._changed(uid)

    def fold_permit(self, uid: PodUid, namespace: str) -> None:
        """Remember that we wrote the permit, or with an empty namespace that we removed it."""
        self._fold += 1
        self._folds[uid] = self._fold
        if namespace:
            self._permits[uid] = namespace
        else:
            self._permits.pop(uid, None)

    def on_clients(self, clients: Collection[str]) -> list[PodUid]:
        """The Pods with an allocation on one of these clients."""
        return [
            uid for uid, known in self._allocations.items() if any(each.node_id in clients for each in known.values())
        ]

    def last_client(self, uid: PodUid) -> tuple[str, str] | None:
        """The client that may run on what a job was that is gone, by id and name; None where that is not known."""
        return self._last_clients.get(uid)

    def forget_client(self, uid: PodUid) -> None:
        """Nobody will ask for the last client of this Pod any more."""
        self._last_clients.pop(uid, None)

    def is_confirmed(self, uid: PodUid) -> bool:
        """Whether Nomad was asked for this very job since a list lacked it, or told us of our own write."""
        return uid in self._confirmed

    def take_read_at(self, uid: PodUid) -> float | None:
        """When the first line was read that no status tells of yet, monotonic seconds; asking forgets it."""
        return self._read_at.pop(uid, None)

    def mark(self) -> int:
        """A point in time for `replace`: what is told or folded in after it is newer than a list asked for then."""
        return self._fold

    def replace(
        self, namespace: str, jobs: Iterable[JobStub], allocations: Iterable[Allocation], *, since: int
    ) -> None:
        """Take over complete lists of one namespace that were asked for at `since` (see `mark`).

        They count also where they show an older state than we knew then: Nomad's was restored from a snapshot.
        """
        listed = {identity.uid: stub for stub in jobs if (identity := self._identity(stub)) is not None}
        kept = {uid for uid, job in self._jobs.items() if job.namespace != namespace or self._folds.get(uid, 0) > since}
        vanished = [uid for uid in self._jobs if uid not in kept and uid not in listed]
        vanished += [uid for uid in self._without_job(namespace, since) if uid not in listed]
        for uid in vanished:
            self.forget(uid)
        for uid, stub in listed.items():
            self._take(stub, over=self._folds.get(uid, 0) <= since)
        for allocation in allocations:
            self._forget_newer(allocation, since)
            self.apply_allocation(allocation)
        for uid in (*vanished, *listed):
            self._changed(uid)

    def _without_job(self, namespace: str, since: int) -> Iterator[PodUid]:
        """Those of whose job an allocation told alone, for the answer to its registration was lost."""
        for uid, known in self._allocations.items():
            heard_before = self._heard.get(uid, 0) <= since
            if uid not in self._jobs and heard_before and any(each.namespace == namespace for each in known.values()):
                yield uid

    def apply_job(self, stub: JobStub) -> None:
        """Take over one job as it was read."""
        if (identity := self._identity(stub)) is not None:
            self._take(stub)
            self._changed(identity.uid)

    def fold(self, facts: JobFacts) -> None:
        """Take over a job that we just registered, stopped or found."""
        self._fold += 1
        self._folds[facts.identity.uid] = self._fold
        self._jobs[facts.identity.uid] = facts
        self._confirmed.add(facts.identity.uid)
        self._last_clients.pop(facts.identity.uid, None)

    def fold_stopped(self, uid: PodUid, *, resolved: bool) -> None:
        """Remember that the job was stopped; `resolved` when there was nothing to evaluate."""
        if (known := self._jobs.get(uid)) is not None:
            self.fold(replace(known, stopped=True, resolved=known.resolved or resolved))

    def apply_allocation(self, allocation: Allocation, read_at: float | None = None) -> None:
        """Take over an allocation unless a newer state of it is known; `read_at` is when its line was read."""
        uid = uid_of(allocation.job_id)
        if uid is None or not (uid in self._jobs or self._expects(uid)):
            return
        known = self._allocations.setdefault(uid, {})
        identity = AllocationId(allocation.id)
        before = known.get(identity)
        if before is None or before.modify_index < allocation.modify_index:
            known[identity] = allocation
            if read_at is not None:
                self._fold += 1
                self._heard[uid] = self._fold
                self._read_at.setdefault(uid, read_at)
            self._changed(uid)

    def _forget_newer(self, listed: Allocation, since: int) -> None:
        """A list is the truth of its time: a state with a higher index that was known before is not."""
        uid = uid_of(listed.job_id)
        if uid is None or self._heard.get(uid, 0) > since:
            return
        known = self._allocations.get(uid, {})
        before = known.get(AllocationId(listed.id))
        if before is not None and before.modify_index > listed.modify_index:
            del known[AllocationId(listed.id)]
            self._evaluations.pop(uid, None)

    def apply_evaluation(self, evaluation: Evaluation) -> None:
        """Take over an evaluation unless a newer one is known; a finished stop resolves its job."""
        uid = uid_of(evaluation.job_id)
        if uid is None or not (uid in self._jobs or self._expects(uid)):
            return
        before = self._evaluations.get(uid)
        if (before is not None and _is_known(before, evaluation)) or self._ends_a_former_job(uid, evaluation):
            return
        self._evaluations[uid] = evaluation
        if evaluation.triggered_by == _STOP and evaluation.status in _FINISHED:
            self.fold_stopped(uid, resolved=True)
        if _says_something(evaluation) or (before is not None and _says_something(before)):
            self._changed(uid)

    def _ends_a_former_job(self, uid: PodUid, evaluation: Evaluation) -> bool:
        """Whether it belongs to the removal of a job in whose place another one has been registered since."""
        job = self._jobs.get(uid)
        if job is None or job.stopped:
            return False
        return evaluation.triggered_by == _STOP and evaluation.modify_index < job.modify_index

    def replace_one(
        self, uid: PodUid, stub: JobStub | None, allocations: Iterable[Allocation], evaluations: Iterable[Evaluation]
    ) -> None:
        """Take over everything about one Pod as it was just read, the absence of its job included."""
        if stub is None or self._identity(stub) is None:
            self.forget(uid)
            self._confirmed.add(uid)
        else:
            self._confirmed.add(uid)
            self._take(stub)
            self._fold += 1
            self._heard[uid] = self._fold
            stops = [evaluation for evaluation in evaluations if evaluation.triggered_by == _STOP]
            if stub.stop and all(evaluation.status in _FINISHED for evaluation in stops):
                self.fold_stopped(uid, resolved=True)
            for allocation in allocations:
                self.apply_allocation(allocation)
            for evaluation in evaluations:
                self.apply_evaluation(evaluation)
        self._changed(uid)

    def forget(self, uid: PodUid) -> None:
        """Drop a job that is gone, with all that belonged to it but where it may run on."""
        lasting = [allocation for allocation in self.allocations(uid) if not allocation.is_terminal]
        if lasting:
            self._last_clients[uid] = lasting[-1].node_id, lasting[-1].node_name or lasting[-1].node_id
        for table in (self._jobs, self._allocations, self._evaluations, self._folds, self._heard, self._read_at):
            table.pop(uid, None)
        self._confirmed.discard(uid)

    def _identity(self, stub: JobStub) -> JobIdentity | None:
        identity = owner_of(stub)
        return identity if identity is not None and self._is_ours(identity) else None

    def _take(self, stub: JobStub, *, over: bool = False) -> None:
        """Take over a job unless a newer state of it is known; `over` takes it whatever is known."""
        identity = owner_of(stub)
        if identity is None:
            return
        known = self._jobs.get(identity.uid)
        if known is not None and known.modify_index > stub.modify_index and not over:
            return
        self._last_clients.pop(identity.uid, None)
        self._jobs[identity.uid] = JobFacts(
            id=JobId(stub.id),
            namespace=stub.namespace,
            identity=identity,
            stopped=stub.stop,
            resolved=stub.stop and known is not None and known.resolved,
            modify_index=stub.modify_index,
            job_modify_index=stub.job_modify_index,
        )


def _says_something(evaluation: Evaluation) -> bool:
    """Whether more follows from it than the allocation will tell: the end of a stop, or that there is no place."""
    unplaced = bool(evaluation.failed_tg_allocs) or evaluation.status in {"blocked", "failed"}
    return unplaced or (evaluation.triggered_by == _STOP and evaluation.status in _FINISHED)


def _is_known(before: Evaluation, evaluation: Evaluation) -> bool:
    """A stop is finished at the very index at which it cancels a blocked evaluation: neither makes the other old."""
    if before.modify_index == evaluation.modify_index:
        return before.id == evaluation.id
    return before.modify_index > evaluation.modify_index
