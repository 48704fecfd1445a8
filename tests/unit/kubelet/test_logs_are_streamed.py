import aiohttp
import pytest
import trustme

from tests.unit.kubelet.api import OUTAGE, Api, FakeLog, running_api
from vnode.errors import Denied, NotFound, PeerError
from vnode.kubelet.log_options import Stream

LOGS = "/containerLogs/default/shop/web"
OUT, ERR = Stream.STDOUT, Stream.STDERR
OLD_STAMP = "2026-11-23T11:00:00.000000000Z "
NEW_STAMP = "2026-11-23T12:00:00.000000000Z "


@pytest.fixture
def log(api: Api) -> FakeLog:
    log = api.everything.logs["shop"]
    log.history = {OUT: b"o1\no2\no3\n", ERR: b"e1\ne2\n"}
    return log


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "o1\no2\no3\ne1\ne2\n"),
        ("stream=All", "o1\no2\no3\ne1\ne2\n"),
        ("stream=Stdout", "o1\no2\no3\n"),
        ("stream=Stderr", "e1\ne2\n"),
        ("tailLines=0", ""),
        ("tailLines=1", "e2\n"),
        ("tailLines=2", "e1\ne2\n"),
        ("tailLines=3", "o3\ne1\ne2\n"),
        ("tailLines=99", "o1\no2\no3\ne1\ne2\n"),
        ("tail=4", "o2\no3\ne1\ne2\n"),
        ("tail=all", "o1\no2\no3\ne1\ne2\n"),
        ("limitBytes=4", "o1\no"),
        ("limitBytes=11", "o1\no2\no3\ne1"),
        ("tailLines=2&limitBytes=4", "e1\ne"),
        ("sinceSeconds=3601", "o1\no2\no3\ne1\ne2\n"),
        ("sinceSeconds=3599", ""),
        ("sinceTime=2026-11-23T11:00:00Z", "o1\no2\no3\ne1\ne2\n"),
        ("sinceTime=2026-11-23T11:00:01Z", ""),
        ("tailLines=1&timestamps=true", f"{OLD_STAMP}e2\n"),
        ("stream=Stderr&timestamps=true", f"{OLD_STAMP}e1\n{OLD_STAMP}e2\n"),
        ("timestamps=true&limitBytes=33", f"{OLD_STAMP}o1"),
    ],
)
@pytest.mark.usefixtures("log")
async def test_every_option_is_honoured(api: Api, query: str, text: str) -> None:
    assert await api.text(f"{LOGS}?{query}", token="alices") == (200, text)


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/containerLogs/default/nope/web", 404, 'pod "nope" does not exist'),
        ("/containerLogs/other/shop/web", 404, 'pod "shop" does not exist'),
        ("/containerLogs/default/shop/nope", 404, 'container "nope" not found in pod "shop"'),
        ("/containerLogs/default/shop/idle", 400, 'container "idle" in pod "shop" is not available'),
        (LOGS + "?previous=true", 400, 'previous terminated container "web" in pod "shop" not found'),
        (LOGS + "?tailLines=x", 400, '{"message": "Unable to decode query."}'),
        (LOGS + "?limitBytes=0", 422, '{"message": "Invalid request."}'),
        ("/containerLogs/default/shop", 404, "404: Page Not Found"),
    ],
)
async def test_errors_are_those_of_a_kubelet(api: Api, path: str, status: int, text: str) -> None:
    assert await api.text(path, token="alices") == (status, text)


@pytest.mark.parametrize(
    ("failure", "status", "text"),
    [
        (OUTAGE, 500, "POST: connection refused"),
        (
            Denied("Nomad: Permission denied"),
            500,
            "Nomad: Permission denied (reading logs needs the capability read-fs of vnode's Nomad token)",
        ),
        (
            NotFound('Nomad: Unknown allocation "a"'),
            400,
            'unable to retrieve container logs: Nomad: Unknown allocation "a"',
        ),
    ],
)
async def test_what_nomad_cannot_say_has_a_status(
    api: Api, log: FakeLog, failure: PeerError, status: int, text: str
) -> None:
    log.outage = failure
    assert await api.text(LOGS, token="alices") == (status, text)


async def test_a_run_that_cannot_be_opened_is_named(api: Api) -> None:
    api.everything.logs.clear()
    assert await api.text(LOGS, token="alices") == (
        400,
        "unable to retrieve container logs for nomad://shop/web/0",
    )


