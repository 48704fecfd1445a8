"""What its probes say of a container: about one run, for the next one begins anew."""

from dataclasses import dataclass

from translators.records.probes import ProbeKind


@dataclass(frozen=True, slots=True)
class Health:
    """The verdicts about the run named `run` (a containerID without log position).

    `failed` is the probe for which the run is to be ended, None while there is none.
    """

    run: str
    started: bool
    ready: bool
    failed: ProbeKind | None = None
