"""What has become of a Pod in Nomad, for whoever decides what to do next."""

from dataclasses import dataclass
from enum import StrEnum

from translators.allocation_to_status.endings import is_replaced
from translators.allocation_to_status.facts import Facts
from translators.allocation_to_status.judgement import Judgement, judge
from translators.allocation_to_status.phase import last_end
from translators.allocation_to_status.reasons import FailureKind, StartFailure
from translators.allocation_to_status.situation import TERMINAL_PHASES, Situation
from translators.records.pods import Pod


class Stage(StrEnum):
    """How far a Pod has come in Nomad."""

    #: No job and no allocation.
    ABSENT = "absent"
    #: Nomad looks for a place, the first or another one.
    PLACING = "placing"
    #: Placed; no container has run in this allocation.
    STARTING = "starting"
    #: At least one container runs.
    RUNNING = "running"
    #: Containers have run and wait to be started again, by Nomad itself.
    RESTARTING = "restarting"
    #: Everything has ended, and the phase says so or is about to.
    FINISHED = "finished"
    #: The newest allocation failed before any task of the Pod ever ran, or will for ever.
    NEVER_STARTED = "never_started"
    #: The allocation ended though the restart policy wants it back: the job must be submitted again.
    DEAD = "dead"
    #: Stopped, preempted or drained by somebody else: the Pod has failed.
    STOPPED_BY_OTHER = "stopped_by_other"
    #: Nobody knows; the client is gone and the Pod may still run there.
    CLIENT_LOST = "client_lost"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A stage, and for the ends before their time why.

    `kind` and `permanent` are told for NEVER_STARTED and DEAD: a permanent failure comes back however often
    the same job is submitted. `reason` and `message` are fit for a status and an Event.
    """

    stage: Stage
    kind: FailureKind | None = None
    permanent: bool = False
    reason: str = ""
    message: str = ""


def outcome(pod: Pod, facts: Facts) -> Outcome:
    """Judge what has become of a Pod."""
    return outcome_of(judge(pod, facts))


def outcome_of(judgement: Judgement) -> Outcome:
    """As `outcome`, for a Pod that was judged already."""
    situation = judgement.situation
    if situation.pod.status.phase in TERMINAL_PHASES:
        return Outcome(Stage.FINISHED)
    if situation.current is None:
        return _without_allocation(judgement)
    if judgement.ending is not None:
        return Outcome(Stage.STOPPED_BY_OTHER, reason=judgement.ending.reason, message=judgement.ending.message)
    if situation.is_over:
        return _over(judgement)
    if not situation.has_started and any(failure.permanent for failure in _failures(situation)):
        # Nomad would try again for ever what can never work.
        return _failed_start(Stage.NEVER_STARTED, situation)
    return Outcome(_alive(judgement))


def _without_allocation(judgement: Judgement) -> Outcome:
    if judgement.phase in TERMINAL_PHASES:
        return Outcome(Stage.FINISHED)
    if not judgement.situation.facts.submitted:
        return Outcome(Stage.ABSENT)
    reason, message = judgement.unplaced or ("", "")
    return Outcome(Stage.PLACING, reason=reason, message=message)


def _over(judgement: Judgement) -> Outcome:
    situation = judgement.situation
    if situation.pod.metadata.deletion_timestamp is not None:
        return Outcome(Stage.FINISHED)
    if judgement.phase in TERMINAL_PHASES:
        # Also a command that could not be started and may not be tried again: its container says StartError.
        return Outcome(Stage.FINISHED)
    if not situation.has_started and not is_replaced(situation):
        return _failed_start(Stage.NEVER_STARTED, situation)
    if is_replaced(situation):
        reason, message = judgement.unplaced or ("", "")
        return Outcome(Stage.PLACING, reason=reason, message=message)
    return _failed_start(Stage.DEAD, situation)


def _failed_start(stage: Stage, situation: Situation) -> Outcome:
    failures = _failures(situation)
    if not failures:
        text = situation.current.client_description if situation.current is not None else ""
        kind = FailureKind.SETUP if stage is Stage.NEVER_STARTED else None
        return Outcome(stage, kind=kind, reason="CreateContainerError", message=text)
    worst = max(failures, key=lambda failure: (_is_permanent(situation, failure), -failure.time))
    return Outcome(
        stage,
        kind=worst.kind,
        permanent=_is_permanent(situation, worst),
        reason=worst.reason,
        message=worst.message,
    )


def _failures(situation: Situation) -> list[StartFailure]:
    return [history.failure for history in situation.histories.values() if history.failure is not None]


def _is_permanent(situation: Situation, failure: StartFailure) -> bool:
    never = situation.pod.spec.restart_policy == "Never"
    return failure.permanent or (failure.kind is FailureKind.COMMAND and never)


def _alive(judgement: Judgement) -> Stage:
    if judgement.phase in TERMINAL_PHASES:
        return Stage.FINISHED
    if judgement.situation.is_lost:
        return Stage.CLIENT_LOST
    if any(status.state.running is not None for status in judgement.containers):
        return Stage.RUNNING
    if any(last_end(status) is not None for status in judgement.containers):
        return Stage.RESTARTING
    return Stage.STARTING
