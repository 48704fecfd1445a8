"""The probes of one run of a container: which are asked now, and what their answers have shown. Pure.

The table is that of a kubelet's worker (pkg/kubelet/prober/worker.go doProbe): a verdict changes when as many answers
in a row say the same as its threshold wants; the startup probe comes first and is asked no more once it has a
verdict; after a failure for which the run is ended nothing more is asked about its life.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from translators.health import Health
from translators.records.probes import Probe, ProbeKind

#: What is presumed of a run until enough was answered; None is neither.
_PRESUMED: Mapping[ProbeKind, bool | None] = {
    ProbeKind.READINESS: False,
    ProbeKind.LIVENESS: True,
    ProbeKind.STARTUP: None,
}


@dataclass(frozen=True, slots=True)
class Track:
    """One probe: its verdict, and how often in a row the last answer came."""

    verdict: bool | None
    last: bool | None = None
    streak: int = 0

    def after(self, success: bool, threshold: int) -> "Track":  # noqa: FBT001 - it is the answer
        """The track with one more answer."""
        streak = self.streak + 1 if self.last is success else 1
        return Track(success if streak >= threshold else self.verdict, success, streak)


@dataclass(frozen=True, slots=True)
class Trial:
    """The probes of the run named `run`, which began at `began`, monotonic seconds."""

    run: str
    began: float
    probes: Mapping[ProbeKind, Probe]
    tracks: Mapping[ProbeKind, Track]

    @property
    def health(self) -> Health:
        """What there is to say of the run."""
        started = self._verdict(ProbeKind.STARTUP) is True
        ready = started and self._verdict(ProbeKind.READINESS) is True
        kinds = (ProbeKind.STARTUP, ProbeKind.LIVENESS)
        failed = next((kind for kind in kinds if self._verdict(kind) is False), None)
        return Health(run=self.run, started=started, ready=ready, failed=failed)

    def wants(self, kind: ProbeKind, *, leaving: bool) -> bool:
        """Whether a probe is to be asked, once its initial delay is over; `leaving` is for a Pod being deleted."""
        if kind not in self.probes or (leaving and kind is not ProbeKind.READINESS):
            return False
        if kind is ProbeKind.STARTUP:
            return self._verdict(kind) is None
        if self._verdict(ProbeKind.STARTUP) is not True:
            return False
        return kind is not ProbeKind.LIVENESS or self._verdict(kind) is True

    def earliest(self, kind: ProbeKind) -> float:
        """Before when a probe is not asked, monotonic seconds."""
        return self.began + self.probes[kind].initial_delay_seconds

    def after(self, kind: ProbeKind, *, success: bool | None) -> "Trial":
        """The trial with one more answer; None is one that tells nothing."""
        if success is None:
            return self
        probe = self.probes[kind]
        threshold = probe.success_threshold if success else probe.failure_threshold
        return replace(self, tracks={**self.tracks, kind: self.tracks[kind].after(success, threshold)})

    def _verdict(self, kind: ProbeKind) -> bool | None:
        track = self.tracks.get(kind)
        return True if track is None else track.verdict


def begun(run: str, probes: Mapping[ProbeKind, Probe], now: float) -> Trial:
    """The trial of a run that begins."""
    return Trial(run, now, probes, {kind: Track(_PRESUMED[kind]) for kind in probes})


def resumed(run: str, probes: Mapping[ProbeKind, Probe], known: Health, began: float) -> Trial:
    """The trial of a run that was asked before, by us or by another replica: what was known holds until it changes.

    A kubelet that is started again leaves Ready alone too (KEP-4781).
    """
    verdicts: dict[ProbeKind, bool | None] = {
        ProbeKind.READINESS: known.ready,
        ProbeKind.LIVENESS: known.failed is not ProbeKind.LIVENESS,
        ProbeKind.STARTUP: True if known.started else None if known.failed is None else False,
    }
    return Trial(run, began, probes, {kind: Track(verdicts[kind]) for kind in probes})
