"""A Pod whose status is final: what may still be left of it in Nomad.

A job that ended stays, for its logs are in it.
"""

from translators.identity import job_id
from vnode.pods.actions import Decision, Forbid, Purge, Stop
from vnode.pods.decide.data import withdrawal
from vnode.pods.decide.look import Look, Rule


def _forbid_further_starts(look: Look) -> Decision | None:
    observation = look.observation
    if not observation.permit:
        return None
    return Decision("nothing of it is started again", (Forbid(observation.permit, job_id(look.pod.uid)),), look.now)


def _remove_what_was_refused(look: Look) -> Decision | None:
    observation, job = look.observation, look.observation.job
    if job is None or observation.memory.refusal is None or not observation.is_over:
        return None
    purge = Purge(job.namespace, job.id)
    return Decision("a refused Pod leaves nothing in Nomad", (*withdrawal(observation), purge))


def _stop_what_runs_on(look: Look) -> Decision | None:
    """Also what Nomad ended itself, by a drain for example: any later evaluation may start it anew."""
    observation, job = look.observation, look.observation.job
    if job is None or job.stopped:
        return None
    if observation.is_over and all(each.desired_status == "run" for each in observation.allocations):
        return None
    return Decision("the Pod has ended but its job has not", (Stop(job.namespace, job.id),))


RULES = (
    Rule("forbid further starts", _forbid_further_starts),
    Rule("remove what was refused", _remove_what_was_refused),
    Rule("stop what runs on", _stop_what_runs_on),
)
