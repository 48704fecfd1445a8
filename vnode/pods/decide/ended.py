"""A Pod whose status is final: what may still be left of it in Nomad."""

from vnode.pods.actions import Decision, Stop
from vnode.view.observation import Observation


def decide_ended(observation: Observation) -> Decision:
    """Stop what still runs of a Pod that the API calls ended; a job that ended stays, for its logs are in it."""
    job = observation.job
    if job is None or job.stopped or observation.is_over:
        return Decision("the Pod has ended")
    return Decision("the Pod has ended but its job has not", (Stop(job.namespace, job.id),))
