"""A SPDY/3.1 client that forgives nothing, written from the specification and not from our codec."""

import struct
import zlib
from dataclasses import dataclass, field

from vnode.streaming.spdy.dictionary import DICTIONARY

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9


@dataclass
class ClientStream:
    received: bytearray = field(default_factory=bytearray)
    replied: bool = False
    ended: bool = False
    reset: int | None = None
    sent_end: bool = False


@dataclass
class StrictSpdyClient:
    """`receive` asserts that the server keeps the protocol."""

    streams: dict[int, ClientStream] = field(default_factory=dict)
    pings: list[int] = field(default_factory=list)
    gone_away: tuple[int, int] | None = None
    largest_frame: int = 0

    def __post_init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._buffer = bytearray()
        self._next = 1
        self._pinged: set[int] = set()

    def block(self, headers: dict[str, str]) -> bytes:
        plain = struct.pack("!I", len(headers))
        for name, value in headers.items():
            plain += struct.pack("!I", len(name)) + name.encode() + struct.pack("!I", len(value)) + value.encode()
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def open(self, headers: dict[str, str], *, fin: bool = False) -> tuple[int, bytes]:
        stream_id, self._next = self._next, self._next + 2
        self.streams[stream_id] = ClientStream(sent_end=fin)
        payload = struct.pack("!IIBB", stream_id, 0, 0, 0) + self.block(headers)
        return stream_id, control(SYN_STREAM, payload, 1 if fin else 0)

    def data(self, stream_id: int, data: bytes, *, fin: bool = False) -> bytes:
        self.streams[stream_id].sent_end |= fin
        return struct.pack("!II", stream_id, (1 if fin else 0) << 24 | len(data)) + data

    def reset(self, stream_id: int) -> bytes:
        self.streams[stream_id].reset = 5
        return control(RST_STREAM, struct.pack("!II", stream_id, 5))

    def ping(self, number: int) -> bytes:
        self._pinged.add(number)
        return control(PING, struct.pack("!I", number))

    def go_away(self) -> bytes:
        return control(GOAWAY, struct.pack("!II", 0, 0))

    def receive(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 8:
            word, rest = struct.unpack_from("!II", self._buffer)
            length = rest & 0xFFFFFF
            if len(self._buffer) < 8 + length:
                return
            payload = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            if word >> 31:
                assert word >> 16 & 0x7FFF == 3, "version"
                self._control(word & 0xFFFF, rest >> 24, payload)
            else:
                self._data(word, rest >> 24, payload)

    def _control(self, kind: int, flags: int, payload: bytes) -> None:
        assert self.gone_away is None or kind == PING, "nothing new after GOAWAY"
        match kind:
            case 2:
                (stream_id,) = struct.unpack_from("!I", payload)
                stream = self.streams[stream_id]
                assert not stream.replied, "a second SYN_REPLY"
                assert self._inflate.decompress(payload[4:]) == b"\0\0\0\0"
                stream.replied = True
                stream.ended |= bool(flags & 1)
            case 3:
                stream_id, status = struct.unpack("!II", payload)
                assert stream_id in self.streams, "a reset of a stream that never was"
                assert 1 <= status <= 11
                assert not (self.streams[stream_id].ended and self.streams[stream_id].sent_end), "a reset after the end"
                self.streams[stream_id].reset = status
            case 6:
                (number,) = struct.unpack("!I", payload)
                assert number in self._pinged, "an answer to no ping"
                self.pings.append(number)
            case 7:
                last, status = struct.unpack("!II", payload)
                self.gone_away = last, status
            case _:
                raise AssertionError(f"a control frame of type {kind}")

    def _data(self, stream_id: int, flags: int, payload: bytes) -> None:
        stream = self.streams[stream_id]
        assert stream.replied, "DATA before SYN_REPLY is lost"
        assert not stream.ended, "DATA after FIN"
        self.largest_frame = max(self.largest_frame, len(payload))
        stream.received += payload
        stream.ended |= bool(flags & 1)


def control(kind: int, payload: bytes, flags: int = 0) -> bytes:
    return struct.pack("!HHI", 0x8003, kind, flags << 24 | len(payload)) + payload
