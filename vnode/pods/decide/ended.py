"""A Pod whose status is final: what may still be left of it in Nomad.

A job that ended stays, for its logs are in it.
"""

from translators.identity import job_id
from vnode.pods.actions import Decision, Purge, Reread, Stop
from vnode.pods.decide import overwritten
from vnode.pods.decide.data import withdrawal
from vnode.pods.decide.look import Look, Rule
from vnode.pods.decide.permits import forbid


def _forbid_further_starts(look: Look) -> Decision | None:
    actions = forbid(look.observation)
    return Decision("nothing of it is started again", actions, look.now) if actions else None


def _remove_what_was_refused(look: Look) -> Decision | None:
    observation, job = look.observation, look.observation.job
    if job is None or observation.memory.refusal is None or not observation.is_over:
        return None
    purge = Purge(job.namespace, job.id)
    return Decision("a refused Pod leaves nothing in Nomad", (*withdrawal(observation), purge))


def _stop_what_runs_on(look: Look) -> Decision | None:
    """Also what Nomad ended itself, by a drain for example: any later evaluation may start it anew."""
    observation, job = look.observation, look.observation.job
    if observation.tells_of_a_job:
        return Decision("its job is not known", (Reread(look.circumstances.job.nomad_namespace, job_id(look.pod.uid)),))
    if job is None or job.stopped or observation.is_over:
        return None
    told = (overwritten.note(look, "it has ended by that, and is stopped"),) if look.pod.overwritten_by else ()
    return Decision("the Pod has ended but its job has not", (Stop(job.namespace, job.id), *told))


RULES = (
    Rule("forbid further starts", _forbid_further_starts),
    Rule("remove what was refused", _remove_what_was_refused),
    Rule("stop what runs on", _stop_what_runs_on),
)
