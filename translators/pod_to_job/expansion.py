"""`$(VARIABLE)` in commands, arguments and environment values, expanded as a kubelet does.

Source: kubernetes third_party/forked/golang/expansion/expand.go: `$$` is a dollar sign, an unknown or unclosed
reference stays as it is, and nothing is expanded twice.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_TOKEN = re.compile(r"\$\$|\$\(([^)]*)\)")


class Piece(NamedTuple):
    """A part of a text: `literal` is what it stands for unless `name`, which is empty for no reference, is known."""

    literal: str
    name: str = ""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with the references to these variables replaced."""
    if "$" not in text:
        return text

    def replace(found: re.Match[str]) -> str:
        name = found[1]
        return "$" if name is None else variables.get(name, found[0])

    return _TOKEN.sub(replace, text)


def pieces(text: str) -> Iterator[Piece]:
    """The text in order: what stands in it, and the references that it makes."""
    end = 0
    for found in _TOKEN.finditer(text):
        if found.start() > end:
            yield Piece(text[end : found.start()])
        yield Piece("$") if found[1] is None else Piece(found[0], found[1])
        end = found.end()
    if end < len(text):
        yield Piece(text[end:])
