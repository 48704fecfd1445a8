"""A Nomad that answers from a script, at the far end of aiohttp's connections: all but the socket is real."""

import asyncio
import errno
import json as encoder
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from http.client import parse_headers
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from yarl import URL


class Trouble(Enum):
    """What happens instead of an answer, or in the middle of one."""

    REFUSED = auto()
    UNREACHABLE = auto()  # whoever connects waits in vain
    RESET = auto()
    CLOSED = auto()
    SILENT = auto()  # for longer than the request bears
    GARBAGE = auto()  # bytes that are no HTTP


@dataclass(frozen=True)
class Call:
    """What was asked, and how long for: `silence` between two bytes, `whole` from the beginning to the end."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes
    silence: float | None
    whole: float | None


Part = bytes | Trouble | Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Response:
    """An answer; with `parts` it comes piece by piece: bytes, a trouble, something to wait for."""

    status: int = 200
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...] | None = None

    @property
    def head(self) -> bytes:
        length = {"Content-Length": len(self.content)} if self.parts is None else {"Transfer-Encoding": "chunked"}
        fields = "".join(f"{name}: {value}\r\n" for name, value in {**self.headers, **length}.items())
        return f"HTTP/1.1 {self.status} Said\r\n{fields}\r\n".encode()


def response(
    status: int = 200,
    *,
    json: Any = None,
    text: str = "",
    content: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Response:
    body = encoder.dumps(json).encode() if json is not None else content or text.encode()
    return Response(status, body, headers or {})


def streamed(*parts: Part, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, headers=headers or {}, parts=parts)


Answer = Response | Trouble | Callable[[Call], Awaitable[Response]]


@dataclass
class Route:
    """The requests that fit, and what they are answered."""

    fits: Callable[[str, URL], bool]
    calls: list[Call] = field(default_factory=list)
    _always: Answer | None = None
    _script: list[Answer] = field(default_factory=list)

    @property
    def last(self) -> Call:
        return self.calls[-1]

    def respond(self, status: int = 200, **answer: Any) -> "Route":
        return self.always(response(status, **answer))

    def always(self, answer: Answer) -> "Route":
        self._always = answer
        return self

    def script(self, *answers: Answer) -> "Route":
        """Give these answers one after the other."""
        self._script = list(answers)
        return self

    @property
    def next(self) -> Answer:
        answer = self._script[0] if self._script else self._always
        assert answer is not None, "the script is over"
        return answer

    def take(self, call: Call) -> Answer:
        answer = self.next
        if self._script:
            self._script.pop(0)
        self.calls.append(call)
        return answer


class ScriptedNomad:
    """Answers at whichever address; the first route that fits is taken."""

    def __init__(self) -> None:
        self.mistakes: list[BaseException] = []
        self._routes: list[Route] = []
        self._wires: list[_Wire] = []

    def route(
        self,
        method: str | None = None,
        path: str | None = None,
        *,
        host: str | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Route:
        def fits(asked: str, url: URL) -> bool:
            wanted = ((method, asked), (path, url.path), (host, url.host))
            return all(one in (None, other) for one, other in wanted) and (params or {}).items() <= url.query.items()

        route = Route(fits)
        self._routes.append(route)
        return route

    def get(self, path: str, **rest: Any) -> Route:
        return self.route("GET", path, **rest)

    def put(self, path: str, **rest: Any) -> Route:
        return self.route("PUT", path, **rest)

    def delete(self, path: str, **rest: Any) -> Route:
        return self.route("DELETE", path, **rest)

    @property
    def open_connections(self) -> int:
        return sum(not wire.is_closing() for wire in self._wires)

    def stand_behind_aiohttp(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def connect(
            _: aiohttp.TCPConnector, request: aiohttp.ClientRequest, __: object, bounds: aiohttp.ClientTimeout
        ) -> ResponseHandler:
            return self._connect(request, bounds)

        monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", connect)

    def find(self, method: str, url: URL) -> Route:
        found = next((route for route in self._routes if route.fits(method, url)), None)
        assert found, f"nobody expected {method} {url}"
        return found

    def _connect(self, request: aiohttp.ClientRequest, timeout: aiohttp.ClientTimeout) -> ResponseHandler:
        route = self.find(request.method, request.url)
        if route.next in (Trouble.REFUSED, Trouble.UNREACHABLE):
            answer = route.take(Call(request.method, request.url, request.headers, b"", None, None))
            if answer is Trouble.UNREACHABLE:
                raise TimeoutError
            nobody = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")
            raise aiohttp.ClientConnectorError(request.connection_key, nobody)
        protocol = ResponseHandler(asyncio.get_running_loop())
        wire = _Wire(self, request.url.origin(), timeout.total, protocol)
        protocol.connection_made(wire)
        self._wires.append(wire)
        return protocol


class _Wire(asyncio.Transport):
    """One connection: takes requests apart, and answers each by its route."""

    def __init__(self, nomad: ScriptedNomad, origin: URL, whole: float | None, protocol: ResponseHandler) -> None:
        super().__init__()
        self._nomad = nomad
        self._origin = origin
        self._whole = whole
        self._protocol = protocol
        self._received = b""
        self._closing = False
        self._reading = asyncio.Event()
        self._reading.set()
        self._answering: asyncio.Task[None] | None = None

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        self._received += bytes(data)
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        line, _, fields = head.partition(b"\r\n")
        headers = parse_headers(BytesIO(fields + end))
        if len(body) < int(headers.get("Content-Length", 0)):
            return
        self._received = b""
        method, target, _ = line.decode().split(" ")
        url = URL(str(self._origin) + target, encoded=True)
        call = Call(method, url, dict(headers), body, self._protocol.read_timeout, self._whole)
        self._answering = asyncio.ensure_future(self._answer(call))
        self._answering.add_done_callback(self._answered)

    async def _answer(self, call: Call) -> None:
        route = self._nomad.find(call.method, call.url)
        if route.next in (Trouble.REFUSED, Trouble.UNREACHABLE):
            # A connection that was kept until now: the next one will not come about.
            return self._lose(None)
        answer = route.take(call)
        if callable(answer):
            answer = await answer(call)
        if isinstance(answer, Trouble):
            return self._fail(answer)
        self._protocol.data_received(answer.head)
        if answer.parts is None:
            return self._protocol.data_received(answer.content)
        for part in answer.parts:
            await self._reader_came_by()
            if isinstance(part, Trouble):
                return self._fail(part)
            if isinstance(part, bytes):
                self._protocol.data_received(b"%x\r\n%b\r\n" % (len(part), part))
            else:
                await part()
        await self._reader_came_by()
        self._protocol.data_received(b"0\r\n\r\n")
        return None

    async def _reader_came_by(self) -> None:
        await self._reading.wait()
        for _ in range(5):
            await asyncio.sleep(0)

    def _answered(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (mistake := task.exception()):
            self._nomad.mistakes.append(mistake)
            self._lose(None)

    def _fail(self, trouble: Trouble) -> None:
        match trouble:
            case Trouble.SILENT:
                self._protocol._on_read_timeout()  # noqa: SLF001 - as its timer does, without the time
            case Trouble.GARBAGE:
                self._protocol.data_received(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
            case Trouble.RESET:
                self._lose(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))
            case _:
                self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        if not self._closing:
            self._closing = True
            self._protocol.connection_lost(error)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)
        if self._answering:
            self._answering.cancel()

    abort = close

    def is_closing(self) -> bool:
        return self._closing

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self._reading.clear()

    def resume_reading(self) -> None:
        self._reading.set()
