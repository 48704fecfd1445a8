"""Cuts an answer into lines while it arrives; one line of Nomad's event stream may hold half a megabyte."""

LONGEST_LINE = 64 * 1024 * 1024


class LineTooLong(ValueError):
    """A line that exceeds the bound: this is no event stream."""


class LineSplitter:
    """Feed it chunks, take whole lines; the unfinished one is kept, its parts joined only once."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes, without their ends and without empty ones; raises LineTooLong."""
        *complete, rest = chunk.split(b"\n")
        if complete:
            complete[0] = b"".join((*self._parts, complete[0]))
            self._parts, self._size = [], 0
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
        if self._size > self._longest:
            raise LineTooLong(f"a line of Nomad's event stream is longer than {self._longest} bytes")
        return [line for line in complete if line]
