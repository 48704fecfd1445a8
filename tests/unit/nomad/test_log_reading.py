from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing

import pytest

from tests.unit.nomad.scripted import Response, Route, ScriptedNomad, response
from vnode.errors import NotFound, Unavailable
from vnode.nomad.budget import STREAMS
from vnode.nomad.errors import TooManyStreams
from vnode.nomad.logs import LogPosition, NomadLogs
from vnode.nomad.transport import Transport


@pytest.fixture
def logs(transport: Transport) -> NomadLogs:
    return NomadLogs(transport)


@pytest.fixture
def content(nomad: ScriptedNomad) -> Route:
    return nomad.get("/v1/client/fs/logs/c0ffee")


def listing(*sizes: tuple[int, int]) -> Response:
    return response(
        json=[
            {"Name": f"app.stdout.{index}", "Size": size, "IsDir": False, "ModTime": "2026-01-02T03:04:05Z"}
            for index, size in sizes
        ],
    )


def list_as(nomad: ScriptedNomad, *answers: Response) -> None:
    nomad.get("/v1/client/fs/ls/c0ffee").script(*answers)


async def collected(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def test_a_read_asks_for_raw_bytes(logs: NomadLogs, content: Route) -> None:
    content.respond(content=b"hello\n")
    read = logs.read("c0ffee", "app", "stderr", origin="end", offset=6)
    assert await collected(read) == b"hello\n"
    assert dict(content.last.url.query) == {
        "region": "eu",
        "task": "app",
        "type": "stderr",
        "origin": "end",
        "offset": "6",
        "follow": "false",
        "plain": "true",
    }
    assert content.last.silence == 30


async def test_following_may_be_silent_for_ever(logs: NomadLogs, content: Route) -> None:
    content.respond(content=b"x")
    await collected(logs.read("c0ffee", "app", "stdout", follow=True))
    assert content.last.silence is None


async def test_a_position_becomes_the_offset_of_the_moment(
    logs: NomadLogs, nomad: ScriptedNomad, content: Route
) -> None:
    files = listing((3, 10), (4, 5))
    list_as(nomad, files, files)
    content.respond(content=b"tail")
    assert await collected(logs.read_from("c0ffee", "app", "stdout", LogPosition(4, 1))) == b"tail"
    assert content.last.url.query["offset"] == "11"


async def test_a_rotation_between_listing_and_reading_is_noticed(
    logs: NomadLogs, nomad: ScriptedNomad, content: Route
) -> None:
    before, after = listing((3, 10), (4, 5)), listing((4, 10), (5, 1))
    list_as(nomad, before, after, after, after)
    content.script(response(content=b"wrong"), response(content=b"right"))
    assert await collected(logs.read_from("c0ffee", "app", "stdout", LogPosition(4, 1))) == b"right"
    assert [call.url.query["offset"] for call in content.calls] == ["11", "1"]


async def test_a_part_ends_at_its_end(logs: NomadLogs, nomad: ScriptedNomad, content: Route) -> None:
    files = listing((0, 10))
    list_as(nomad, files, files, files)
    content.respond(content=b"3456789")
    assert await collected(logs.read_between("c0ffee", "app", "stdout", LogPosition(0, 3), LogPosition(0, 6))) == b"345"


async def test_a_part_that_rotation_took_is_empty(logs: NomadLogs, nomad: ScriptedNomad, content: Route) -> None:
    list_as(nomad, listing((7, 10)))
    assert await collected(logs.read_between("c0ffee", "app", "stdout", LogPosition(2), LogPosition(6, 9))) == b""
    assert not content.calls


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('task "app" not started yet. No logs available', NotFound),
        ('Unknown allocation "c0ffee"', NotFound),
        ("No path to node", Unavailable),
    ],
)
async def test_what_cannot_be_read_is_told_before_the_first_byte(
    logs: NomadLogs, content: Route, text: str, kind: type[Exception]
) -> None:
    content.respond(404, text=text)
    with pytest.raises(kind):
        await collected(logs.read("c0ffee", "app", "stdout"))


async def test_a_client_that_changes_its_server_is_waited_for(transport: Transport, nomad: ScriptedNomad) -> None:
    away = response(404, text="No path to node")
    list_as(nomad, away, away, listing((0, 10)))
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    logs = NomadLogs(transport, pause=pause)
    assert (await logs.files("c0ffee", "app")).stdout.size == 10
    assert len(pauses) == 2


async def test_logs_beyond_the_budget_are_refused_and_a_closed_one_makes_room(
    logs: NomadLogs, transport: Transport, content: Route
) -> None:
    content.respond(content=b"x")
    with ExitStack() as others:
        for _ in range(STREAMS - 1):
            others.enter_context(transport.streams.stream())
        async with aclosing(logs.read("c0ffee", "app", "stdout", follow=True)) as first:
            await anext(first)
            with pytest.raises(TooManyStreams):
                await collected(logs.read("c0ffee", "app", "stdout"))
        assert await collected(logs.read("c0ffee", "app", "stdout")) == b"x"
