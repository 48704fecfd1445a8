"""A job that somebody else ended, or removed from Nomad.

Nomad forgets the tasks of a job that is removed at once; they run on for their grace period, and nobody can ask for
them. Until then nothing is started in their place, the Pod is not called ended, and does not leave.

Servers that lost their data forget the clients too. Then the tasks run on until their client is known again: it ends
what it is not told of (nomad client/client.go runAllocs), and only from then on a grace period is waited for.
"""

from datetime import datetime, timedelta

from translators.allocation_to_status import NODE_LOST, EventNote, disruption, pod_events, status_patch, stranded_status
from translators.records.pods import PodStatus
from translators.tolerations import bears_a_lost_client
from vnode.pods.actions import Action, Decision, EvictPod, Note, PatchStatus, Remember, Reread
from vnode.pods.decide.look import Look
from vnode.view.observation import Observation

MISSING = "NomadJobMissing"
REMOVED = "Its job was removed from Nomad, and not by Kubernetes"

#: What a client that is known again takes at most to be told what it is to run: its first question may be refused for
#: an identity of before, and its second one comes after 30 s and up to as much again (nomad client/client.go
#: getAllocRetryIntv, retryIntv).
_TOLD = timedelta(seconds=60)


def wait_for_what_may_run_on(look: Look, outlook: str) -> Decision | None:
    """Wait for the end of the grace period that began when the job was found to be gone; say what comes then."""
    if look.pod.status.phase in {"Succeeded", "Failed"}:
        return None
    memory = look.observation.memory
    stranded = look.observation.stranded_at != "" or memory.stranded_since is not None
    shown = any(status.state.running is not None for status in look.pod.status.container_statuses)
    # Its start may have been told to nobody yet.
    if not (stranded or shown or look.observation.left_behind):
        return None
    if look.observation.stranded_at:
        return _wait_for_its_client(look)
    grace = timedelta(seconds=look.pod.spec.termination_grace_period_seconds)
    if memory.stranded_since is not None:
        grace += _TOLD
    missing_at = memory.missing_at
    if missing_at is None:
        text = f"{REMOVED}; {outlook} in {grace.total_seconds():.0f} s, until when its containers may run on"
        event = Note(EventNote("Warning", MISSING, text, ""))
        return Decision("its job is gone", (event, Remember({"missing_at": look.now})), look.now + grace)
    due = missing_at + grace
    return None if due <= look.now else Decision("its containers may run on without a job", wake_at=due)


def _wait_for_its_client(look: Look) -> Decision:
    """Say that it may run on; its controller may replace it after the time that it bears the loss of its machine."""
    memory, pod = look.observation.memory, look.pod
    stranded = stranded_status(pod, look.observation.stranded_at, look.now)
    known = memory.stranded_since is not None and memory.missing_at is None
    noted: tuple[Action, ...] = () if known else (Remember({"stranded_since": look.now, "missing_at": None}),)
    due = _evicted_at(look)
    if due is not None and due <= look.now:
        return Decision("its client is forgotten for too long", (*noted, *_evict(look, stranded)))
    body = status_patch(pod, stranded)
    told: tuple[Action, ...] = () if body is None else (PatchStatus(body), *map(Note, pod_events(pod, stranded)))
    return Decision("nobody ends what may run", (*noted, *told), due)


def _evicted_at(look: Look) -> datetime | None:
    patience, memory = bears_a_lost_client(look.pod), look.observation.memory
    if patience is None or look.pod.metadata.deletion_timestamp is not None or memory.evicted:
        return None
    return (memory.stranded_since or look.now) + patience


def _evict(look: Look, stranded: PodStatus) -> tuple[Action, ...]:
    message = f"Nomad has forgotten its client {look.observation.stranded_at} for longer than the Pod tolerates"
    body = status_patch(look.pod, disruption(look.pod, stranded, NODE_LOST, message, look.now))
    told: tuple[Action, ...] = () if body is None else (PatchStatus(body),)
    event = Note(EventNote("Warning", "NodeLost", f"{message}; it is deleted", ""))
    return (*told, EvictPod(), Remember({"evicted": True}), event)


def read_what_somebody_ended(observation: Observation) -> Decision | None:
    """Look closer, once: allocations of a job that was removed go without an event; only its evaluation is one."""
    evaluation, job, memory = observation.evaluation, observation.job, observation.memory
    if job is None or evaluation is None or evaluation.triggered_by != "job-deregister" or observation.is_over:
        return None
    if evaluation.id == memory.stop_evaluation or memory.reread_at >= evaluation.modify_index:
        return None
    read = Reread(job.namespace, job.id)
    return Decision("somebody ended its job", (read, Remember({"reread_at": evaluation.modify_index})))
