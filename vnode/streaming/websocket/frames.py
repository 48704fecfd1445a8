"""Frames of RFC 6455, section 5.2, as a server reads and writes them."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from vnode.streaming.errors import RemoteProtocolError

LARGEST_CONTROL = 125

_FINAL, _RESERVED, _MASKED, _SHORT = 0x80, 0x70, 0x80, 0x7F
#: What the short length says when the true one follows in so many bytes.
_TWO, _EIGHT = 126, 127
_EXTENDED = {_TWO: 2, _EIGHT: 8}
_SHORT_HEAD = 2


class Opcode(IntEnum):
    """Kinds of frames."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


@dataclass(frozen=True, slots=True)
class FramePart:
    """Unmasked payload of one frame; that of a control frame is whole.

    `begins` and `ends` tell whether it holds the frame's first and last byte; `final` belongs to the frame.
    """

    opcode: Opcode
    data: bytes
    begins: bool
    ends: bool
    final: bool


class FrameReader:
    """Cuts what a client sends into frames, however it was split."""

    def __init__(self) -> None:
        #: The head of a frame as far as it came; of a control frame, its payload too.
        self._begun = bytearray()
        self._opcode = Opcode.BINARY
        self._final = True
        self._mask = b""
        self._unread = 0
        self._begins = True

    def read(self, data: bytes) -> Iterator[FramePart]:
        """The parts of frames that these bytes hold. Raises RemoteProtocolError."""
        position, end = 0, len(data)
        while position < end:
            if self._unread:
                piece = data[position : position + self._unread]
                position += len(piece)
                yield self._part(piece)
                continue
            piece = data[position : position + _wanted(self._begun) - len(self._begun)]
            position += len(piece)
            self._begun += piece
            if len(self._begun) == _wanted(self._begun):
                head = bytes(self._begun)
                self._begun.clear()
                yield from self._begin(head)

    def _begin(self, head: bytes) -> Iterator[FramePart]:
        self._opcode, self._final = _opcode(head[0]), bool(head[0] & _FINAL)
        offset = _mask_offset(head)
        self._mask = head[offset : offset + 4]
        self._begins = True
        if self._opcode >= Opcode.CLOSE:
            if not self._final:
                raise RemoteProtocolError("a WebSocket control frame in fragments")
            yield FramePart(self._opcode, unmask(head[offset + 4 :], self._mask), begins=True, ends=True, final=True)
            return
        self._unread = _length(head)
        if not self._unread:
            yield self._part(b"")

    def _part(self, masked: bytes) -> FramePart:
        self._unread -= len(masked)
        data = unmask(masked, self._mask)
        part = FramePart(self._opcode, data, begins=self._begins, ends=not self._unread, final=self._final)
        shift = len(masked) % 4
        self._mask = self._mask[shift:] + self._mask[:shift]
        self._begins = False
        return part


def _opcode(first: int) -> Opcode:
    if first & _RESERVED:
        raise RemoteProtocolError("a WebSocket frame of an extension that was not agreed upon")
    try:
        return Opcode(first & 0x0F)
    except ValueError:
        raise RemoteProtocolError(f"a WebSocket frame with the opcode {first & 0x0F}") from None


def _wanted(begun: bytearray) -> int:
    """Bytes to be collected of a frame that has begun so: its head, and the payload of a control frame."""
    if len(begun) < _SHORT_HEAD:
        return _SHORT_HEAD
    if not begun[1] & _MASKED:
        raise RemoteProtocolError("a WebSocket frame of a client without a mask")
    length = begun[1] & _SHORT
    if _opcode(begun[0]) < Opcode.CLOSE:
        return _mask_offset(begun) + 4
    if length > LARGEST_CONTROL:
        raise RemoteProtocolError("a WebSocket control frame that is too long")
    return _mask_offset(begun) + 4 + length


def _mask_offset(head: bytes | bytearray) -> int:
    return _SHORT_HEAD + _EXTENDED.get(head[1] & _SHORT, 0)


def _length(head: bytes) -> int:
    short = head[1] & _SHORT
    length = int.from_bytes(head[2 : 2 + _EXTENDED[short]]) if short in _EXTENDED else short
    if length >> 63:
        raise RemoteProtocolError("a WebSocket frame with a negative length")
    return length


def unmask(data: bytes, mask: bytes) -> bytes:
    """Mask or unmask: an exclusive or with the repeated mask, as whole numbers, for bytes one by one are slow."""
    if not any(mask):
        return data
    length = len(data)
    repeated = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")).to_bytes(length, "little")


def frame_head(opcode: Opcode, length: int) -> bytes:
    """What precedes the payload of a whole message or control frame of a server."""
    first = _FINAL | opcode
    if length < _TWO:
        return bytes((first, length))
    if length < 1 << 16:
        return struct.pack("!BBH", first, _TWO, length)
    return struct.pack("!BBQ", first, _EIGHT, length)
