"""What a client and a command in a container say to each other, whichever protocol carries it."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol


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


class Output(IntEnum):
    """Where a command writes; the numbers are those of its file descriptors."""

    STDOUT = 1
    STDERR = 2


class StreamKind(StrEnum):
    """The streams of a command, by the names that SPDY clients give them."""

    ERROR = "error"
    STDIN = "stdin"
    STDOUT = "stdout"
    STDERR = "stderr"
    RESIZE = "resize"


@dataclass(frozen=True, slots=True)
class StreamsOpened:
    """Every stream that the client asked for is there: the command may start."""


@dataclass(frozen=True, slots=True)
class StdinReceived:
    """Bytes for the command, never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class StdinEnded:
    """The client will send no more."""


@dataclass(frozen=True, slots=True)
class Resized:
    """The client's terminal has this size now."""

    size: TerminalSize


@dataclass(frozen=True, slots=True)
class ClientLeft:
    """The client wants no more of the command, though the connection may still be open."""


CommandEvent = StreamsOpened | StdinReceived | StdinEnded | Resized | ClientLeft

#: Bytes that are to be sent, which the sender may not change.
Piece = bytes | memoryview


class CommandCodec(Protocol):
    """One protocol that carries a command's streams: bytes in, events out; output and outcome in, bytes out."""

    def open(self) -> list[CommandEvent]:
        """What is known before the client says anything."""
        ...

    def receive_data(self, data: bytes) -> list[CommandEvent]:
        """What the client did. Raises RemoteProtocolError."""
        ...

    def send_output(self, output: Output, data: Piece) -> None:
        """What the command wrote; dropped where the client does not read it."""
        ...

    def finish(self, outcome: Outcome) -> None:
        """Tell how it ended, and end all streams."""
        ...

    def close(self) -> None:
        """End the connection, whatever state it is in."""
        ...

    def data_to_send(self) -> list[Piece]:
        """What is to be sent now, in order; it is forgotten here."""
        ...
