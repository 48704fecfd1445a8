import asyncio
import gzip
import os
import traceback
from pathlib import Path

import pytest
import trustme

from tests.unit.nomad.scripted import Answer, Call, Response, Route, ScriptedNomad, Trouble, response, streamed
from vnode.errors import Conflict, Denied, NotFound, PeerError, Unavailable, Withheld
from vnode.fence import Shut
from vnode.nomad.transport import NomadSettings, Transport, connect

ONE, TWO = "http://one:4646", "http://two:4646"
NO_LEADER = response(500, text="rpc error: No cluster leader")


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def one(nomad: ScriptedNomad) -> Route:
    return nomad.route(host="one")


@pytest.fixture
def two(nomad: ScriptedNomad) -> Route:
    return nomad.route(host="two").respond(text="from two")


async def test_a_request_carries_region_namespace_and_token(transport: Transport, one: Route) -> None:
    one.respond(text="{}", headers={"X-Nomad-NextToken": "7.c0ffee", "X-Nomad-Index": "12"})
    reply = await transport.request("GET", "/v1/jobs", {"namespace": "team a", "prefix": "", "topic": ("A", "B")})
    assert one.last.url.path == "/v1/jobs"
    assert one.last.url.raw_query_string == "region=eu&namespace=team+a&topic=A&topic=B"
    assert one.last.headers["X-Nomad-Token"] == "secret-token"
    assert (reply.body, reply.next_token, reply.index) == (b"{}", "7.c0ffee", 12)


@pytest.mark.parametrize("told", ["", "x", "-1", "1e3"])
async def test_an_index_that_makes_no_sense_was_not_told(transport: Transport, one: Route, told: str) -> None:
    one.respond(text="{}", headers={"X-Nomad-Index": told})
    assert (await transport.request("GET", "/v1/jobs")).index == 0


async def test_a_compressed_list_is_unpacked(transport: Transport, one: Route) -> None:
    one.respond(content=gzip.compress(b"[]"), headers={"Content-Encoding": "gzip"})
    assert (await transport.request("GET", "/v1/jobs", compressed=True)).body == b"[]"
    assert one.last.headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize(
    ("method", "failure", "moves_on"),
    [
        ("GET", Trouble.REFUSED, True),
        ("GET", Trouble.UNREACHABLE, True),
        ("GET", Trouble.RESET, True),
        ("GET", Trouble.CLOSED, True),
        ("GET", Trouble.SILENT, True),
        ("GET", Trouble.GARBAGE, True),
        ("GET", streamed(b"[", Trouble.CLOSED), True),
        ("GET", NO_LEADER, True),
        ("GET", response(500, text="rpc error: EOF"), True),
        ("GET", response(502, text="Bad Gateway"), True),
        ("PUT", Trouble.REFUSED, True),
        ("PUT", Trouble.UNREACHABLE, True),
        ("PUT", NO_LEADER, True),
        ("PUT", Trouble.RESET, False),
        ("PUT", Trouble.SILENT, False),
        ("PUT", streamed(b"{", Trouble.CLOSED), False),
        ("DELETE", Trouble.CLOSED, False),
        ("PUT", response(500, text="leadership lost while committing log"), False),
    ],
)
async def test_another_server_is_asked_unless_a_write_may_have_been_applied(
    transport: Transport,
    one: Route,
    two: Route,
    method: str,
    failure: Answer,
    *,
    moves_on: bool,
) -> None:
    one.always(failure)
    if moves_on:
        assert (await transport.request(method, "/v1/jobs")).body == b"from two"
    else:
        with pytest.raises(Unavailable):
            await transport.request(method, "/v1/jobs", body=b"{}")
        assert len(one.calls) == 1
        assert not two.calls
    assert transport.address == TWO


async def test_a_read_is_repeated_where_a_kept_connection_turns_out_to_be_closed(
    transport: Transport, one: Route, nomad: ScriptedNomad
) -> None:
    one.script(response(text="first"), Trouble.CLOSED, response(text="second"))
    await transport.request("GET", "/v1/jobs")
    assert nomad.open_connections == 1
    assert (await transport.request("GET", "/v1/jobs")).body == b"second"
    assert transport.address == ONE


