"""From states to what `decide` reads, and from what it decides back to states."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from tests.model.interned import Interned
from tests.model.states import GRACE_UNKNOWN, NONE, NOT_SEEN, Allocation, ApiPod, Life, Seen, Task
from tests.unit.pods.observations import circumstances
from tests.unit.translators.allocation_to_status.api_server import merge
from translators.identity import job_id, meta, owner_of
from translators.records import allocations as records
from translators.records.jobs import Job, JobId, JobStub
from translators.records.pods import Pod, PodStatus, PodUid
from translators.support import decode_pod
from vnode.pods.actions import Decision
from vnode.pods.decide import RULES, Rules, decide
from vnode.view.observation import JobFacts, Memory, Observation, Removal

START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
#: Longer than every delay, grace and toleration.
TICK = timedelta(seconds=700)
GRACE = 30
_AGE = timedelta(minutes=1)
_SECOND = 1_000_000_000
_WHY = {
    "lost": "alloc is lost since its node is down",
    "job": "alloc not needed due to job update",
    "changed": "alloc is being updated due to job update",
}
_IMAGE = "busybox:"
_STATUS = TypeAdapter(PodStatus)

Names = Interned[Any]


class Scenario:
    """What stays the same in one exploration: the Pod's spec, the rules, and numbers for statuses and decisions."""

    def __init__(
        self,
        policy: str,
        rules: Rules = RULES,
        *,
        deaf: bool = False,
        finalizer: bool = False,
        impossible: bool = False,
        owner: str = "",
        images: bool = False,
    ) -> None:
        self.policy = policy
        self.rules = rules
        #: It ignores SIGTERM.
        self.deaf = deaf
        #: Something holds its object.
        self.finalizer = finalizer
        #: It can never start as it is written, which only Nomad's client finds.
        self.impossible = impossible
        #: What controls it.
        self.owner = owner
        #: It runs an image, which is changed.
        self.images = images
        self.statuses: Interned[dict[str, Any]] = Interned()
        self.memories: Interned[Memory] = Interned()
        self.decisions: Interned[Decision] = Interned()
        self.no_memory = self.memories.number("", Memory())
        self.fresh = self.statuses.number("", {"phase": "Pending"})
        self._decided: dict[Any, int] = {}
        self._patched: dict[tuple[int, int, int], int] = {}
        self._pods: dict[Any, Pod] = {}
        known = circumstances()
        docker = replace(known.job, default_driver="docker")
        self._circumstances = replace(known, job=docker) if images else known

    def now(self, tick: int) -> datetime:
        """The time of a tick."""
        return START + tick * TICK

    def memory(self, memory: Memory) -> int:
        """The number of a memory."""
        return self.memories.number(repr(memory) if memory != Memory() else "", memory)

    def patch(self, status: int, body: dict[str, Any]) -> int:
        """The number of the status after a patch."""
        return self.status(merge(self.statuses[status], body))

    def status(self, found: dict[str, Any]) -> int:
        """The number of a status."""
        return self.statuses.number(repr(found), found)

    def image_of(self, job: Job) -> int:
        """The image that a job runs."""
        return int(job.task_groups[0].tasks[0].config.get("image", "0").removeprefix(_IMAGE))

    def pod(self, index: int, held: ApiPod) -> Pod:
        """The record of a Pod."""
        key = (index, held)
        if key not in self._pods:
            self._pods[key] = self._pod(index, held)
        return self._pods[key]

    def decide(self, life: Life, index: int, tick: int, predecessor: bool) -> int:  # noqa: FBT001 - a fact
        """The number of what is decided about a Pod."""
        seen = life.vnode.seen
        key = (seen, life.vnode.memory, index, tick, predecessor)
        found = self._decided.get(key)
        if found is None:
            decision = decide(
                self.observation(life, index, predecessor=predecessor), self._circumstances, self.now(tick), self.rules
            )
            found = self._decided[key] = self.decisions.number(repr(decision), decision)
        return found

    def observation(self, life: Life, index: int, *, predecessor: bool) -> Observation:
        """What the view shows of a Pod."""
        seen = life.vnode.seen
        facts = self._job(index, seen)
        return Observation(
            uid=uid(index),
            pod=self.pod(index, seen.pod) if seen.pod else None,
            removal=_removal(seen),
            absent=seen.absent,
            job=facts,
            confirmed=seen.confirmed,
            allocations=tuple(self._allocation(index, each, seen.client) for each in seen.allocations),
            evaluation=_evaluation(index, seen),
            predecessor=JobId("vk-earlier") if predecessor else None,
            stranded_at="a" if facts is None and seen.client == "down" and self._ran_on(seen) == "a" else "",
            left_behind=facts is None and seen.left != "",
            permit="default" if seen.permit else "",
            memory=self.memories[life.vnode.memory],
        )

    def _ran_on(self, seen: Seen) -> str:
        containers = self.statuses[seen.pod.status].get("containerStatuses", ()) if seen.pod else ()
        return seen.left or ("a" if any("running" in each["state"] for each in containers) else "")

    def _pod(self, index: int, held: ApiPod) -> Pod:
        metadata: dict[str, Any] = {
            "name": "web",
            "namespace": "shop",
            "uid": uid(index),
            "resourceVersion": "1",
            "creationTimestamp": (START - _AGE).isoformat(),
        }
        if self.owner:
            reference = {"kind": self.owner, "name": "web", "uid": "owner-1", "controller": True}
            metadata["ownerReferences"] = [reference]
        if held.grace != NONE:
            ends = self.now(held.deleted_at) + timedelta(seconds=held.grace)
            metadata |= {"deletionTimestamp": ends.isoformat(), "deletionGracePeriodSeconds": held.grace}
        image = f"{_IMAGE}{held.image}" if self.images else "nomad.local/binary"
        container = {"name": "app", "image": image, "command": ["/bin/true"]}
        spec = {"restartPolicy": self.policy, "terminationGracePeriodSeconds": GRACE, "containers": [container]}
        decoded = decode_pod({"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}})
        return replace(decoded, status=_STATUS.validate_python(self.statuses[held.status]))

    def _job(self, index: int, seen: Seen) -> JobFacts | None:
        if seen.job is None:
            return None
        submitted = self.pod(index, ApiPod(status=self.fresh, image=seen.job.image))
        identity = owner_of(JobStub(id=job_id(uid(index)), meta=meta(submitted, "c1", "nomad")))
        assert identity is not None
        return JobFacts(
            id=job_id(uid(index)),
            namespace="default",
            identity=identity,
            stopped=seen.job.stopped,
            resolved=seen.job.stopped and seen.job.evaluated,
            modify_index=1,
            job_modify_index=seen.job.version,
        )

    def _allocation(self, index: int, known: Allocation, client: str) -> records.Allocation:
        status = known.status
        if status == "lost" and known.client == "a" and client == "down":
            status = "unknown"
        moment = int(self.now(known.modified_at).timestamp() * 1e9)
        return records.Allocation(
            id=f"a{known.number}",
            job_id=job_id(uid(index)),
            node_id=known.client,
            client_status=status,
            desired_status=known.desired,
            desired_description=_WHY.get(known.why, known.why),
            desired_transition=records.DesiredTransition(migrate=known.why == "drained" or None),
            task_states={"app": _task(known.told, moment)},
            create_index=known.number,
            modify_time=moment,
        )


def uid(index: int) -> PodUid:
    """The UID of a Pod."""
    return PodUid(f"u{index}")


def _removal(seen: Seen) -> Removal | None:
    if seen.pod is not None or seen.removal == NOT_SEEN:
        return None
    return Removal(grace=None if seen.removal == GRACE_UNKNOWN else seen.removal)


def _evaluation(index: int, seen: Seen) -> records.Evaluation | None:
    at, finished = seen.ending
    if not at:
        return None
    status = "complete" if finished else "pending"
    return records.Evaluation(
        id=f"e{at}", job_id=job_id(uid(index)), triggered_by="job-deregister", status=status, modify_index=at
    )


def _task(task: Task, moment: int) -> records.TaskState:
    events = [records.TaskEvent(type="Received", time=moment)]
    if task.starts:
        events.append(records.TaskEvent(type="Started", time=moment))
    if task.failure:
        kind = {"for ever": "Failed Artifact Download", "for now": "Setup Failure", "permit": "Killing"}[task.failure]
        details = {"download_error": "Checksums did not match"} if task.failure == "for ever" else {}
        events.append(records.TaskEvent(type=kind, time=moment, details=details))
    if task.killed:
        events.append(records.TaskEvent(type="Killing", time=moment))
    if task.starts and task.state in {"waits", "ended"}:
        events.append(records.TaskEvent(type="Terminated", time=moment, details={"exit_code": str(task.code)}))
    if task.state == "waits":
        details = {"start_delay": str(10 * _SECOND)}
        events.append(records.TaskEvent(type="Restarting", time=moment, details=details))
    return records.TaskState(
        state={"runs": "running", "ended": "dead"}.get(task.state, "pending"),
        failed=task.state == "ended" and (task.failure != "" or task.code > 0) and not task.killed,
        restarts=task.starts if task.state == "waits" else max(0, task.starts - 1),
        started_at="2026-01-01T12:00:00Z" if task.starts else None,
        events=tuple(events),
    )
