"""Frames of SPDY/3.1, between bytes and records (SPDY protocol, draft 3.1, section 2.2).

A control frame is kept until it is whole and is bounded; the payload of a DATA frame is handed on as it comes, so
that no length in it makes us remember anything.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from vnode.streaming.errors import RemoteProtocolError

VERSION = 3
FIN = 0x01
UNIDIRECTIONAL = 0x02
LARGEST_ID = 0x7FFFFFFF

#: Bytes of a control frame's payload; those of Kubernetes hold a few hundred.
LARGEST_CONTROL = 64 * 1024

_HEAD = struct.Struct("!II")
_CONTROL = 0x80000000
_LENGTH = 0xFFFFFF


class FrameType(IntEnum):
    """Types of control frames."""

    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    HEADERS = 8
    WINDOW_UPDATE = 9


class ResetStatus(IntEnum):
    """Why a stream is reset."""

    PROTOCOL_ERROR = 1
    INVALID_STREAM = 2
    REFUSED_STREAM = 3
    CANCEL = 5
    INTERNAL_ERROR = 6
    STREAM_IN_USE = 8
    STREAM_ALREADY_CLOSED = 9


class GoAwayStatus(IntEnum):
    """Why a session ends."""

    OK = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2


@dataclass(frozen=True, slots=True)
class SynStream:
    """A stream is asked for; the block of headers is still compressed."""

    stream_id: int
    block: bytes
    flags: int = 0
    associated: int = 0
    priority: int = 0

    def serialize(self) -> bytes:
        """The frame as bytes."""
        payload = struct.pack("!IIBx", self.stream_id, self.associated, self.priority << 5) + self.block
        return _control(FrameType.SYN_STREAM, payload, self.flags)


@dataclass(frozen=True, slots=True)
class SynReply:
    """A stream is accepted."""

    stream_id: int
    block: bytes
    flags: int = 0

    def serialize(self) -> bytes:
        """The frame as bytes."""
        return _control(FrameType.SYN_REPLY, struct.pack("!I", self.stream_id) + self.block, self.flags)


@dataclass(frozen=True, slots=True)
class Headers:
    """More headers of a stream."""

    stream_id: int
    block: bytes
    flags: int = 0

    def serialize(self) -> bytes:
        """The frame as bytes."""
        return _control(FrameType.HEADERS, struct.pack("!I", self.stream_id) + self.block, self.flags)


@dataclass(frozen=True, slots=True)
class RstStream:
    """Both halves of a stream are closed; the status is a `ResetStatus` where it is a known one."""

    stream_id: int
    status: int

    def serialize(self) -> bytes:
        """The frame as bytes."""
        return _control(FrameType.RST_STREAM, struct.pack("!II", self.stream_id, self.status))


@dataclass(frozen=True, slots=True)
class Settings:
    """Wishes of the peer, which mean nothing to us."""

    def serialize(self) -> bytes:
        """The frame as bytes, with no setting."""
        return _control(FrameType.SETTINGS, struct.pack("!I", 0))


@dataclass(frozen=True, slots=True)
class Ping:
    """To be sent back when it began on the other side."""

    ping_id: int

    def serialize(self) -> bytes:
        """The frame as bytes."""
        return _control(FrameType.PING, struct.pack("!I", self.ping_id))


@dataclass(frozen=True, slots=True)
class GoAway:
    """No more streams; `last` is the last one that was looked at."""

    last: int
    status: int

    def serialize(self) -> bytes:
        """The frame as bytes."""
        return _control(FrameType.GOAWAY, struct.pack("!II", self.last, self.status))


@dataclass(frozen=True, slots=True)
class WindowUpdate:
    """A window grew; nobody keeps one."""

    stream_id: int
    delta: int

    def serialize(self) -> bytes:
        """The frame as bytes."""
        return _control(FrameType.WINDOW_UPDATE, struct.pack("!II", self.stream_id, self.delta))


@dataclass(frozen=True, slots=True)
class Unknown:
    """A control frame of an unknown type, which is to be ignored."""

    number: int

    def serialize(self) -> bytes:
        """A frame of that type as bytes, with no payload."""
        return _control(self.number, b"")


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream: when received, a part of a frame; `fin` is said with its last part."""

    stream_id: int
    data: bytes
    fin: bool = False

    def serialize(self) -> bytes:
        """The frame as bytes."""
        return data_head(self.stream_id, len(self.data), fin=self.fin) + self.data


