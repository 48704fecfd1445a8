"""The fence before every write to either peer: who may not write any more does not, however late he wakes up.

A task that is cancelled, or a process that is told to stop, may still be about to send something. So permission is
asked for where a request leaves us, with its connection open and its bytes ready: what was stopped for a minute in
between (SIGSTOP, a paused machine, a stalled event loop) finds the fence shut.
"""

import math
from typing import Protocol

from vnode.errors import Withheld


class Fence(Protocol):
    """Whether this process may write now."""

    @property
    def reason(self) -> str:
        """Why it may not, as a sentence; empty while it may."""
        ...

    def left(self) -> float:
        """Seconds until the permission ends; 0 when there is none."""
        ...


class Open:
    """For a process that nobody competes with."""

    reason = ""

    def left(self) -> float:
        """For ever."""
        return math.inf


class Shut:
    """For a process that only looks on."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def left(self) -> float:
        """Never."""
        return 0.0


OPEN = Open()


def demand(fence: Fence) -> float:
    """The seconds within which a write must be over; raises Withheld when it must not begin."""
    left = fence.left()
    if left <= 0:
        raise Withheld(fence.reason)
    return left
