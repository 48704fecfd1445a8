"""How far the hooks of a Pod's runs have come, as far as we know: what we forget is done again."""

from dataclasses import dataclass
from enum import Enum

from translators.records.hooks import HookKind


class HookState(Enum):
    """What became of a hook."""

    BEGUN = "begun"
    #: It is over, or its container is.
    DONE = "done"
    FAILED = "failed"
    #: It was not done when the time for it was over.
    LATE = "late"


@dataclass(frozen=True, slots=True)
class HookOfRun:
    """One hook of the run named `run` (a containerID without log position)."""

    run: str
    kind: HookKind
