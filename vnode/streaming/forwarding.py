"""What a client of port-forward and the ports of a Pod say to each other, whichever protocol carries it.

`key` names one forwarded connection for the codec's life.
"""

from dataclasses import dataclass
from typing import Protocol

from vnode.streaming.commands import ClientLeft, Piece


@dataclass(frozen=True, slots=True)
class ConnectionRequested:
    """The client wants a connection to a port of the Pod, 1 to 65535."""

    key: int
    port: int


@dataclass(frozen=True, slots=True)
class BytesReceived:
    """Bytes for the Pod, never empty."""

    key: int
    data: bytes


@dataclass(frozen=True, slots=True)
class BytesEnded:
    """The client will send no more on this connection; it may still read."""

    key: int


@dataclass(frozen=True, slots=True)
class ConnectionBroken:
    """The client neither sends nor reads on this connection any more."""

    key: int


ForwardEvent = ConnectionRequested | BytesReceived | BytesEnded | ConnectionBroken | ClientLeft


class ForwardCodec(Protocol):
    """One protocol that carries forwarded connections.

    What is sent on a connection that the client has left is dropped.
    """

    def open(self) -> list[ForwardEvent]:
        """What is known before the client says anything."""
        ...

    def receive_data(self, data: bytes) -> list[ForwardEvent]:
        """What the client did. Raises RemoteProtocolError."""
        ...

    def send(self, key: int, data: Piece) -> None:
        """Bytes from the Pod."""
        ...

    def end(self, key: int) -> None:
        """The Pod will send no more on this connection."""
        ...

    def finish(self, key: int, problem: str = "") -> None:
        """Nothing more will be sent or read, because of a problem or because all is said; the key is forgotten."""
        ...

    def close(self) -> None:
        """End all connections, and the one that carries them."""
        ...

    def data_to_send(self) -> list[Piece]:
        """What is to be sent now, in order; it is forgotten here."""
        ...
