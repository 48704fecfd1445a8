"""What becomes of an answer, and of a stream, line by line."""

import json
import re
from typing import Any

from tests.faults.faults import Disorder, Disturbed

_AGE = 1000
_INDEX = re.compile(rb'("Index":|"resourceVersion":")(\d+)')
_NONSENSE = b'{"type":"?","Events":[{"Topic":7'
_UNKNOWN: dict[str, Any] = {"fromTheFuture": {"list": [1, None], "text": "x"}, "FromTheFuture": 7}
_LAST = frozenset({Disorder.ENDED, Disorder.CUT, Disorder.SILENT})


class Disturbance:
    """Feed it lines, pass on what it gives; `ended` tells with what the stream is at its end."""

    def __init__(self, fault: Disturbed) -> None:
        self._fault = fault
        self._count = 0
        self._held: bytes | None = None
        self.ended: Disorder | None = None

    def feed(self, line: bytes) -> bytes:
        """What becomes of a line, line ends included."""
        if self._held is not None:
            held, self._held = self._held, None
            return line + b"\n" + held + b"\n"
        self._count += 1
        if self._count % self._fault.every:
            return line + b"\n"
        return self._disturb(line)

    def _disturb(self, line: bytes) -> bytes:
        disorder = self._fault.disorder
        if disorder in _LAST:
            self.ended = disorder
        match disorder:
            case Disorder.DUPLICATED:
                return (line + b"\n") * 2
            case Disorder.REORDERED:
                self._held = line
                return b""
            case Disorder.BACKWARDS:
                return _aged(line) + b"\n"
            case Disorder.GARBLED:
                return _NONSENSE + b"\n"
            case Disorder.CUT:
                return line[: len(line) // 2]
            case Disorder.ENDED | Disorder.SILENT:
                return line + b"\n"


def _aged(line: bytes) -> bytes:
    """The line with its first index, or resource version, of long ago."""
    return _INDEX.sub(lambda found: found[1] + str(max(1, int(found[2]) - _AGE)).encode(), line, count=1)


def extended(answer: bytes) -> bytes:
    """JSON with one more field in each object that is the answer or an item of it; anything else as it is."""
    try:
        content = json.loads(answer)
    except ValueError:
        return answer
    items = content if isinstance(content, list) else content.get("items") if isinstance(content, dict) else None
    for each in (content, *(items or ())):
        if isinstance(each, dict):
            each.update(_UNKNOWN)
    return json.dumps(content).encode()
