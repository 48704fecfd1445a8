"""What can go wrong with one request. `after_effect` says that the server has carried it out before."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Delayed:
    """The server gets it later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is reset instead of an answer; after the effect that is a lost reply."""

    after_effect: bool


@dataclass(frozen=True, slots=True)
class Silent:
    """The other end of the connection is gone and nobody says so, for some seconds."""

    seconds: float
    after_effect: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """Somebody else answers, and the server never hears of it."""

    status: int
    body: bytes
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Garbled:
    """The server carries it out; what arrives of its answer is this."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Extended:
    """The answer says more than anybody here knows: every object in it has another field."""


@dataclass(frozen=True, slots=True)
class Truncated:
    """The answer breaks off after a share of it."""

    share: float


@dataclass(frozen=True, slots=True)
class Throttled:
    """The answer arrives slowly, in some seconds at most."""

    bytes_per_second: int


class Disorder(StrEnum):
    """What happens to a line of a stream."""

    DUPLICATED = "duplicated"
    #: It changes places with the one after it.
    REORDERED = "reordered"
    #: Its index, or resource version, is of long ago.
    BACKWARDS = "backwards"
    GARBLED = "garbled"
    #: The stream ends here, in order.
    ENDED = "ended"
    #: The stream ends in the middle of it.
    CUT = "cut"
    #: Nothing comes any more, for some seconds.
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Disturbed:
    """Every so many lines of a stream, something happens to one of them."""

    disorder: Disorder
    every: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Killed:
    """vnode is killed at this moment, and so the reply is lost."""

    after_effect: bool


Fault = Delayed | Cut | Silent | Answered | Garbled | Extended | Truncated | Throttled | Disturbed | Killed