async def test_the_server_that_answers_is_kept(transport: Transport, one: Route, two: Route) -> None:
    one.always(Trouble.REFUSED)
    for _ in range(3):
        await transport.request("GET", "/v1/jobs")
    assert (len(one.calls), len(two.calls)) == (1, 3)


async def test_when_no_server_answers_the_last_one_is_named(transport: Transport, nomad: ScriptedNomad) -> None:
    nomad.route().always(Trouble.REFUSED)
    with pytest.raises(Unavailable, match=r"Nomad at http://two:4646: connection refused"):
        await transport.request("GET", "/v1/jobs")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (response(404, text="job not found"), NotFound),
        (response(404, text="No path to node"), Unavailable),
        (response(500, text="Enforcing job modify index 0: job already exists"), Conflict),
        (response(429, text="too many concurrent connections"), Unavailable),
    ],
)
async def test_an_answer_about_the_object_is_believed(
    transport: Transport, one: Route, two: Route, answer: Response, kind: type[PeerError]
) -> None:
    one.script(answer)
    with pytest.raises(kind):
        await transport.request("GET", "/v1/job/vk-1")
    assert not two.calls
    assert transport.address == ONE


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"Retry-After": "3"}, 3.0), ({}, None), ({"Retry-After": "Wed, 21 Oct"}, None)]
)
async def test_too_many_requests_may_say_how_long_to_wait(
    transport: Transport, one: Route, headers: dict[str, str], seconds: float | None
) -> None:
    one.respond(429, text="too many concurrent connections", headers=headers)
    with pytest.raises(Unavailable, match="http_max_conns_per_client") as caught:
        await transport.request("GET", "/v1/jobs")
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    "page",
    [
        streamed(*[b"x" * 60_000] * 1000, status=400),
        streamed(b"x" * 60_000, b"x" * 60_000, asyncio.Event().wait, status=400),
        response(400, content=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"}),
    ],
    ids=["long", "never ending", "gzip bomb"],
)
async def test_an_endless_error_page_is_cut(
    transport: Transport, one: Route, nomad: ScriptedNomad, page: Response
) -> None:
    one.always(page)
    with pytest.raises(PeerError) as caught:
        await transport.request("GET", "/v1/jobs")
    assert len(str(caught.value)) < 3000
    assert nomad.open_connections == 0


async def test_a_stream_hands_out_chunks_and_is_closed(transport: Transport, one: Route, nomad: ScriptedNomad) -> None:
    one.always(streamed(b"a", b"b", asyncio.Event().wait))
    async with transport.stream("/v1/event/stream", {}, silence=60) as stream:
        chunks = stream.chunks()
        assert [await anext(chunks), await anext(chunks)] == [b"a", b"b"]
        assert stream.address == ONE
        assert nomad.open_connections == 1
    assert one.last.headers["Accept-Encoding"] == "identity"
    assert nomad.open_connections == 0


@pytest.mark.parametrize("silence", [60, None])
async def test_a_stream_is_bounded_by_silence_and_a_request_as_a_whole(
    transport: Transport, one: Route, silence: float | None
) -> None:
    one.respond()
    async with transport.stream("/v1/event/stream", {}, silence=silence):
        await transport.request("GET", "/v1/jobs")
    assert [(call.silence, call.whole) for call in one.calls] == [(silence, None), (30, 60)]


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (Trouble.SILENT, "no answer in time"),
        (Trouble.CLOSED, "the answer broke off"),
        (Trouble.RESET, "the answer broke off"),
    ],
)
async def test_a_broken_stream_is_unavailable(transport: Transport, one: Route, trouble: Trouble, says: str) -> None:
    one.always(streamed(b"a", trouble))
    async with transport.stream("/v1/event/stream", {}, silence=60) as stream:
        with pytest.raises(Unavailable, match=f"Nomad at http://one:4646: {says}"):
            _ = [chunk async for chunk in stream.chunks()]


async def test_a_failure_inside_a_stream_is_the_callers_own(transport: Transport, one: Route) -> None:
    one.always(streamed(b"a"))
    with pytest.raises(TimeoutError, match="mine"):
        async with transport.stream("/v1/event/stream", {}, silence=60):
            raise TimeoutError("mine")


