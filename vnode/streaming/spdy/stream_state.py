"""What may happen to a stream that the client opened: all transitions live here.

The two halves end on their own. Ours begins when we answer: DATA before SYN_REPLY would be dropped by spdystream.
A stream is over when both halves are, and both are when either side resets it.
"""

from enum import Enum, auto

from vnode.streaming.errors import LocalProtocolError


class Half(Enum):
    """One direction of a stream."""

    UNANSWERED = auto()
    OPEN = auto()
    ENDED = auto()


class Act(Enum):
    """What is done in one direction."""

    REPLY = auto()
    DATA = auto()
    END = auto()


#: What the direction is after an act; what is not here is forbidden.
_NEXT = {
    (Half.UNANSWERED, Act.REPLY): Half.OPEN,
    (Half.OPEN, Act.DATA): Half.OPEN,
    (Half.OPEN, Act.END): Half.ENDED,
}


class StreamState:
    """Both halves of one stream, seen from the server."""

    __slots__ = ("local", "remote")

    def __init__(self, *, remote_ended: bool) -> None:
        self.local = Half.UNANSWERED
        self.remote = Half.ENDED if remote_ended else Half.OPEN

    @property
    def over(self) -> bool:
        """Neither side will send any more."""
        return self.local is Half.ENDED and self.remote is Half.ENDED

    def send(self, act: Act) -> None:
        """We do this. Raises LocalProtocolError where it is forbidden."""
        following = _NEXT.get((self.local, act))
        if following is None:
            raise LocalProtocolError(f"{act.name} on a stream whose sending half is {self.local.name}")
        self.local = following

    def receive(self, act: Act) -> bool:
        """The peer does this; False where it is forbidden, and nothing changes."""
        following = _NEXT.get((self.remote, act))
        if following is not None:
            self.remote = following
        return following is not None
