import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from vnode.errors import Conflict, Denied, NotFound, PeerError, Unavailable
from vnode.nomad.errors import TooManyStreams
from vnode.nomad.exec_session import ExecSession
from vnode.nomad.task_place import TaskPlace
from vnode.probes.answers import Answer, Outcome
from vnode.probes.commands import run

PLACE = TaskPlace("a1", "app", "docker")


@dataclass
class _Session:
    """A command that prints and exits, or never does."""

    code: int | None
    pieces: list[bytes] = field(default_factory=list)

    async def read(self) -> Sequence[tuple[str, bytes]]:
        if self.pieces:
            return [("stdout", self.pieces.pop(0))]
        if self.code is None:
            await asyncio.Event().wait()
        return ()


@dataclass
class _Tasks:
    """Where commands are started."""

    session: _Session | None = None
    error: PeerError | None = None
    ended: bool = False

    @asynccontextmanager
    async def start(
        self, place: TaskPlace, command: Sequence[str], *, stdin: bool, tty: bool
    ) -> AsyncIterator[ExecSession]:
        assert (place, list(command), stdin, tty) == (PLACE, ["check", "-a"], False, False)
        if self.error is not None:
            raise self.error
        yield cast(ExecSession, self.session)
        self.ended = True


async def asked(tasks: _Tasks, within: float = 5.0) -> Answer:
    return await run(tasks, PLACE, ("check", "-a"), within)


@pytest.mark.parametrize(("code", "outcome"), [(0, Outcome.SUCCESS), (1, Outcome.FAILURE), (127, Outcome.FAILURE)])
async def test_the_exit_code_is_the_answer(code: int, outcome: Outcome) -> None:
    assert await asked(_Tasks(_Session(code, [b"it ", b"says"]))) == Answer(outcome, "it says")


async def test_no_more_of_the_output_is_kept_than_by_a_kubelet() -> None:
    found = await asked(_Tasks(_Session(1, [b"x" * 8000, b"y" * 8000, b"z"])))
    assert len(found.text) == 10 * 1024


async def test_a_command_that_takes_too_long_has_failed() -> None:
    found = await asked(_Tasks(_Session(None)), within=0.05)
    assert found == Answer(Outcome.FAILURE, 'command timed out: "check -a" timed out after 0.05s')


@pytest.mark.parametrize("error", [Unavailable("Nomad is away"), Denied("Permission denied")])
async def test_that_nomad_cannot_be_asked_tells_nothing(error: PeerError) -> None:
    assert await asked(_Tasks(error=error)) == Answer(Outcome.UNKNOWN, str(error))


@pytest.mark.parametrize("error", [Conflict("gone"), NotFound("gone"), TooManyStreams("full")])
async def test_a_run_that_ended_meanwhile_and_our_own_bound_are_not_told_about(error: PeerError) -> None:
    assert await asked(_Tasks(error=error)) == Answer(Outcome.UNKNOWN)