async def test_a_stream_opens_at_the_server_that_works(transport: Transport, one: Route, two: Route) -> None:
    one.always(NO_LEADER)
    async with transport.stream("/v1/event/stream", {}, silence=60) as stream:
        assert stream.address == TWO
    assert two.calls


async def test_ordinary_requests_never_use_the_last_connections(transport: Transport, one: Route) -> None:
    full, release = asyncio.Event(), asyncio.Event()
    arrived: list[str] = []

    async def answer(call: Call) -> Response:
        arrived.append(call.method)
        if arrived.count("GET") == 16:
            full.set()
        if call.method == "GET":
            await release.wait()
        return response()

    one.always(answer)
    async with asyncio.TaskGroup() as group:
        for _ in range(40):
            group.create_task(transport.request("GET", "/v1/jobs"))
        await full.wait()
        await transport.request("DELETE", "/v1/job/vk-1", control=True)
        before = list(arrived)
        release.set()
    assert before == ["GET"] * 16 + ["DELETE"]
    assert arrived.count("GET") == 40


async def test_a_replaced_token_is_used_without_a_failed_request(tmp_path: Path, one: Route) -> None:
    token, clock = tmp_path / "token", Clock()
    token.write_text("first\n")
    one.respond()
    async with connect(NomadSettings(addresses=(ONE,), token_file=token), clock) as transport:
        await transport.request("GET", "/v1/jobs")
        _replace(token, "second\n")
        clock.time = 10
        await transport.request("GET", "/v1/jobs")
    assert [call.headers["X-Nomad-Token"] for call in one.calls] == ["first", "second"]


async def test_a_token_that_was_just_replaced_is_tried_before_rights_are_doubted(tmp_path: Path, one: Route) -> None:
    token = tmp_path / "token"
    token.write_text("first")

    async def answer(call: Call) -> Response:
        known = call.headers["X-Nomad-Token"] == "second"
        return response() if known else response(403, text="ACL token not found")

    one.always(answer)
    async with connect(NomadSettings(addresses=(ONE,), token_file=token), Clock()) as transport:
        with pytest.raises(Denied, match="ACL token not found"):
            await transport.request("GET", "/v1/jobs")
        assert len(one.calls) == 1
        _replace(token, "second")
        await transport.request("GET", "/v1/jobs")
    assert len(one.calls) == 3


async def test_a_token_that_is_replaced_while_a_server_fails_does_not_disturb_the_attempt_at_the_next(
    tmp_path: Path, one: Route, two: Route
) -> None:
    token, clock = tmp_path / "token", Clock()
    token.write_text("first")

    async def replaced(_: Call) -> Response:
        _replace(token, "second")
        clock.time = 10
        await transport.request("GET", "/v1/jobs")
        return NO_LEADER

    one.script(replaced, response())
    async with connect(NomadSettings(addresses=(ONE, TWO), token_file=token), clock) as transport:
        assert (await transport.request("GET", "/v1/jobs")).body == b"from two"
    assert [call.headers["X-Nomad-Token"] for call in (*one.calls, *two.calls)] == ["first", "second", "first"]


@pytest.mark.parametrize("broken", ["line one\nline two", "", None])
async def test_a_token_file_that_is_spoiled_leaves_the_old_token(
    tmp_path: Path, one: Route, broken: str | None
) -> None:
    token, clock = tmp_path / "token", Clock()
    token.write_text("first")
    one.respond()
    async with connect(NomadSettings(addresses=(ONE,), token_file=token), clock) as transport:
        _replace(token, broken) if broken is not None else token.unlink()
        clock.time = 10
        await transport.request("GET", "/v1/jobs")
    assert one.last.headers["X-Nomad-Token"] == "first"


async def test_a_replaced_authority_gets_new_connections(tmp_path: Path, one: Route) -> None:
    authority, clock = tmp_path / "ca.pem", Clock()
    trustme.CA().cert_pem.write_to_path(str(authority))
    one.respond()
    async with connect(NomadSettings(addresses=("https://one:4646",), ca_cert=authority), clock) as transport:
        await transport.request("GET", "/v1/jobs")
        _replace(authority, "not a certificate")
        clock.time = 10
        await transport.request("GET", "/v1/jobs")
        trustme.CA().cert_pem.write_to_path(str(authority))
        clock.time = 20
        await transport.request("GET", "/v1/jobs")
    assert len(one.calls) == 3


