"""A job that somebody else ended, or removed from Nomad.

Nomad forgets the tasks of a job that is removed at once; they run on for their grace period, and nobody can ask for
them. Until then nothing is started in their place, the Pod is not called ended, and does not leave.

Servers that lost their data forget the clients too. Then the tasks run on until their client is known again: it ends
what it is not told of (nomad client/client.go runAllocs), and only from then on a grace period is waited for.
"""

from datetime import timedelta

from translators.allocation_to_status import EventNote, disruption, pod_events, status_patch, stranded_status
from translators.tolerations import bears_a_lost_client
from vnode.pods.actions import Action, Decision, EvictPod, Note, PatchStatus, Remember, Reread
from vnode.pods.decide.look import Look
from vnode.view.observation import Observation

MISSING = "NomadJobMissing"
REMOVED = "Its job was removed from Nomad, and not by Kubernetes"

#: What a client that is known again takes at most to be told what it is to run.
_TOLD = timedelta(seconds=5)


def wait_for_what_may_run_on(look: Look, outlook: str) -> Decision | None:
    """Wait for the end of the grace period that began when the job was found to be gone; say what comes then."""
    if not any(status.state.running is not None for status in look.pod.status.container_statuses):
        return None
    memory = look.observation.memory
    if look.observation.stranded_at:
        return _wait_for_its_client(look)
    grace = timedelta(seconds=look.pod.spec.termination_grace_period_seconds)
    if memory.stranded:
        grace += _TOLD
    missing_at = memory.missing_at
    if missing_at is None:
        text = f"{REMOVED}; {outlook} in {grace.total_seconds():.0f} s, until when its containers may run on"
        event = Note(EventNote("Warning", MISSING, text, ""))
        return Decision("its job is gone", (event, Remember({"missing_at": look.now})), look.now + grace)
    due = missing_at + grace
    return None if due <= look.now else Decision("its containers may run on without a job", wake_at=due)


def _wait_for_its_client(look: Look) -> Decision:
    """Say that it may run on, and let its controller replace it after the time that it bears the loss of its machine.

    The time is counted from when the API was told, so that a start of ours does not begin it anew.
    """
    memory, pod, client = look.observation.memory, look.pod, look.observation.stranded_at
    stranded = stranded_status(pod, client, look.now)
    known = memory.stranded and memory.missing_at is None
    noted: tuple[Action, ...] = () if known else (Remember({"stranded": True, "missing_at": None}),)
    told: tuple[Action, ...]
    patience = bears_a_lost_client(pod)
    due = None if patience is None else look.now + patience
    for each in stranded.conditions:
        if each.type == "Ready" and each.last_transition_time is not None and patience is not None:
            due = each.last_transition_time + patience
    leaves = pod.metadata.deletion_timestamp is not None or memory.evicted
    if due is None or leaves or look.now < due:
        body = status_patch(pod, stranded)
        told = () if body is None else (PatchStatus(body), *map(Note, pod_events(pod, stranded)))
        return Decision("nobody ends what may run", (*noted, *told), None if leaves else due)
    message = f"Nomad has forgotten its client {client} for longer than the Pod tolerates"
    body = status_patch(pod, disruption(pod, stranded, message, look.now))
    told = () if body is None else (PatchStatus(body),)
    event = Note(EventNote("Warning", "NodeLost", f"{message}; it is deleted", ""))
    evicted = (EvictPod(), Remember({"evicted": True}), event)
    return Decision("its client is forgotten for too long", (*noted, *told, *evicted))


def read_what_somebody_ended(observation: Observation) -> Decision | None:
    """Look closer, once: allocations of a job that was removed go without an event; only its evaluation is one."""
    evaluation, job, memory = observation.evaluation, observation.job, observation.memory
    if job is None or evaluation is None or evaluation.triggered_by != "job-deregister" or observation.is_over:
        return None
    if evaluation.id == memory.stop_evaluation or memory.reread_at >= evaluation.modify_index:
        return None
    read = Reread(job.namespace, job.id)
    return Decision("somebody ended its job", (read, Remember({"reread_at": evaluation.modify_index})))
