"""Runs commands in tasks and leaves nothing of them behind.

A session outlives its user for a moment: an attendant is dismissed once its output was read, and a command whose
user went away is killed. Both happen in a task of their own, for the user may have been cancelled.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import structlog

from vnode.errors import Conflict, NotFound, PeerError, Rejected, Unavailable
from vnode.nomad import exec_frames
from vnode.nomad.agents import ClientAgents
from vnode.nomad.attendant import SHELL, Attendant, Stay
from vnode.nomad.budget import StreamBudget
from vnode.nomad.client import NomadClient
from vnode.nomad.endings import Endings
from vnode.nomad.errors import NoPath
from vnode.nomad.exec_frames import Exited, FrameError
from vnode.nomad.exec_session import ExecSession
from vnode.nomad.paths import Pause, with_path
from vnode.nomad.task_place import TaskPlace
from vnode.nomad.transport import Transport

#: Seconds until a command begins; the task and its files are there already.
_BEGIN = 30.0
#: Seconds at the end of a session: for all of it, for one that had hardly begun, for what leaves by itself, for a kill.
_SETTLING, _BEGIN_STILL, _LEAVING, _KILLING = 90.0, 5.0, 2.0, 30.0
#: Seconds for all that still settle when we end ourselves.
_PARTING = 10.0
#: How often a command is tried that Nomad says has ended before it began.
_ATTEMPTS = 4
#: What a container runtime answers when a program cannot be started.
_NOT_STARTED = frozenset({126, 127})

#: The driver whose tasks live in a part of the allocation directory, and hang on a program that is not there.
_CHROOT = "exec"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be run, and how."""

    place: TaskPlace
    command: tuple[str, ...]
    stdin: bool
    tty: bool
    attendant: Attendant | None

    @property
    def stay(self) -> Stay:
        """How to wait: an end of the command's own stdin would be taken for the word to leave."""
        return Stay.UNTIL_ENDED if self.stdin and not self.tty else Stay.UNTIL_TOLD

    @property
    def whole_command(self) -> list[str]:
        if self.attendant is None:
            return list(self.command)
        return self.attendant.command(self.command, stdin=self.stdin or self.tty, tty=self.tty, stay=self.stay)


class _Use:
    """A session from its opening to the moment its user leaves."""

    def __init__(self) -> None:
        self.opened: asyncio.Future[ExecSession] = asyncio.get_running_loop().create_future()
        self.left = asyncio.Event()


