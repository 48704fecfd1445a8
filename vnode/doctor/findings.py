"""What an examination says: one line for each check, and what to do where it matters."""

from dataclasses import dataclass

from vnode.doctor.problems import Problem, Status

_WIDTH = max(len(status.value) for status in Status)


@dataclass(frozen=True, slots=True)
class Finding:
    """The end of one check. No text in it holds a secret; `str()` is what a person reads.

    `checked` is what was looked at, `found` what was seen there, `advice` what to do about it.
    """

    status: Status
    checked: str
    found: str
    advice: str = ""
    problem: Problem | None = None

    @property
    def fails(self) -> bool:
        """Whether a run would not work like this."""
        return self.status is Status.FAILURE

    def __str__(self) -> str:
        line = f"{self.status.value:<{_WIDTH}}  {self.checked}: {self.found}"
        if self.problem is not None:
            line += f" [{self.problem.id}]"
        return f"{line}\n{' ' * _WIDTH}  -> {self.advice}" if self.advice else line


def fine(checked: str, found: str) -> Finding:
    """A check that found nothing wrong."""
    return Finding(Status.OK, checked, found)


def skipped(checked: str, because: str) -> Finding:
    """A check that was not made."""
    return Finding(Status.SKIPPED, checked, f"not checked, {because}")


def trouble(problem: Problem, checked: str, found: str, *, status: Status | None = None, **details: object) -> Finding:
    """A check that found `problem`; `details` fill its advice, `status` replaces how bad it usually is."""
    return Finding(status or problem.status, checked, found, problem.advice.format(**details), problem)
