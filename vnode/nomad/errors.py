"""Nomad's answers as the kinds of `vnode.errors`.

Nomad says most of what goes wrong with status 500 and a text, so the text decides. Sources of the texts: nomad/
nomad/structs/errors.go, nomad/job_endpoint*.go, client/fs_endpoint.go, command/agent/http.go (1.11.3).
"""

import re
from collections.abc import Callable

from vnode.errors import Busy, Conflict, Denied, NotFound, PeerError, Rejected, Unavailable

_LONGEST_TEXT = 2000


class NamespaceMissing(Rejected):
    """The job names a Nomad namespace that does not exist; an administrator can create it."""


class NodePoolMissing(Rejected):
    """The job names a node pool that does not exist; it appears when a client of it joins."""


class NoPath(Unavailable):
    """No server holds a connection to the client just now; what was asked did not get there."""


class TooManyStreams(Unavailable):
    """As many logs and exec sessions are open as the connection budget allows."""


# A validation answer quotes what users wrote, so it is recognised by its beginning, and before the texts
# that the other rows look for anywhere. Order matters.
_BY_TEXT: tuple[tuple[re.Pattern[str], Callable[[str], PeerError]], ...] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"^(rpc error: )*Enforcing job modify index", Conflict),
        (r"is in nonexistent namespace \"", NamespaceMissing),
        (r"is in nonexistent node pool \"", NodePoolMissing),
        (r"^(rpc error: )*\d+ errors? occurred:", Rejected),
        (r"^(rpc error: )*(error in job mutator|cannot update |mismatched request namespace)", Rejected),
        (
            r"validation failed|UUID must be 36 characters|total count was greater than configured job_max_count",
            Rejected,
        ),
        (r"Permission denied$|ACL token (not found|expired|is invalid)", Denied),
        (r"are disabled by the scheduler configuration$", Denied),
        (r"No path to node", NoPath),
        (r"No path to region", Unavailable),
        (r"^(rpc error: )*no such volume: ", NotFound),
        (r"Unknown (allocation|node|job|evaluation)\b|(job|alloc|eval|node) not found$", NotFound),
        (r"no such file or directory$|^(rpc error: )*Task not found$|not found on client$", NotFound),
        (r"^(rpc error: )*Task not running$|^task \"[^\"]*\" is not running\.$", Conflict),
    )
)

# A follower that cannot reach the leader that it knows has not forwarded anything (helper/pool/pool.go).
_NOT_APPLIED = re.compile(
    r"^(rpc error: )*(No cluster leader$|Not ready to serve consistent reads$|failed to get conn: )"
)

_BY_STATUS: dict[int, Callable[[str], PeerError]] = {
    400: Rejected,
    401: Denied,
    403: Denied,
    404: NotFound,
    408: Unavailable,
}


def classify(status: int, text: str, retry_after: float | None = None) -> PeerError:
    """The error that an answer other than 2xx means; `retry_after` is the header of that name in seconds.

    A server error that is not recognised may have applied the write, and is `Unavailable`. The text of a 409 is
    never shown: it is the current variable, items included.
    """
    said = " ".join(text[:_LONGEST_TEXT].split()) or f"status {status}"
    if status == 409:  # noqa: PLR2004 - Conflict
        return Conflict("Nomad: somebody else changed it first")
    if status == 429:  # noqa: PLR2004 - Too Many Requests
        return Busy(
            f"Nomad: {said} (limits.http_max_conns_per_client of its agents bounds the connections of one address)",
            retry_after=retry_after,
        )
    kind = _kind(status, text.strip())
    if kind is Unavailable:
        return Unavailable(f"Nomad: {said}", retry_after=retry_after)
    return kind(f"Nomad: {said}")


def leaderless(status: int, text: str) -> bool:
    """Whether the server refused for want of a leader: nothing was applied, another server may do it."""
    return status >= 500 and _NOT_APPLIED.search(text.strip()) is not None  # noqa: PLR2004 - server errors


def _kind(status: int, text: str) -> Callable[[str], PeerError]:
    if status == 404 and "No path to" in text:  # noqa: PLR2004 - Not Found
        return NoPath if "No path to node" in text else Unavailable
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status < 500:  # noqa: PLR2004 - client errors
        return Rejected
    return next((kind for pattern, kind in _BY_TEXT if pattern.search(text)), Unavailable)
