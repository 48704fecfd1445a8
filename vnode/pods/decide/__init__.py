"""All judgement about a Pod and its job, as pure functions of one observation.

Rules stand in tables, one for each situation that a Pod can be in; the first that applies decides. `tests/model` takes
every rule out in turn and shows which promise is broken without it.
"""

from dataclasses import dataclass
from datetime import datetime

from vnode.pods.actions import Decision
from vnode.pods.decide import changes, data, deadline, ended, messages, orphan, running, submission, termination
from vnode.pods.decide.circumstances import Circumstances
from vnode.pods.decide.look import Look, Rule
from vnode.view.observation import Observation

__all__ = ["RULES", "Circumstances", "Rules", "decide", "decide_orphan"]

_NOTHING = Decision("nothing is to be done")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The tables: a job without a Pod, a Pod that is being deleted, one that has ended, one without and with a job."""

    orphaned: tuple[Rule[Observation], ...] = orphan.RULES
    deleting: tuple[Rule[Look], ...] = termination.RULES
    ended: tuple[Rule[Look], ...] = ended.RULES
    unsubmitted: tuple[Rule[Look], ...] = submission.RULES
    submitted: tuple[Rule[Look], ...] = running.RULES


RULES = Rules()


def decide(observation: Observation, circumstances: Circumstances, now: datetime, rules: Rules = RULES) -> Decision:
    """Say what is to be done about one Pod now; the same observation always gives the same answer."""
    pod = observation.pod
    if pod is None:
        return decide_orphan(observation, rules)
    if pod.metadata.deletion_timestamp is not None:
        table = rules.deleting
    elif pod.status.phase in {"Succeeded", "Failed"}:
        table = rules.ended
    elif observation.job is None:
        table = rules.unsubmitted
    else:
        table = rules.submitted
    look = Look(observation, pod, circumstances, now)
    for each in table:
        if (decision := each.judge(look)) is not None:
            decision = messages.read_first(look, decision)
            if table is rules.submitted:
                decision = changes.told(look, data.beside(look, decision))
            return deadline.watched(look, decision)
    return _NOTHING


def decide_orphan(observation: Observation, rules: Rules = RULES) -> Decision:
    """Say what is to be done about what a Pod left that the API does not hold; no circumstances matter."""
    for rule in rules.orphaned:
        if (decision := rule.judge(observation)) is not None:
            return decision
    return _NOTHING
