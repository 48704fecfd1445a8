"""A Pod whose status is final: what may still be left of it in Nomad."""

from vnode.pods.actions import Decision, Purge, Stop
from vnode.view.observation import Observation


def decide_ended(observation: Observation) -> Decision:
    """Stop what still runs of a Pod that the API calls ended; a job that ended stays, for its logs are in it.

    A refused Pod has no logs: of it nothing stays.
    """
    job = observation.job
    if job is not None and observation.is_over and observation.memory.refusal is not None:
        return Decision("a refused Pod leaves nothing in Nomad", (Purge(job.namespace, job.id),))
    if job is None or job.stopped or observation.is_over:
        return Decision("the Pod has ended")
    return Decision("the Pod has ended but its job has not", (Stop(job.namespace, job.id),))
