"""CPU time as a counter, out of rates: a kubelet counts seconds, Nomad says only what the last second was like.

So the counter integrates the rates between two looks at a task, linearly. It is exact for a steady load and right on
average for others; what happened before the first look, or between two looks, is not known better.
"""

from dataclasses import dataclass, replace

#: Where a counter begins. Who runs has used CPU, and metrics-server drops a whole Pod at a counter of 0.
LEAST_SECONDS = 0.001

#: Seconds. Of a younger task the first rate is taken for its whole life; an older one is counted from now on.
_YOUNG = 60.0

_NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True)
class CpuCounter:
    """Core-seconds up to the last look, `cores` busy then, and when that was, in ns of the clock that measured."""

    seconds: float
    cores: float
    at: int

    def advanced(self, cores: float, at: int) -> "CpuCounter":
        """The counter after one more look; it never goes back, not even when the clock does."""
        elapsed = (at - self.at) / _NANOSECONDS
        if elapsed <= 0:
            return replace(self, cores=cores, at=at)
        return CpuCounter(self.seconds + elapsed * (self.cores + cores) / 2, cores, at)


def begun(cores: float, at: int, started: int | None) -> CpuCounter:
    """The counter after the first look at a task that began at `started`, ns of the same clock, if that is known."""
    age = (at - started) / _NANOSECONDS if started is not None else 0.0
    return CpuCounter(LEAST_SECONDS + (cores * age if 0 < age <= _YOUNG else 0.0), cores, at)
