"""The fence of a leader: it falls by itself when the Lease was not renewed in time."""

from collections.abc import Callable

from vnode.leadership.clock import Instant

_NEVER = "no replica of vnode was elected to look after the Node yet"
_LATE = "the Lease of vnode's election could not be renewed in time, so another replica may look after the Node"


class Term:
    """A `vnode.fence.Fence` that is open until some seconds after the last renewal was *sent*."""

    def __init__(self, read: Callable[[], Instant], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._since: Instant | None = None
        self._ended = _NEVER

    @property
    def reason(self) -> str:
        """Why nothing may be written; empty while it may."""
        if self._since is None:
            return self._ended
        return "" if self.left() > 0 else _LATE

    def left(self) -> float:
        """Seconds in which writes may still be sent."""
        return 0.0 if self._since is None else max(0.0, self._seconds - self._read().since(self._since))

    def renewed(self, sent: Instant) -> None:
        """A renewal that was sent then has succeeded."""
        self._since = sent

    def end(self, reason: str) -> None:
        """From now on nothing is written."""
        self._since, self._ended = None, reason