class TaskCommands:
    """Starts commands; `tokens` gives 32 hexadecimal digits that are never the same, `streams` bounds them."""

    def __init__(
        self,
        transport: Transport,
        tasks: asyncio.TaskGroup,
        tokens: Callable[[], str],
        streams: StreamBudget,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._pause = pause
        self._agents = ClientAgents(transport)
        self._streams = streams
        self._client = NomadClient(transport)
        self._tasks = tasks
        self._tokens = tokens
        self._endings = Endings(tasks, self._run)
        self._held: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def start(
        self, place: TaskPlace, command: Sequence[str], *, stdin: bool, tty: bool
    ) -> AsyncIterator[ExecSession]:
        """A command that has begun; with the block it ends in the task too. Holds one stream of the budget.

        Where a task has no shell, the command runs alone: it cannot be killed, and docker may lose its last output.
        Raises the kinds of `vnode.errors`, TooManyStreams among them, Conflict when the task does not run.
        """
        alone = _Order(place, tuple(command), stdin, tty, None)
        attempts = _ATTEMPTS if await self._has_shell(alone) else 0
        while attempts:
            attempts -= 1
            attendant = Attendant(self._tokens())
            async with self._reached(_Order(place, tuple(command), stdin, tty, attendant)) as session:
                if session.never_began is None:
                    yield session
                    return
                code, said = session.never_began.code, session.never_began.said
            if code in _NOT_STARTED:
                break
            if code or not attempts:
                raise Unavailable(f"Nomad could not start the command: {_reason(code, said)}")
            # Its attendant may come all the same, and would wait for ever.
            with suppress(TimeoutError):
                await self._endings.end(place, attendant, whole=True)
        async with self._reached(alone) as session:
            if not stdin and not tty:
                await session.close_stdin()
            yield session

    async def settle(self) -> None:
        """Wait, for seconds at most, until nothing is left of the commands whose blocks have ended."""
        if self._held:
            _, late = await asyncio.wait(tuple(self._held), timeout=_PARTING)
            for holding in late:
                holding.cancel()

    async def _has_shell(self, order: _Order) -> bool:
        """Whether an attendant can be tried. Raises Rejected for what would block the task's executor for good."""
        place, program = order.place, order.command[0]
        if place.driver != _CHROOT or await self._in_chroot(place, SHELL):
            return True
        if program.startswith("/") and await self._in_chroot(place, program):
            return False
        raise Rejected(
            f"this task's chroot holds no {SHELL} and no file {program}: give the whole path of a program in it"
        )

    async def _in_chroot(self, place: TaskPlace, path: str) -> bool:
        try:
            return await with_path(lambda: self._client.has_file(place.allocation, f"{place.task}{path}"), self._pause)
        except NoPath:
            raise
        except PeerError as error:
            _log.debug("cannot look into a chroot", allocation=place.allocation, path=path, error=str(error))
            return True

    @asynccontextmanager
    async def _reached(self, order: _Order) -> AsyncIterator[ExecSession]:
        """A session that begins as soon as the client can be reached: before that, nothing of it has begun there."""
        async with AsyncExitStack() as opened:
            yield await with_path(lambda: opened.enter_async_context(self._session(order)), self._pause)

    @asynccontextmanager
    async def _session(self, order: _Order) -> AsyncIterator[ExecSession]:
        use = _Use()
        holding = self._tasks.create_task(self._hold(order, use))
        self._held.add(holding)
        holding.add_done_callback(self._held.discard)
        try:
            session = await use.opened
            try:
                async with asyncio.timeout(_BEGIN):
                    await session.begin()
            except TimeoutError:
                raise Unavailable(f"the command did not begin within {_BEGIN:.0f} seconds") from None
            yield session
        finally:
            use.left.set()

    async def _hold(self, order: _Order, use: _Use) -> None:
        """Keep the connection until the user has left and the command is gone."""
        try:
            with self._streams.stream():
                request = order.place.request(order.whole_command, tty=order.tty)
                async with self._agents.websocket(order.place.client, *request) as socket:
                    session = ExecSession(socket, order.attendant, tty=order.tty)
                    async with asyncio.TaskGroup() as tasks:
                        running = [tasks.create_task(session.run()), tasks.create_task(session.keep_alive())]
                        if not use.opened.done():
                            use.opened.set_result(session)
                        await use.left.wait()
                        session.discard()
                        await self._settle(session, order)
                        for task in running:
                            task.cancel()
        except PeerError as error:
            if not use.opened.done():
                use.opened.set_exception(error)

    async def _settle(self, session: ExecSession, order: _Order) -> None:
        """See to it that nothing of the command is left in the task, and say so where that cannot be known."""
        try:
            async with asyncio.timeout(_SETTLING):
                if order.attendant is not None:
                    await self._end_attended(session, order, order.attendant)
                await session.close_stdin()
                await session.closed.wait()
        except (Conflict, NotFound):
            # The task has ended, and everything in it.
            return
        except (PeerError, FrameError, TimeoutError) as error:
            _log.warning(
                "a command may be left in a task",
                allocation=order.place.allocation,
                task=order.place.task,
                reason=str(error) or "it did not end",
            )

    async def _end_attended(self, session: ExecSession, order: _Order, attendant: Attendant) -> None:
        """Kill what runs, let the attendant go when it has seen that end, and kill it where it does not go."""
        await _at_most(_BEGIN_STILL, session.begun)
        if session.code is None and not session.closed.is_set():
            await self._endings.end(order.place, attendant, whole=False)
            await _at_most(_LEAVING, session.ended)
        if session.code is not None and not session.closed.is_set():
            await self._dismiss(session, order, attendant)
            await _at_most(_LEAVING, session.closed)
        if not session.closed.is_set():
            await self._endings.end(order.place, attendant, whole=True)

    async def _dismiss(self, session: ExecSession, order: _Order, attendant: Attendant) -> None:
        if order.stay is Stay.UNTIL_ENDED:
            await self._endings.end(order.place, attendant, whole=False)
        elif order.tty:
            await session.write_stdin(attendant.dismissal)
        else:
            await session.close_stdin()

    async def _run(self, place: TaskPlace, command: Sequence[str]) -> None:
        """Run a command to its end, beside the sessions."""
        async with asyncio.timeout(_KILLING):
            await with_path(lambda: self._run_reached(place, command), self._pause)

    async def _run_reached(self, place: TaskPlace, command: Sequence[str]) -> None:
        request = place.request(command, tty=False)
        async with self._agents.websocket(place.client, *request) as socket:
            await socket.send(exec_frames.CLOSE_STDIN)
            while (text := await socket.receive()) is not None:
                if any(isinstance(event, Exited) for event in exec_frames.decode(text)):
                    return


@asynccontextmanager
async def task_commands(
    transport: Transport,
    tokens: Callable[[], str],
    streams: StreamBudget | None = None,
    pause: Pause = asyncio.sleep,
) -> AsyncIterator[TaskCommands]:
    """Commands for the length of the block, which then waits until those that ended have left nothing behind.

    They are bounded with all other logs and commands unless they have `streams` of their own.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            commands = TaskCommands(transport, tasks, tokens, streams or transport.streams, pause)
            try:
                yield commands
            finally:
                # A group whose block was cancelled would cancel them at once.
                await commands.settle()
    except BaseExceptionGroup as group:
        # Sessions raise nothing: this is what the block raised.
        raise group.exceptions[0] from None


def _reason(code: int, said: bytes) -> str:
    return said[:500].decode(errors="replace").strip() or f"it ended with code {code} before it had begun"


async def _at_most(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
