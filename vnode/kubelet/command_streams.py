"""The streams between a client of exec or attach and its command, whichever protocol carries them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, Self

from aiohttp import web

from vnode.kubelet.upgrade import UpgradeRefused
from vnode.streaming.commands import Outcome, TerminalSize

_TRUE = {"1", "true"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedStreams:
    """The streams that a caller asks for."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        """Read a kubelet's parameters `input`, `output`, `error` and `tty`; a terminal has no stderr.

        Raises UpgradeRefused (400) when there is nothing to stream.
        """
        tty = query.get("tty") in _TRUE
        wanted = cls(
            stdin=query.get("input") in _TRUE,
            stdout=query.get("output") in _TRUE,
            stderr=query.get("error") in _TRUE and not tty,
            tty=tty,
        )
        if not (wanted.stdin or wanted.stdout or wanted.stderr):
            raise UpgradeRefused(400, "you must specify at least 1 of stdin, stdout, stderr")
        return wanted


class CommandStreams(Protocol):
    """One client's end of stdin, stdout and stderr.

    All methods raise ClientGone once the client went away. Reading and writing may happen at the same time, but
    each stream has one reader or one writer.
    """

    @property
    def response(self) -> web.StreamResponse:
        """The answer that carries the streams; the handler returns it after the block."""
        ...

    async def read_stdin(self) -> bytes:
        """The next piece, at most 256 KiB; empty once the client has closed stdin, and at once without stdin."""
        ...

    async def write_stdout(self, data: bytes) -> None:
        """Send a piece of any size; waits while the client does not read. Dropped when stdout is not wanted."""
        ...

    async def write_stderr(self, data: bytes) -> None:
        """As `write_stdout`."""
        ...

    async def next_size(self) -> TerminalSize:
        """Wait for a size of the terminal that was not returned yet: the newest, those between are skipped.

        Waits for ever without a terminal.
        """
        ...

    async def finish(self, outcome: Outcome) -> None:
        """Tell how the command ended, after all output, and close all streams; the last call."""
        ...


#: Upgrades a request and holds the connection for the length of the block. Raises UpgradeRefused on entry, before
#: anything was sent. A client that goes away cancels the block, which then ends with ClientGone; a block that ends
#: without `finish` leaves its client with a broken connection.
OpenCommandStreams = Callable[[web.Request, WantedStreams], AbstractAsyncContextManager[CommandStreams]]
