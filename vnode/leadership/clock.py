"""Time for a promise that others count on: it must not stand still because our machine did."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment on two clocks: seconds since the boot, a suspended machine's sleep included, and the time of day."""

    boot: float
    day: float

    def since(self, earlier: "Instant") -> float:
        """The seconds that passed at most, by whichever clock moved further.

        One of them may have been stopped or set back. A time of day that is set forward looks like a long pause, which
        only costs us a renewal.
        """
        return max(self.boot - earlier.boot, self.day - earlier.day)


def read() -> Instant:
    """Now. `time.monotonic` will not do: on Linux it does not count the time that a machine was suspended."""
    return Instant(time.clock_gettime(time.CLOCK_BOOTTIME), time.time())
