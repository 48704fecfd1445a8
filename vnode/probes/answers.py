"""What a probe was answered, and what that is worth."""

from dataclasses import dataclass
from enum import StrEnum

from translators.allocation_to_status import EventNote
from translators.records.probes import ProbeKind


class Outcome(StrEnum):
    """How a probe went; the values are a kubelet's words (pkg/probe/probe.go)."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `unheard` says that nothing at the other end showed any sign of life, so that the way may be cut."""

    outcome: Outcome
    text: str = ""
    unheard: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """What an answer counts as, None for nothing, and the Event that tells of it."""

    success: bool | None
    event: EventNote | None = None


def judge(kind: ProbeKind, answer: Answer, path: str) -> Judged:
    """Weigh an answer about the container at `path` as a kubelet does (pkg/kubelet/prober/prober.go probe).

    But for one that nobody gave: a kubelet stands on the machine of its Pods; we may be cut off from one that is well.
    That costs a Pod its readiness, for others do not reach it either, but never its life.
    """
    outcome, text = answer.outcome, answer.text
    if outcome is Outcome.FAILURE and answer.unheard and kind is not ProbeKind.READINESS:
        outcome, text = Outcome.UNKNOWN, f"{text}; the way there may be cut, so the container is left alone"
    match outcome:
        case Outcome.SUCCESS:
            return Judged(success=True)
        case Outcome.WARNING:
            return Judged(
                success=True, event=EventNote("Warning", "ProbeWarning", f"{kind} probe warning: {text}", path)
            )
        case Outcome.FAILURE:
            return Judged(success=False, event=EventNote("Warning", "Unhealthy", f"{kind} probe failed: {text}", path))
        case Outcome.UNKNOWN if text:
            message = f"{kind} probe errored and resulted in unknown state: {text}"
            return Judged(success=None, event=EventNote("Warning", "Unhealthy", message, path))
    return Judged(success=None)