async def test_unusable_files_are_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret one\nsecret two")
    with pytest.raises(ValueError, match="characters that no token has") as caught:
        async with connect(NomadSettings(token_file=tmp_path / "token")):
            pass
    assert "secret" not in str(caught.value)
    with pytest.raises(OSError, match="missing"):
        async with connect(NomadSettings(addresses=("https://one:4646",), ca_cert=tmp_path / "missing")):
            pass


async def test_an_address_may_have_a_path(one: Route) -> None:
    one.respond()
    async with connect(NomadSettings(addresses=("http://one:4646/base/",))) as transport:
        await transport.request("GET", "/v1/job/a%2Fb", {"namespace": "team"})
    assert one.last.url.raw_path_qs == "/base/v1/job/a%2Fb?namespace=team"


@pytest.mark.parametrize("trouble", [Trouble.GARBAGE, Trouble.RESET, Trouble.REFUSED])
async def test_the_token_appears_nowhere(transport: Transport, nomad: ScriptedNomad, trouble: Trouble) -> None:
    nomad.route().always(trouble)
    with pytest.raises(Unavailable) as caught:
        await transport.request("PUT", "/v1/jobs")
    settings = NomadSettings(token="secret-token")
    async with connect(settings) as other:
        identity = await other._credentials.identity()  # noqa: SLF001 - what a debugger or a crash would print
    crash = "".join(traceback.format_exception(caught.value))
    for shown in (str(caught.value), repr(caught.value), crash, repr(settings), repr(transport), repr(identity)):
        assert "secret-token" not in shown


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"addresses": ()}, "no Nomad address is given"),
        ({"addresses": ("unix:///run/nomad.sock",)}, "is a unix socket"),
        ({"addresses": ("nomad.example.com:4646",)}, "is not a URL"),
        ({"addresses": ("http://me:hunter2@nomad",)}, "holds a user or password"),
        ({"addresses": ("http://nomad:4646?region=eu",)}, "must end after"),
        ({"token": "t", "token_file": Path("f")}, "not both"),
        ({"client_cert": Path("c")}, "belong together"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        NomadSettings(**settings)  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


def _replace(path: Path, content: str) -> None:
    """As a kubelet does it: a new file takes the name of the old one."""
    new = path.with_suffix(".new")
    new.write_text(content)
    os.replace(new, path)  # noqa: PTH105 - the call that is meant


async def test_behind_a_shut_fence_nothing_is_written_and_everything_read(one: Route) -> None:
    one.respond(text="{}")
    async with connect(NomadSettings(addresses=(ONE,)), fence=Shut("only observes")) as transport:
        for method in ("PUT", "DELETE"):
            with pytest.raises(Withheld, match="only observes"):
                await transport.request(method, "/v1/jobs", control=True)
        await transport.request("GET", "/v1/jobs")
    assert [call.method for call in one.calls] == ["GET"]


class Falling:
    """A fence that allows the beginning of a write."""

    reason = "lost the Lease"

    def __init__(self, *left: float) -> None:
        self._left = list(left)

    def left(self) -> float:
        return self._left.pop(0)


async def test_a_fence_that_falls_during_a_write_ends_the_wait_for_its_answer(one: Route) -> None:
    async def hang(_: Call) -> Response:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    one.always(hang)
    async with connect(NomadSettings(addresses=(ONE,)), fence=Falling(0.05, 0.05)) as transport:
        with pytest.raises(Unavailable, match="as long as this process might write"):
            await transport.request("PUT", "/v1/jobs")


async def test_a_fence_that_falls_before_the_bytes_are_written_keeps_them(one: Route) -> None:
    one.respond()
    async with connect(NomadSettings(addresses=(ONE,)), fence=Falling(9.0, 0.0)) as transport:
        with pytest.raises(Withheld, match="lost the Lease"):
            await transport.request("PUT", "/v1/jobs")
    assert not one.calls
