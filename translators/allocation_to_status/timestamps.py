"""Times between the two sides: Nomad counts nanoseconds, Kubernetes keeps whole seconds.

Everything here is truncated to seconds, as the API server does, so that a status read back equals the one
that was sent. Source: apimachinery meta/v1 time.go; nomad structs TaskState and TaskEvent.
"""

from datetime import UTC, datetime

_SECOND = 1_000_000_000
_MINUTE = 60


def from_nanoseconds(nanoseconds: int) -> datetime | None:
    """Read the time of a task event; None when it is not set."""
    return datetime.fromtimestamp(nanoseconds // _SECOND, UTC) if nanoseconds > 0 else None


def from_rfc3339(text: str | None) -> datetime | None:
    """Read a time as Nomad prints it in a task state; None for Go's zero time (year 1)."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)


def to_rfc3339(moment: datetime) -> str:
    """Print a time as the API server does."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def go_duration(nanoseconds: int) -> str:
    """Print a duration in whole seconds as Go does (`10s`, `1m20s`, `5m0s`), which is what kubelet messages hold."""
    seconds = max(0, round(nanoseconds / _SECOND))
    minutes, rest = divmod(seconds, _MINUTE)
    if not minutes:
        return f"{rest}s"
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"
