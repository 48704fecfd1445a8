"""A job that somebody else ended, or removed from Nomad.

Nomad forgets the tasks of a job that is removed at once; they run on for their grace period, and nobody can ask for
them. Until then nothing is started in their place, and the Pod does not leave.
"""

from datetime import timedelta

from translators.allocation_to_status import EventNote
from vnode.pods.actions import Decision, Note, Remember, Reread
from vnode.pods.decide.look import Look
from vnode.view.observation import Observation

MISSING = "NomadJobMissing"
REMOVED = "Its job was removed from Nomad, and not by Kubernetes"


def wait_for_what_may_run_on(look: Look, outlook: str) -> Decision | None:
    """Wait for the end of the grace period that began when the job was found to be gone; say what comes then."""
    if not any(status.state.running is not None for status in look.pod.status.container_statuses):
        return None
    missing_at = look.observation.memory.missing_at
    grace = timedelta(seconds=look.pod.spec.termination_grace_period_seconds)
    if missing_at is None:
        text = f"{REMOVED}; {outlook} in {grace.total_seconds():.0f} s, until when its containers may run on"
        event = Note(EventNote("Warning", MISSING, text, ""))
        return Decision("its job is gone", (event, Remember({"missing_at": look.now})), look.now + grace)
    due = missing_at + grace
    return None if due <= look.now else Decision("its containers may run on without a job", wake_at=due)


def read_what_somebody_ended(observation: Observation) -> Decision | None:
    """Look closer, once: allocations of a job that was removed go without an event; only its evaluation is one."""
    evaluation, job, memory = observation.evaluation, observation.job, observation.memory
    if job is None or evaluation is None or evaluation.triggered_by != "job-deregister" or observation.is_over:
        return None
    if evaluation.id == memory.stop_evaluation or memory.reread_at >= evaluation.modify_index:
        return None
    read = Reread(job.namespace, job.id)
    return Decision("somebody ended its job", (read, Remember({"reread_at": evaluation.modify_index})))
