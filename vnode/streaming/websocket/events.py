"""What a WebSocket connection has to tell about its peer; pings are answered without a word."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MessagePart:
    """Bytes of a message; the first part says `begins`, the last one `ends`. They may be empty."""

    data: bytes
    begins: bool
    ends: bool


@dataclass(frozen=True, slots=True)
class CloseReceived:
    """The client will send no more; the answer is on its way where it was owed."""


Event = MessagePart | CloseReceived
