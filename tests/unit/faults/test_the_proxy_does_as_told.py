import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from tests.faults.director import Director
from tests.faults.faults import (
    Answered,
    Cut,
    Delayed,
    Disorder,
    Disturbed,
    Fault,
    Garbled,
    Killed,
    Silent,
    Throttled,
    Truncated,
)
from tests.faults.proxy import Proxy, serving
from tests.faults.routes import Peer

ANSWER = b'{"EvalID":"0123456789"}'


class World:
    """A Nomad of two routes behind a proxy, which counts what reached it. POST, for aiohttp sends others again."""

    def __init__(self) -> None:
        self.director = Director()
        self.arrived = 0
        self.address = ""
        self.proxy: Proxy | None = None

    async def register(self, _: web.Request) -> web.Response:
        self.arrived += 1
        return web.Response(body=ANSWER)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for index in (1, 2, 3):
            await response.write(b'{"Index":%d}\n' % index)
        await asyncio.sleep(60)
        return response

    def meets(self, fault: Fault) -> None:
        self.director.plan = lambda _route, number: fault if number == 1 else None

    async def write(self) -> tuple[int, bytes]:
        async with aiohttp.ClientSession() as session, session.post(f"{self.address}/v1/jobs", data=b"{}") as answer:
            return answer.status, await answer.read()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running() as found:
        yield found


@asynccontextmanager
async def running() -> AsyncIterator[World]:
    found = World()
    application = web.Application()
    application.router.add_post("/v1/jobs", found.register)
    application.router.add_get("/v1/event/stream", found.stream)
    async with TestServer(application) as server, aiohttp.ClientSession(str(server.make_url("/"))) as upstream:
        found.proxy = Proxy(Peer.NOMAD, upstream, found.director)
        port = unused_port()
        async with serving(found.proxy, "127.0.0.1", port, None):
            found.address = f"http://127.0.0.1:{port}"
            yield found


@pytest.mark.parametrize(
    ("fault", "status", "body", "arrived"),
    [
        (Delayed(0.01), 200, ANSWER, 1),
        (Answered(500, b"No cluster leader"), 500, b"No cluster leader", 0),
        (Garbled(b"<html>"), 200, b"<html>", 1),
        (Throttled(500), 200, ANSWER, 1),
    ],
)
async def test_an_answer_is_changed(world: World, fault: Fault, status: int, body: bytes, arrived: int) -> None:
    world.meets(fault)
    assert (await world.write(), world.arrived) == ((status, body), arrived)
    assert await world.write() == (200, ANSWER)


@pytest.mark.parametrize(
    ("fault", "arrived"),
    [
        (Cut(after_effect=False), 0),
        (Cut(after_effect=True), 1),
        (Silent(0.01, after_effect=False), 0),
        (Silent(0.01, after_effect=True), 1),
        (Truncated(0.5), 1),
    ],
)
async def test_an_answer_is_lost(world: World, fault: Fault, arrived: int) -> None:
    world.meets(fault)
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await world.write()
    assert world.arrived == arrived


@pytest.mark.parametrize("after_effect", [False, True])
async def test_vnode_is_killed_before_or_after_the_effect_and_never_hears_of_it(
    world: World, *, after_effect: bool
) -> None:
    killed: list[int] = []
    world.director.kill = lambda: killed.append(world.arrived)
    world.meets(Killed(after_effect))
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await world.write()
    assert killed == [int(after_effect)]


async def test_somebody_may_come_back_when_told_to(world: World) -> None:
    world.meets(Answered(429, b"", "7"))
    async with aiohttp.ClientSession() as session, session.post(f"{world.address}/v1/jobs") as answer:
        assert answer.headers["Retry-After"] == "7"


async def test_a_stream_is_disturbed_and_ends(world: World) -> None:
    world.meets(Disturbed(Disorder.ENDED, every=2))
    async with aiohttp.ClientSession() as session, session.get(f"{world.address}/v1/event/stream") as answer:
        assert await answer.read() == b'{"Index":1}\n{"Index":2}\n'


async def test_open_streams_can_be_cut(world: World) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{world.address}/v1/event/stream") as answer:
        assert await answer.content.readline() == b'{"Index":1}\n'
        assert world.proxy is not None
        world.proxy.cut_streams()
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await answer.read()


async def test_a_connection_too_many_is_told_so_and_reaches_nobody(world: World) -> None:
    world.director.cap = 1
    async with aiohttp.ClientSession() as session, session.get(f"{world.address}/v1/event/stream") as first:
        assert first.status == 200
        assert (await world.write())[0] == 429
    assert world.arrived == 0
