"""Header blocks: names and values, compressed by one compressor for each direction of a connection.

The compressors remember everything that went through them, so every block that arrives must be inflated, also that
of a stream that is refused; and a block that cannot be inflated ends the connection.
"""

import struct
import zlib
from collections.abc import Mapping

from vnode.streaming.errors import RemoteProtocolError
from vnode.streaming.spdy.dictionary import DICTIONARY

#: Bytes of one inflated block; those of Kubernetes hold a few hundred.
LARGEST_BLOCK = 64 * 1024

_U32 = struct.Struct("!I")


class BadHeaders(Exception):
    """The block was inflated, but what it holds is wrong: the stream cannot be had, the connection goes on."""


class HeaderCompressor:
    """The sending direction."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def compress(self, headers: Mapping[str, str]) -> bytes:
        """One block; names are lower case. The values of a repeated header are joined by NUL."""
        parts = [_U32.pack(len(headers))]
        for name, value in headers.items():
            for text in (name.encode("latin-1"), value.encode("latin-1")):
                parts += (_U32.pack(len(text)), text)
        return self._deflate.compress(b"".join(parts)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


class HeaderDecompressor:
    """The receiving direction."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def decompress(self, block: bytes) -> dict[str, str]:
        """Names and values of one block.

        Raises RemoteProtocolError when it cannot be inflated or is a bomb, BadHeaders when its content is wrong.
        """
        try:
            plain = self._inflate.decompress(block, LARGEST_BLOCK)
        except zlib.error as error:
            raise RemoteProtocolError(f"a header block cannot be inflated: {error}") from None
        if self._inflate.unconsumed_tail or self._inflate.eof:
            raise RemoteProtocolError("a header block is too large or ends the compressed stream")
        return _parse(plain)


def _parse(plain: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    reader = _Reader(plain)
    for _ in range(reader.number()):
        name, value = reader.text(), reader.text()
        if not name or name != name.lower() or name in headers:
            raise BadHeaders(f"the header {name!r} is empty, repeated or not in lower case")
        headers[name] = value
    if not reader.exhausted:
        raise BadHeaders("a header block holds more than its headers")
    return headers


class _Reader:
    def __init__(self, plain: bytes) -> None:
        self._plain = plain
        self._position = 0

    @property
    def exhausted(self) -> bool:
        return self._position == len(self._plain)

    def number(self) -> int:
        return int(_U32.unpack(self._take(_U32.size))[0])

    def text(self) -> str:
        return self._take(self.number()).decode("latin-1")

    def _take(self, length: int) -> bytes:
        taken = self._plain[self._position : self._position + length]
        if len(taken) < length:
            raise BadHeaders("a header block ends too early")
        self._position += length
        return taken
