"""The kinds of failure that a peer (Kubernetes or Nomad) can answer with; every handler knows which it has.

The two client packages turn statuses, texts and broken sockets into these, so that nothing above them
reads an HTTP code. `translators.errors.Refused` is the kind that needs no peer: a Pod that is wrong.
"""


class PeerError(Exception):
    """A peer did not do what was asked; `str()` is fit for an Event or a log line and holds no secret."""


class Unavailable(PeerError):
    """The peer is down, overloaded or leaderless: the same request may succeed later.

    Whether a write was applied is unknown: re-read before it is repeated. `retry_after` is the peer's own
    wish in seconds, where it has one.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Busy(Unavailable):
    """The peer has no room for the request, and has not looked at it."""


class NoAnswer(Unavailable):
    """Nothing came back: the peer cannot be reached, hangs, or broke off."""


class Withheld(PeerError):
    """The write was not sent, for this process may not write now: another replica leads, or it only observes."""


class Denied(PeerError):
    """Our own rights or our identity do not suffice; only an administrator can help."""


class NotFound(PeerError):
    """The object is not there."""


class Conflict(PeerError):
    """The object is not in the state that the request presumed: read it again and decide again."""


class Rejected(PeerError):
    """The peer finds the request itself wrong; repeating it is useless."""
