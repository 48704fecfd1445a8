"""A job without its Pod: it is stopped, then removed."""

from vnode.pods.actions import Action, ConfirmAbsence, Decision, Forget, Purge, Reread, Stop
from vnode.pods.decide.termination import kill_all
from vnode.view.observation import Observation


def decide_orphan(observation: Observation) -> Decision:
    """Collect what a deleted Pod left behind.

    A Pod that we saw leave is gone. One that a list merely lacks may be a Pod that we never knew, so the API
    is asked for it by name before its job is touched.
    """
    job = observation.job
    if job is None:
        return Decision("gone on both sides", (Forget(),))
    if observation.removal is None and not observation.absent:
        identity = job.identity
        return Decision("a job without a Pod", (ConfirmAbsence(identity.namespace, identity.pod),))
    if observation.is_over:
        return Decision("an ended job without a Pod", (Purge(job.namespace, job.id), Forget()))
    if not job.stopped:
        stop: tuple[Action, ...] = (Stop(job.namespace, job.id),)
        return Decision("a running job without a Pod", (*stop, *_kills_without_grace(observation)))
    if not observation.allocations and observation.evaluation is None:
        return Decision("a stopped job of which nothing is known", (Reread(job.namespace, job.id),))
    return Decision("waits for the tasks of a deleted Pod", _kills_without_grace(observation))


def _kills_without_grace(observation: Observation) -> tuple[Action, ...]:
    forced = observation.removal is not None and observation.removal.grace == 0
    return kill_all(observation) if forced else ()
