import asyncio
import gzip
import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import httpx2
import pytest
import respx
import trustme

from vnode.errors import Conflict, Denied, NotFound, PeerError, Unavailable, Withheld
from vnode.fence import Shut
from vnode.nomad.transport import NomadSettings, Transport, connect

ONE, TWO = "http://one:4646", "http://two:4646"
NO_LEADER = httpx.Response(500, text="rpc error: No cluster leader")
WENT_AWAY = httpx2.ReadError("connection reset")
REFUSED = httpx2.ConnectError("connection refused")


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class Chunks(httpx.AsyncByteStream):
    def __init__(self, *chunks: bytes, error: Exception | None = None) -> None:
        self._chunks = chunks
        self._error = error
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        if self._error:
            raise self._error

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def one(nomad: respx.Router) -> respx.Route:
    return nomad.route(host="one")


@pytest.fixture
def two(nomad: respx.Router) -> respx.Route:
    return nomad.route(host="two").respond(text="from two")


async def test_a_request_carries_region_namespace_and_token(transport: Transport, one: respx.Route) -> None:
    one.respond(text="{}", headers={"X-Nomad-NextToken": "7.c0ffee", "X-Nomad-Index": "12"})
    reply = await transport.request("GET", "/v1/jobs", {"namespace": "team a", "prefix": "", "topic": ("A", "B")})
    request = one.calls.last.request
    assert request.url.path == "/v1/jobs"
    assert request.url.query == b"region=eu&namespace=team+a&topic=A&topic=B"
    assert request.headers["X-Nomad-Token"] == "secret-token"
    assert (reply.body, reply.next_token, reply.index) == (b"{}", "7.c0ffee", 12)


async def test_a_compressed_list_is_unpacked(transport: Transport, one: respx.Route) -> None:
    one.respond(content=gzip.compress(b"[]"), headers={"Content-Encoding": "gzip"})
    assert (await transport.request("GET", "/v1/jobs", compressed=True)).body == b"[]"
    assert one.calls.last.request.headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize(
    ("method", "failure", "moves_on"),
    [
        ("GET", REFUSED, True),
        ("GET", WENT_AWAY, True),
        ("GET", httpx2.ReadTimeout("silence"), True),
        ("GET", NO_LEADER, True),
        ("GET", httpx.Response(500, text="rpc error: EOF"), True),
        ("GET", httpx.Response(502, text="Bad Gateway"), True),
        ("PUT", REFUSED, True),
        ("PUT", httpx2.ConnectTimeout("no route"), True),
        ("PUT", NO_LEADER, True),
        ("PUT", WENT_AWAY, False),
        ("PUT", httpx2.ReadTimeout("silence"), False),
        ("DELETE", httpx2.RemoteProtocolError("Server disconnected without sending a response."), False),
        ("PUT", httpx.Response(500, text="leadership lost while committing log"), False),
    ],
)
async def test_another_server_is_asked_unless_a_write_may_have_been_applied(
    transport: Transport,
    one: respx.Route,
    two: respx.Route,
    method: str,
    failure: httpx.Response | Exception,
    *,
    moves_on: bool,
) -> None:
    one.side_effect = [failure]
    if moves_on:
        assert (await transport.request(method, "/v1/jobs")).body == b"from two"
    else:
        with pytest.raises(Unavailable):
            await transport.request(method, "/v1/jobs")
        assert not two.called
    assert transport.address == TWO


async def test_the_server_that_answers_is_kept(transport: Transport, one: respx.Route, two: respx.Route) -> None:
    one.side_effect = REFUSED
    for _ in range(3):
        await transport.request("GET", "/v1/jobs")
    assert (one.call_count, two.call_count) == (1, 3)


