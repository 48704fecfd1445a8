"""A WebSocket client that forgives nothing, written from RFC 6455 and not from our codec."""

import struct
from dataclasses import dataclass, field


@dataclass
class StrictWebSocketClient:
    """`receive` asserts that the server keeps the protocol."""

    mask: bytes = b"\x11\x22\x33\x44"
    messages: list[tuple[int, bytes]] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    close_code: int | None = None

    def __post_init__(self) -> None:
        self._buffer = bytearray()

    def frame(self, opcode: int, payload: bytes, *, final: bool = True) -> bytes:
        first = (0x80 if final else 0) | opcode
        if len(payload) < 126:
            head = struct.pack("!BB", first, 0x80 | len(payload))
        elif len(payload) < 65536:
            head = struct.pack("!BBH", first, 0x80 | 126, len(payload))
        else:
            head = struct.pack("!BBQ", first, 0x80 | 127, len(payload))
        masked = bytes(byte ^ self.mask[index % 4] for index, byte in enumerate(payload))
        return head + self.mask + masked

    def receive(self, data: bytes) -> None:
        self._buffer += data
        while (length := self._whole()) is not None:
            frame = bytes(self._buffer[:length])
            del self._buffer[:length]
            self._frame(frame[0], frame[_head(frame) :])

    def _whole(self) -> int | None:
        if len(self._buffer) < 2:
            return None
        assert not self._buffer[1] & 0x80, "a server does not mask"
        head = _head(self._buffer)
        if len(self._buffer) < head:
            return None
        short = self._buffer[1]
        length = short if short < 126 else int.from_bytes(self._buffer[2:head])
        assert short != 126 or length >= 126, "the shortest form of a length"
        assert short != 127 or length >= 65536, "the shortest form of a length"
        return head + length if len(self._buffer) >= head + length else None

    def _frame(self, first: int, payload: bytes) -> None:
        assert self.close_code is None, "nothing after CLOSE"
        assert first & 0x80, "no fragments"
        assert not first & 0x70, "no extensions"
        opcode = first & 0x0F
        assert opcode in (1, 2, 8, 9, 10)
        if opcode == 8:
            assert len(payload) != 1
            self.close_code = int.from_bytes(payload[:2]) if payload else 1005
        elif opcode == 10:
            self.pongs.append(payload)
        elif opcode == 1:
            payload.decode()
            self.messages.append((opcode, payload))
        else:
            self.messages.append((opcode, payload))


def _head(frame: bytes | bytearray) -> int:
    return 2 + {126: 2, 127: 8}.get(frame[1] & 0x7F, 0)
