"""Inputs that once broke a codec, one a line in hexadecimal, with a word about each."""

from collections.abc import Iterator
from pathlib import Path

_FILE = Path(__file__).with_name("found.txt")


def found() -> Iterator[bytes]:
    """All of them."""
    for text in _FILE.read_text().splitlines():
        if text and not text.startswith("#"):
            yield bytes.fromhex(text.partition("#")[0])


def line(data: bytes) -> str:
    """An input as it is kept."""
    return data.hex()
