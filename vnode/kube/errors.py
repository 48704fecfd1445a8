"""Answers of the API server that need a finer name than the common kinds of `vnode.errors`.

Each is a subclass of the common kind that a caller who does not care should treat it as.
"""

from dataclasses import dataclass

from vnode.errors import Conflict, NotFound, Rejected, Unavailable


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of `Status.details.causes`: which field was wrong, and why."""

    field: str
    reason: str
    message: str


class Gone(Conflict):
    """410: the resource version or the continue token is forgotten; list again."""


class Silent(Unavailable):
    """A watch sent nothing for longer than two bookmarks: half-open, or its resource version lies in the future."""


class Replaced(NotFound):
    """The object with our UID is gone; another one bears its name.

    A patch with the UID of a predecessor is answered with 422 on `metadata.uid`, not with 409.
    """


class NamespaceTerminating(NotFound):
    """Nothing can be created in a namespace that is being deleted; the API server says 403 to that."""


class Invalid(Rejected):
    """422: the object breaks a rule of the API; `causes` names the fields."""

    def __init__(self, message: str, causes: tuple[Cause, ...] = ()) -> None:
        super().__init__(message)
        self.causes = causes