async def test_headers_come_before_the_first_line(api: Api) -> None:
    async with api.get(LOGS + "?follow=true", token="alices") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.headers["Transfer-Encoding"] == "chunked"


async def test_following_starts_where_history_ends_and_ends_with_the_run(api: Api, log: FakeLog) -> None:
    async with api.get(LOGS + "?follow=true&tailLines=1", token="alices") as answer:
        assert await answer.content.readline() == b"e2\n"
        await log.has_followers(2)
        await log.write(OUT, b"o4")
        await log.write(ERR, b"e3\n")
        assert await answer.content.readline() == b"e3\n"
        await log.write(OUT, b" goes on\n")
        assert await answer.content.readline() == b"o4 goes on\n"
        log.over.set()
        assert await answer.content.read() == b""
    assert log.followers == 0


async def test_output_that_was_not_followed_yet_at_the_end_is_read_then(api: Api, log: FakeLog) -> None:
    log.unfollowed = b"last words"
    async with api.get(LOGS + "?follow=true&stream=Stdout", token="alices") as answer:
        await log.has_followers(1)
        log.over.set()
        assert await answer.content.read() == b"o1\no2\no3\nlast words"


async def test_following_a_run_that_is_over_shows_it_and_ends(api: Api, log: FakeLog) -> None:
    log.over.set()
    assert await api.text(LOGS + "?follow=true&tailLines=2", token="alices") == (200, "e1\ne2\n")


async def test_live_lines_are_stamped_with_their_arrival(api: Api, log: FakeLog) -> None:
    log.history[OUT] = b"old\nhalf"
    async with api.get(LOGS + "?follow=true&stream=Stdout&timestamps=true", token="alices") as answer:
        assert (await answer.content.readline()).decode() == f"{OLD_STAMP}old\n"
        await log.has_followers(1)
        await log.write(OUT, b" a line\n")
        assert (await answer.content.readline()).decode() == f"{NEW_STAMP}half a line\n"


async def test_a_limit_of_bytes_ends_following(api: Api, log: FakeLog) -> None:
    async with api.get(LOGS + "?follow=true&tailLines=0&limitBytes=5", token="alices") as answer:
        await log.has_followers(2)
        await log.write(OUT, b"1234567\n")
        assert await answer.content.read() == b"12345"
    assert log.followers == 0


async def test_a_caller_who_leaves_ends_the_reading(api: Api, log: FakeLog) -> None:
    async with api.get(LOGS + "?follow=true", token="alices") as answer:
        await log.has_followers(2)
        answer.close()
        await log.has_followers(0)


async def test_a_log_that_breaks_off_does_not_look_whole(api: Api, log: FakeLog) -> None:
    async with api.get(LOGS + "?follow=true", token="alices") as answer:
        await log.has_followers(2)
        await log.break_off(OUTAGE)
        with pytest.raises(aiohttp.ClientError):
            await answer.content.read()
    await log.has_followers(0)


async def test_a_log_that_is_purged_with_the_end_of_its_run_just_ends(api: Api, log: FakeLog) -> None:
    async with api.get(LOGS + "?follow=true&tailLines=1", token="alices") as answer:
        await log.has_followers(2)
        log.outage = NotFound("Nomad: Unknown allocation")
        log.over.set()
        assert await answer.content.read() == b"e2\n"


async def test_only_so_many_logs_are_read_at_once(serving_authority: trustme.CA, client_authority: trustme.CA) -> None:
    async with running_api(serving=serving_authority, clients=client_authority, slots=3) as api:
        log = api.everything.logs["shop"]
        async with api.get(LOGS + "?follow=true", token="alices"):
            await log.has_followers(2)
            status, text = await api.text(LOGS, token="alices")
            assert (status, "2 of 3 log streams" in text, "http_max_conns_per_client" in text) == (500, True, True)
            assert (await api.text(LOGS + "?stream=Stdout", token="alices"))[0] == 200
        await log.has_followers(0)
        assert (await api.text(LOGS, token="alices"))[0] == 200


async def test_the_end_of_the_server_ends_open_logs_at_once(
    serving_authority: trustme.CA, client_authority: trustme.CA
) -> None:
    async with running_api(serving=serving_authority, clients=client_authority) as api:
        log = api.everything.logs["shop"]
        async with api.get(LOGS + "?follow=true", token="alices") as answer:
            await log.has_followers(2)
            await api.stop()
            assert log.followers == 0
            with pytest.raises(aiohttp.ClientError):
                await answer.content.read()