Frame = SynStream | SynReply | Headers | RstStream | Settings | Ping | GoAway | WindowUpdate | Unknown | Data


class FrameReader:
    """Cuts what comes in into frames, however it was split."""

    def __init__(self) -> None:
        #: A frame's head, and the payload of a control frame, as far as they came.
        self._begun = bytearray()
        self._wanted = _HEAD.size
        self._stream = 0
        self._unread = 0
        self._fin = False

    def read(self, data: bytes) -> Iterator[Frame]:
        """The frames, and parts of DATA frames, that these bytes complete. Raises RemoteProtocolError."""
        position, end = 0, len(data)
        while position < end:
            if self._unread:
                piece = data[position : position + self._unread]
                position += len(piece)
                self._unread -= len(piece)
                yield Data(self._stream, piece, fin=self._fin and not self._unread)
                continue
            piece = data[position : position + self._wanted - len(self._begun)]
            position += len(piece)
            self._begun += piece
            if len(self._begun) == self._wanted:
                frame = self._head() if self._wanted == _HEAD.size else self._payload()
                if frame is not None:
                    yield frame

    def _head(self) -> Frame | None:
        word, flags_and_length = _HEAD.unpack(self._begun)
        length = flags_and_length & _LENGTH
        if not word & _CONTROL:
            self._begun.clear()
            if word == 0:
                raise RemoteProtocolError("DATA for stream 0")
            self._stream, self._unread, self._fin = word, length, bool(flags_and_length >> 24 & FIN)
            return Data(word, b"", fin=self._fin) if length == 0 else None
        if word >> 16 & 0x7FFF != VERSION:
            raise RemoteProtocolError(f"a frame of SPDY version {word >> 16 & 0x7FFF}")
        if length > LARGEST_CONTROL:
            raise RemoteProtocolError(f"a control frame of {length} bytes")
        self._wanted += length
        return self._payload() if length == 0 else None

    def _payload(self) -> Frame:
        word, flags_and_length = _HEAD.unpack_from(self._begun)
        payload = bytes(self._begun[_HEAD.size :])
        self._begun.clear()
        self._wanted = _HEAD.size
        try:
            return _control_frame(word & 0xFFFF, flags_and_length >> 24, payload)
        except struct.error:
            raise RemoteProtocolError(f"a control frame of type {word & 0xFFFF} with {len(payload)} bytes") from None


def _control_frame(number: int, flags: int, payload: bytes) -> Frame:
    """Read the payload of a control frame; raises struct.error where it is too short or too long."""
    match number:
        case FrameType.SYN_STREAM:
            stream_id, associated, priority = struct.unpack_from("!IIBx", payload)
            block = payload[struct.calcsize("!IIBx") :]
            return SynStream(stream_id & LARGEST_ID, block, flags, associated & LARGEST_ID, priority >> 5)
        case FrameType.SYN_REPLY | FrameType.HEADERS:
            (stream_id,) = struct.unpack_from("!I", payload)
            kind = SynReply if number == FrameType.SYN_REPLY else Headers
            return kind(stream_id & LARGEST_ID, payload[4:], flags)
        case FrameType.SETTINGS:
            return _settings(payload)
        case FrameType.PING:
            return Ping(*struct.unpack("!I", payload))
        case FrameType.RST_STREAM | FrameType.GOAWAY | FrameType.WINDOW_UPDATE:
            first, second = struct.unpack("!II", payload)
            return _PAIRS[number](first & LARGEST_ID, second)
    return Unknown(number)


_PAIRS: dict[int, type[RstStream | GoAway | WindowUpdate]] = {
    FrameType.RST_STREAM: RstStream,
    FrameType.GOAWAY: GoAway,
    FrameType.WINDOW_UPDATE: WindowUpdate,
}


def _settings(payload: bytes) -> Settings:
    (count,) = struct.unpack_from("!I", payload)
    if len(payload) != 4 + 8 * count:
        raise struct.error
    return Settings()


def data_head(stream_id: int, length: int, *, fin: bool = False) -> bytes:
    """What precedes the payload of a DATA frame."""
    return _HEAD.pack(stream_id, (FIN if fin else 0) << 24 | length)


def _control(number: int, payload: bytes, flags: int = 0) -> bytes:
    return _HEAD.pack(_CONTROL | VERSION << 16 | number, flags << 24 | len(payload)) + payload
