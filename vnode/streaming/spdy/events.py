"""What a connection has to tell about its peer."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamRequested:
    """The client wants a stream: answer by `reply` or `reset`. Its names are lower case."""

    stream_id: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DataReceived:
    """Bytes of a stream, never empty."""

    stream_id: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The client will send no more on this stream; it may still read."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class StreamReset:
    """The client neither reads nor writes this stream any more."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class ConnectionEnded:
    """The client wants no more streams, and leaves when those that are open have ended."""


Event = StreamRequested | DataReceived | StreamEnded | StreamReset | ConnectionEnded
