"""A connection that answers from a script, and a clock that only sleeping moves."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json, to_json

from vnode.kube.api import JSON


@dataclass(frozen=True)
class Call:
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    content_type: str

    @property
    def line(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Stream:
    """A watch that yields events, takes some time, and ends, by an error if there is one."""

    events: tuple[Any, ...] = ()
    error: Exception | None = None
    seconds: float = 0.0


Json = Mapping[str, Any]
Answer = Stream | Exception | Json | Callable[["Call"], Json]


class Clock:
    """Monotonic seconds and wall clock; `sleep` moves both at once."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds - 1000)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)


@dataclass
class ScriptedConnection:
    """Answers one call after the other; when the script is over, calls hang and `exhausted` is set."""

    script: list[Answer]
    clock: Clock = field(default_factory=Clock)
    calls: list[Call] = field(default_factory=list)
    exhausted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lines(self) -> list[str]:
        return [call.line for call in self.calls]

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        within: float = 60.0,
    ) -> bytes:
        assert within > 0
        call = Call(method, path, dict(query or {}), from_json(body) if body else None, content_type)
        answer = await self._next(call)
        assert not isinstance(answer, Stream)
        return to_json(answer)

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        answer = await self._next(Call("WATCH", path, dict(query), None, ""))
        assert isinstance(answer, Stream)
        for event in answer.events:
            yield event if isinstance(event, bytes) else to_json(event)
        self.clock.seconds += answer.seconds
        if answer.error is not None:
            raise answer.error

    async def _next(self, call: Call) -> Stream | Json:
        if not self.script:
            self.exhausted.set()
            await asyncio.Event().wait()
        self.calls.append(call)
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(call) if callable(answer) else answer


async def play(connection: ScriptedConnection, running: Coroutine[Any, Any, None]) -> None:
    """Run until the script is over; what the run raises before that is raised here."""
    task = asyncio.ensure_future(running)
    over = asyncio.ensure_future(connection.exhausted.wait())
    await asyncio.wait((task, over), return_when=asyncio.FIRST_COMPLETED)
    over.cancel()
    if task.done():
        task.result()
    task.cancel()
    await asyncio.wait((task,))
