"""Probes that are commands: run in the task through Nomad's exec API."""

import asyncio
import shlex
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from vnode.errors import Conflict, NotFound, PeerError
from vnode.nomad.errors import TooManyStreams
from vnode.nomad.exec_session import ExecSession
from vnode.nomad.task_place import TaskPlace
from vnode.probes.answers import Answer, Outcome

#: What is kept of the output: pkg/probe/exec.
_OUTPUT = 10 * 1024


class Commands(Protocol):
    """Starts commands in tasks: `vnode.nomad.task_commands.TaskCommands`."""

    def start(
        self, place: TaskPlace, command: Sequence[str], *, stdin: bool, tty: bool
    ) -> AbstractAsyncContextManager[ExecSession]:
        """A command that has begun; with the block it ends in the task too."""


async def run(commands: Commands, place: TaskPlace, command: Sequence[str], within: float) -> Answer:
    """Whether a command exits with 0 within that many seconds after its start.

    That Nomad cannot be asked tells nothing about the container.
    """
    output = bytearray()
    try:
        async with commands.start(place, command, stdin=False, tty=False) as session:
            async with asyncio.timeout(within):
                while pieces := await session.read():
                    output += b"".join(data for _, data in pieces)[: _OUTPUT - len(output)]
            code = session.code
    except TimeoutError:
        return Answer(Outcome.FAILURE, f'command timed out: "{shlex.join(command)}" timed out after {within:g}s')
    except (Conflict, NotFound, TooManyStreams):
        # The run has ended, and what comes next has a trial of its own; or commands are still being ended.
        return Answer(Outcome.UNKNOWN)
    except PeerError as error:
        return Answer(Outcome.UNKNOWN, str(error))
    text = output.decode(errors="replace")
    return Answer(Outcome.SUCCESS if code == 0 else Outcome.FAILURE, text)
