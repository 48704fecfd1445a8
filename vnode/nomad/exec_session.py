"""One command in a task: its streams over Nomad's exec WebSocket, and what becomes of it when nobody reads any more."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import structlog

from vnode.errors import PeerError, Unavailable
from vnode.nomad import exec_frames
from vnode.nomad.attendant import Attendant, MarkedOutput
from vnode.nomad.exec_frames import Exited, FrameError, Output, OutputStream

#: Bytes read ahead of whoever takes them; one piece more may lie above it.
_READ_AHEAD = 128 * 1024
#: Bytes of stdin in one frame.
_PIECE = 32 * 1024
#: Seconds between signs of life, as Nomad's own command line sends them.
_HEARTBEAT_EVERY = 10.0

_log = structlog.get_logger(__name__)


class Frames(Protocol):
    """The texts of a WebSocket; both methods raise PeerError."""

    async def receive(self) -> str | None:
        """The next text; None once there are no more."""
        ...

    async def send(self, text: str) -> None:
        """Send a text; waits while the other side does not read."""
        ...


@dataclass(frozen=True, slots=True)
class NeverBegan:
    """The command ended without its attendant: `said` is what the runtime gave as its output."""

    code: int
    said: bytes


class ExecSession:
    """A command that runs, as its user sees it, and its connection.

    `run` reads all that comes for as long as the connection lives, at most a little ahead of `read`. Without an
    attendant the streams are Nomad's own.
    """

    def __init__(self, socket: Frames, attendant: Attendant | None, *, tty: bool) -> None:
        self._socket = socket
        self._tty = tty
        self._marked = _marked(attendant, tty=tty)
        self._permission = attendant.permission if attendant is not None else b""
        self._pieces: deque[tuple[OutputStream, bytearray]] = deque()
        self._size = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._discards = False
        self._error: PeerError | None = None
        self._stdin_closed = False
        #: The command runs, or never will.
        self.begun = asyncio.Event()
        if attendant is None:
            self.begun.set()
        #: The command has ended, and its output was seen whole; an attendant may still be there.
        self.ended = asyncio.Event()
        #: Nomad has said that the command has ended, or said its last word.
        self.closed = asyncio.Event()
        self.never_began: NeverBegan | None = None
        self.code: int | None = None

    async def begin(self) -> None:
        """Wait until the command runs, or `never_began` tells that it never will. Raises PeerError."""
        await self.begun.wait()
        if self._error is not None and self.never_began is None:
            raise self._error

    async def read(self) -> Sequence[tuple[OutputStream, bytes]]:
        """All output that is there, waiting for some; empty at its end, when `code` is set.

        Raises PeerError when the session broke, or ended without a code.
        """
        while not self._pieces:
            if self.code is not None:
                return ()
            if self._error is not None:
                raise self._error
            self._changed.clear()
            await self._changed.wait()
        taken = [(stream, bytes(data)) for stream, data in self._pieces]
        self._pieces.clear()
        self._size = 0
        self._room.set()
        return taken

    async def write_stdin(self, data: bytes) -> None:
        """Give the command bytes to read; waits while it does not. Dropped once it has ended. Raises PeerError."""
        for start in range(0, len(data), _PIECE):
            await self._send(exec_frames.stdin(data[start : start + _PIECE]))
            # A lost connection shows only when the event loop had its turn.
            await asyncio.sleep(0)

    async def close_stdin(self) -> None:
        """Tell the command that nothing more comes. Raises PeerError."""
        if not self._stdin_closed:
            self._stdin_closed = True
            await self._send(exec_frames.CLOSE_STDIN)

    async def resize(self, width: int, height: int) -> None:
        """Give the terminal a size; without a terminal, or for a size of nothing, nothing happens. Raises PeerError."""
        if self._tty and width and height:
            await self._send(exec_frames.terminal_size(width, height))

    def discard(self) -> None:
        """Throw away what comes from now on, so that nothing waits for a reader."""
        self._discards = True
        self._pieces.clear()
        self._room.set()

    async def run(self) -> None:
        """Read frames until Nomad says no more; never raises, `read` does."""
        try:
            while (text := await self._socket.receive()) is not None:
                for event in exec_frames.decode(text):
                    await self._take(event)
            self._end(Unavailable("Nomad ended the exec session without an exit code; the container may have stopped"))
        except PeerError as error:
            self._end(error)
        except FrameError as error:
            self._end(Unavailable(str(error)))
        finally:
            self.ended.set()
            self.closed.set()
            self.begun.set()

    async def keep_alive(self) -> None:
        """Send signs of life until that fails, which `run` notices as well."""
        with suppress(PeerError):
            while True:
                await asyncio.sleep(_HEARTBEAT_EVERY)
                await self._send(exec_frames.HEARTBEAT)

    async def _take(self, event: Output | Exited) -> None:
        if isinstance(event, Exited):
            await self._exited(event.code)
            return
        marked = self._marked.get(event.stream)
        data = event.data if marked is None else marked.feed(event.data)
        await self._put(event.stream, data)
        if self._permission and self._marked["stdout"].ready:
            permission, self._permission = self._permission, b""
            await self._socket.send(exec_frames.stdin(permission))
        if self._marked and not self.begun.is_set() and self._marked["stdout"].begun:
            self.begun.set()
        if self._marked and all(each.ended for each in self._marked.values()) and self.code is None:
            self.code = self._marked["stdout"].code
            self.ended.set()
            self._changed.set()

    async def _exited(self, code: int) -> None:
        if not self._marked:
            self.code = code
        elif self.code is None and not self._marked["stdout"].begun:
            self.never_began = NeverBegan(code, self._marked["stdout"].preamble)
        elif self.code is None:
            # Killed together with its attendant: no mark was written, but the code is true.
            for stream, marked in self._marked.items():
                await self._put(stream, marked.rest)
            self.code = code
        self.ended.set()
        self.closed.set()
        self.begun.set()
        self._changed.set()

    def _end(self, error: PeerError) -> None:
        if self.code is None and self._error is None:
            self._error = error
        self._changed.set()

    async def _put(self, stream: OutputStream, data: bytes) -> None:
        if not data or self._discards:
            return
        if self._pieces and self._pieces[-1][0] == stream:
            self._pieces[-1][1].extend(data)
        else:
            self._pieces.append((stream, bytearray(data)))
        self._size += len(data)
        self._changed.set()
        while self._size > _READ_AHEAD and not self._discards:
            self._room.clear()
            await self._room.wait()

    async def _send(self, text: str) -> None:
        if self.closed.is_set() or (self._marked and self.ended.is_set() and not self._discards):
            return
        try:
            await self._socket.send(text)
        except PeerError:
            if self.code is None and not self._discards:
                raise


def _marked(attendant: Attendant | None, *, tty: bool) -> dict[OutputStream, MarkedOutput]:
    if attendant is None:
        return {}
    marked: dict[OutputStream, MarkedOutput] = {"stdout": MarkedOutput(attendant, begins=True)}
    if not tty:
        marked["stderr"] = MarkedOutput(attendant, begins=False)
    return marked
