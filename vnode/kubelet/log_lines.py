"""Bytes of two streams in, the text of a log answer out: whole lines, stamps, bounds. No I/O.

Nomad keeps stdout and stderr apart and stores no times, so the pieces here work on blocks of lines that
share one moment: the arrival of a live chunk, or the last change of the file that history was read from.
"""

from datetime import UTC, datetime

from vnode.kubelet.log_options import LogOptions, Stream

#: A line that grows beyond this is passed on in parts, so that a container cannot fill our memory.
LONGEST_LINE = 256 * 1024

_FIRST_BLOCK = 16 * 1024
_LARGEST_BLOCK = 1024 * 1024


class WholeLines:
    """Cuts a stream of bytes at line ends, so that two streams can be merged without tearing lines."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self._longest = longest

    def feed(self, data: bytes) -> bytes:
        """All lines that `data` completes; an unfinished one is held back unless it is too long."""
        end = data.rfind(b"\n") + 1
        complete = b"".join((*self._held, data[:end])) if end else b""
        if end:
            self._held, self._size = [], 0
        if rest := data[end:]:
            self._held.append(rest)
            self._size += len(rest)
        return complete + self.rest() if self._size > self._longest else complete

    def rest(self) -> bytes:
        """The unfinished line, which is held no longer."""
        rest = b"".join(self._held)
        self._held, self._size = [], 0
        return rest


class TailSearch:
    """Finds where the last `lines` lines of the bytes `[start, end)` begin, reading blocks backwards.

    Feed the bytes of `wanted` until that is None; then `position` is the answer and `found` the number of
    lines from there on. A last line without an end counts as a line.
    """

    def __init__(self, lines: int, start: int, end: int) -> None:
        self._lines = lines
        self._start = start
        self._end = end
        self._left = end
        self._newlines = 0
        self._block = _FIRST_BLOCK
        self._done = lines == 0 or start >= end
        self.found = 0

    @property
    def position(self) -> int:
        """Where the lines begin."""
        return self._left

    @property
    def wanted(self) -> tuple[int, int] | None:
        """The range of bytes to feed next, at most 1 MiB."""
        return None if self._done else (max(self._start, self._left - self._block), self._left)

    def feed(self, block: bytes) -> None:
        """Look at the bytes of `wanted`; fewer mean that what stood before them is gone."""
        if self.wanted is None:
            raise RuntimeError("The search is over.")
        left, right = self.wanted
        searched = len(block)
        if right == self._end and block.endswith(b"\n"):
            searched -= 1
        count = block.count(b"\n", 0, searched)
        if self._newlines + count >= self._lines:
            for _ in range(self._lines - self._newlines):
                searched = block.rindex(b"\n", 0, searched)
            self._finish(right - len(block) + searched + 1, self._lines)
            return
        self._newlines += count
        self._left = right - len(block)
        self._block = min(self._block * 4, _LARGEST_BLOCK)
        if left == self._start or self._left > left:
            self._finish(self._left, self._newlines + (self._left < self._end))

    def _finish(self, position: int, found: int) -> None:
        self._left, self.found, self._done = position, found, True


class LogText:
    """Turns chunks of the streams into what the caller receives, in the order in which they are fed.

    Applies `since`, `timestamps` and `limit` of the options; which bytes are fed at all (`tail`, `follow`)
    is the reader's business. Every line is of one stream; a stream that has to stop in the middle of a line
    is given a line end before the other one speaks.
    """

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self._lines = {stream: WholeLines() for stream in options.streams}
        self._open: Stream | None = None
        self._left = options.limit

    @property
    def exhausted(self) -> bool:
        """Whether the limit of bytes is reached: nothing more will come out."""
        return self._left == 0

    def feed(self, stream: Stream, data: bytes, moment: datetime) -> bytes:
        """What a chunk adds to the answer; `moment` is when its lines were written, as best known."""
        return self._show(stream, self._lines[stream].feed(data), moment)

    def finish(self, stream: Stream, moment: datetime) -> bytes:
        """What is left of a stream that has ended: its line without an end."""
        return self._show(stream, self._lines[stream].rest(), moment)

    def _show(self, stream: Stream, block: bytes, moment: datetime) -> bytes:
        since = self._options.since
        if not block or (since is not None and moment < since):
            return b""
        continues = self._open == stream
        torn = b"\n" if self._open is not None and not continues else b""
        self._open = None if block.endswith(b"\n") else stream
        if self._options.timestamps:
            block = stamp(block, moment, continues=continues)
        return self._take(torn + block)

    def _take(self, text: bytes) -> bytes:
        if self._left is None:
            return text
        text = text[: self._left]
        self._left -= len(text)
        return text


def stamp(block: bytes, moment: datetime, *, continues: bool = False) -> bytes:
    """Set the moment before every line of a block; not before the first if it `continues` a line."""
    prefix = timestamp(moment).encode() + b" "
    body, end = (block[:-1], b"\n") if block.endswith(b"\n") else (block, b"")
    return (b"" if continues else prefix) + body.replace(b"\n", b"\n" + prefix) + end


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with nine digits of fraction, of which the last three are zero here."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "000Z"