async def test_when_no_server_answers_the_last_one_is_named(transport: Transport, nomad: respx.Router) -> None:
    nomad.route().mock(side_effect=REFUSED)
    with pytest.raises(Unavailable, match=r"Nomad at http://two:4646: connection refused"):
        await transport.request("GET", "/v1/jobs")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(404, text="job not found"), NotFound),
        (httpx.Response(404, text="No path to node"), Unavailable),
        (httpx.Response(500, text="Enforcing job modify index 0: job already exists"), Conflict),
        (httpx.Response(429, text="too many concurrent connections"), Unavailable),
    ],
)
async def test_an_answer_about_the_object_is_believed(
    transport: Transport, one: respx.Route, two: respx.Route, answer: httpx.Response, kind: type[PeerError]
) -> None:
    one.side_effect = [answer]
    with pytest.raises(kind):
        await transport.request("GET", "/v1/job/vk-1")
    assert not two.called
    assert transport.address == ONE


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"Retry-After": "3"}, 3.0), ({}, None), ({"Retry-After": "Wed, 21 Oct"}, None)]
)
async def test_too_many_requests_may_say_how_long_to_wait(
    transport: Transport, one: respx.Route, headers: dict[str, str], seconds: float | None
) -> None:
    one.respond(429, text="too many concurrent connections", headers=headers)
    with pytest.raises(Unavailable, match="http_max_conns_per_client") as caught:
        await transport.request("GET", "/v1/jobs")
    assert caught.value.retry_after == seconds


async def test_an_endless_error_page_is_cut(transport: Transport, one: respx.Route) -> None:
    page = Chunks(*[b"x" * 60_000] * 1000)
    one.mock(return_value=httpx.Response(400, stream=page))
    with pytest.raises(PeerError) as caught:
        await transport.request("GET", "/v1/jobs")
    assert len(str(caught.value)) < 3000
    assert page.closed


async def test_a_stream_hands_out_chunks_and_is_closed(transport: Transport, one: respx.Route) -> None:
    chunks = Chunks(b"a", b"b")
    one.mock(return_value=httpx.Response(200, stream=chunks))
    async with transport.stream("/v1/event/stream", {}, silence=60) as stream:
        assert [chunk async for chunk in stream.chunks()] == [b"a", b"b"]
        assert stream.address == ONE
    assert one.calls.last.request.headers["Accept-Encoding"] == "identity"
    assert one.calls.last.request.extensions["timeout"]["read"] == 60
    assert chunks.closed


@pytest.mark.parametrize("error", [httpx2.ReadTimeout(""), httpx2.RemoteProtocolError("peer closed connection")])
async def test_a_broken_stream_is_unavailable(transport: Transport, one: respx.Route, error: Exception) -> None:
    one.mock(return_value=httpx.Response(200, stream=Chunks(b"a", error=error)))
    async with transport.stream("/v1/event/stream", {}, silence=60) as stream:
        with pytest.raises(Unavailable, match="http://one:4646"):
            _ = [chunk async for chunk in stream.chunks()]


async def test_a_stream_opens_at_the_server_that_works(
    transport: Transport, one: respx.Route, two: respx.Route
) -> None:
    one.side_effect = [NO_LEADER]
    async with transport.stream("/v1/event/stream", {}, silence=60) as stream:
        assert stream.address == TWO
    assert two.called


async def test_ordinary_requests_never_use_the_last_connections(transport: Transport, one: respx.Route) -> None:
    full, release = asyncio.Event(), asyncio.Event()
    arrived: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        arrived.append(request.method)
        if arrived.count("GET") == 16:
            full.set()
        if request.method == "GET":
            await release.wait()
        return httpx.Response(200)

    one.side_effect = answer
    async with asyncio.TaskGroup() as group:
        for _ in range(40):
            group.create_task(transport.request("GET", "/v1/jobs"))
        await full.wait()
        await transport.request("DELETE", "/v1/job/vk-1", control=True)
        before = list(arrived)
        release.set()
    assert before == ["GET"] * 16 + ["DELETE"]
    assert arrived.count("GET") == 40


async def test_a_replaced_token_is_used_without_a_failed_request(tmp_path: Path, one: respx.Route) -> None:
    token, clock = tmp_path / "token", Clock()
    token.write_text("first\n")
    one.respond()
    async with connect(NomadSettings(addresses=(ONE,), token_file=token), clock) as transport:
        await transport.request("GET", "/v1/jobs")
        _replace(token, "second\n")
        clock.time = 10
        await transport.request("GET", "/v1/jobs")
    assert [call.request.headers["X-Nomad-Token"] for call in one.calls] == ["first", "second"]


