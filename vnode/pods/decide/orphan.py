"""A job without its Pod: it is stopped, then removed.

A Pod that we saw leave is gone. One that a list merely lacks may be a Pod that we never knew, so the API is asked for
it by name before its job is touched.
"""

from translators.identity import job_id
from vnode.pods.actions import Action, ConfirmAbsence, Decision, Forget, Purge, Reread, Stop
from vnode.pods.decide.data import withdrawal
from vnode.pods.decide.look import Rule
from vnode.pods.decide.missing import read_what_somebody_ended
from vnode.pods.decide.permits import forbid
from vnode.pods.decide.termination import kill_all
from vnode.view.observation import Observation


def _find_what_was_sent(observation: Observation) -> Decision | None:
    """A registration whose answer was lost may have made a job all the same."""
    if observation.job is not None or observation.confirmed or not observation.memory.submitted_to:
        return None
    reread = Reread(observation.memory.submitted_to, job_id(observation.uid))
    return Decision("a registration whose outcome is unknown", (reread,))


def _forget(observation: Observation) -> Decision | None:
    if observation.job is not None:
        return None
    return Decision("gone on both sides", (*forbid(observation), Forget()))


def _confirm_absence(observation: Observation) -> Decision | None:
    job = observation.job
    if job is None or observation.removal is not None or observation.absent:
        return None
    return Decision("a job without a Pod", (ConfirmAbsence(job.identity.namespace, job.identity.pod),))


def _remove(observation: Observation) -> Decision | None:
    job = observation.job
    if job is None or not observation.is_over:
        return None
    removed = (*forbid(observation), *withdrawal(observation), Purge(job.namespace, job.id), Forget())
    return Decision("an ended job without a Pod", removed)


def _stop(observation: Observation) -> Decision | None:
    job = observation.job
    if job is None or job.stopped:
        return None
    stop: tuple[Action, ...] = (Stop(job.namespace, job.id),)
    return Decision("a running job without a Pod", (*stop, *_kills_without_grace(observation)))


def _read(observation: Observation) -> Decision | None:
    job = observation.job
    unknown = not observation.allocations or observation.may_be_placed_again
    if job is None or observation.evaluation is not None or not unknown:
        return read_what_somebody_ended(observation)
    return Decision("a stopped job of which nothing is known", (Reread(job.namespace, job.id),))


def _kill(observation: Observation) -> Decision | None:
    kills = _kills_without_grace(observation)
    return Decision("its tasks were given no grace", kills) if kills else None


def _kills_without_grace(observation: Observation) -> tuple[Action, ...]:
    forced = observation.removal is not None and observation.removal.grace == 0
    return kill_all(observation) if forced else ()


RULES = (
    Rule("find a job whose registration had no answer", _find_what_was_sent),
    Rule("forget what is gone", _forget),
    Rule("confirm an absence", _confirm_absence),
    Rule("remove an orphan that ended", _remove),
    Rule("stop an orphan", _stop),
    Rule("read a stopped orphan", _read),
    Rule("kill an orphan without grace", _kill),
)
