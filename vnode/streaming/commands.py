"""What a client and a command in a container say to each other, whichever protocol carries it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TerminalSize:
    """Columns and lines of the client's terminal; 0 where it does not know."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Exited:
    """The command ran and ended with this code, 0 to 255; an attached container ended with 0."""

    code: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The command could not be run, or its end could not be seen; `message` is for the person at kubectl."""

    message: str


Outcome = Exited | Failed