async def test_a_token_that_was_just_replaced_is_tried_before_rights_are_doubted(
    tmp_path: Path, one: respx.Route
) -> None:
    token = tmp_path / "token"
    token.write_text("first")

    def answer(request: httpx.Request) -> httpx.Response:
        known = request.headers["X-Nomad-Token"] == "second"
        return httpx.Response(200) if known else httpx.Response(403, text="ACL token not found")

    one.side_effect = answer
    async with connect(NomadSettings(addresses=(ONE,), token_file=token), Clock()) as transport:
        with pytest.raises(Denied, match="ACL token not found"):
            await transport.request("GET", "/v1/jobs")
        assert one.call_count == 1
        _replace(token, "second")
        await transport.request("GET", "/v1/jobs")
    assert one.call_count == 3


@pytest.mark.parametrize("broken", ["line one\nline two", "", None])
async def test_a_token_file_that_is_spoiled_leaves_the_old_token(
    tmp_path: Path, one: respx.Route, broken: str | None
) -> None:
    token, clock = tmp_path / "token", Clock()
    token.write_text("first")
    one.respond()
    async with connect(NomadSettings(addresses=(ONE,), token_file=token), clock) as transport:
        _replace(token, broken) if broken is not None else token.unlink()
        clock.time = 10
        await transport.request("GET", "/v1/jobs")
    assert one.calls.last.request.headers["X-Nomad-Token"] == "first"


async def test_a_replaced_authority_gets_new_connections(tmp_path: Path, one: respx.Route) -> None:
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
    assert one.call_count == 3


async def test_unusable_files_are_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret one\nsecret two")
    with pytest.raises(ValueError, match="characters that no token has") as caught:
        async with connect(NomadSettings(token_file=tmp_path / "token")):
            pass
    assert "secret" not in str(caught.value)
    with pytest.raises(OSError, match="missing"):
        async with connect(NomadSettings(addresses=("https://one:4646",), ca_cert=tmp_path / "missing")):
            pass


async def test_the_name_to_verify_can_differ_from_the_host(one: respx.Route) -> None:
    one.respond()
    settings = NomadSettings(addresses=("https://one:4646/base/",), tls_server_name="server.eu.nomad")
    async with connect(settings) as transport:
        await transport.request("GET", "/v1/jobs")
    request = one.calls.last.request
    assert request.extensions["sni_hostname"] == "server.eu.nomad"
    assert request.url.path == "/base/v1/jobs"


async def test_the_token_appears_nowhere(transport: Transport, one: respx.Route) -> None:
    one.side_effect = httpx2.LocalProtocolError("Illegal header value b'secret-token'")
    with pytest.raises(Unavailable) as caught:
        await transport.request("PUT", "/v1/jobs")
    settings = NomadSettings(token="secret-token")
    async with connect(settings) as other:
        identity = await other._credentials.identity()  # noqa: SLF001 - what a debugger or a crash would print
    for shown in (str(caught.value), repr(caught.value), repr(settings), repr(transport), repr(identity)):
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


async def test_behind_a_shut_fence_nothing_is_written_and_everything_read(one: respx.Route) -> None:
    one.respond(text="{}")
    async with connect(NomadSettings(addresses=(ONE,)), fence=Shut("only observes")) as transport:
        for method in ("PUT", "DELETE"):
            with pytest.raises(Withheld, match="only observes"):
                await transport.request(method, "/v1/jobs", control=True)
        await transport.request("GET", "/v1/jobs")
    assert [call.request.method for call in one.calls] == ["GET"]


async def test_a_fence_that_falls_during_a_write_ends_the_wait_for_its_answer(one: respx.Route) -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(5)
        return httpx.Response(200)

    class Brief:
        reason = ""

        def left(self) -> float:
            return 0.05

    one.mock(side_effect=hang)
    async with connect(NomadSettings(addresses=(ONE,)), fence=Brief()) as transport:
        with pytest.raises(Unavailable, match="as long as this process might write"):
            await transport.request("PUT", "/v1/jobs")
