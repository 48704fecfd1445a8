"""Sizes of a terminal, as client-go's encoder writes them: JSON objects, one after the other."""

import json

from vnode.streaming.commands import TerminalSize

#: Characters of one size that has not come whole; a real one has thirty.
_LARGEST = 1024
_UINT16 = 0xFFFF


class SizeReader:
    """Reads sizes however they were split; after nonsense it reads no more, like a kubelet."""

    def __init__(self) -> None:
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._broken = False

    @property
    def kept(self) -> int:
        """Characters that wait for their rest."""
        return len(self._text)

    def read(self, data: bytes) -> list[TerminalSize]:
        """The sizes that these bytes complete."""
        sizes: list[TerminalSize] = []
        if self._broken:
            return sizes
        self._text += data.decode("latin-1")
        while self._text and not self._broken:
            self._text = self._text.lstrip()
            size = self._next()
            if size is None:
                break
            sizes.append(size)
        return sizes

    def _next(self) -> TerminalSize | None:
        if not self._text:
            return None
        end = self._text.find("}") + 1
        if not end:
            self._broken = len(self._text) > _LARGEST
            return None
        written, self._text = self._text[:end], self._text[end:]
        size = _parse(self._decoder, written)
        self._broken = size is None
        return size


def _parse(decoder: json.JSONDecoder, written: str) -> TerminalSize | None:
    try:
        value = decoder.decode(written)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    fields = {name.lower(): number for name, number in value.items()}
    width, height = fields.get("width", 0), fields.get("height", 0)
    if not (_is_uint16(width) and _is_uint16(height)):
        return None
    return TerminalSize(width, height)


def _is_uint16(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _UINT16
