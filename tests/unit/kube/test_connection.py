import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from pydantic_core import to_json

from tests.unit.kube.scripted import Clock
from vnode.errors import Denied, NotFound, Rejected, Unavailable, Withheld
from vnode.fence import OPEN, Fence, Shut
from vnode.kube.connection import Connection, connect
from vnode.kube.errors import Silent

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server on loopback that answers everything by one handler; yields its URL."""
    application = web.Application()
    application.router.add_route("*", "/{anything:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def kubeconfig(directory: Path, url: str, user: str = "{}", cluster: str = "") -> str:
    file = directory / "kubeconfig"
    file.write_text(
        "{apiVersion: v1, kind: Config, current-context: c,"
        f" clusters: [{{name: k, cluster: {{server: '{url}'{cluster}}}}}],"
        " contexts: [{name: c, context: {cluster: k, user: u}}],"
        f" users: [{{name: u, user: {user}}}]}}"
    )
    return str(file)


@asynccontextmanager
async def connected(
    directory: Path,
    handler: Handler,
    user: str = "{}",
    fence: Fence = OPEN,
    max_requests: int = 32,
    watch_silence: float = 60.0,
) -> AsyncIterator[Connection]:
    async with (
        server(handler) as url,
        connect(
            kubeconfig(directory, url, user), watch_silence=watch_silence, fence=fence, max_requests=max_requests
        ) as connection,
    ):
        yield connection


async def echo(request: web.Request) -> web.Response:
    """Say what arrived."""
    return web.json_response(
        {
            "method": request.method,
            "path": request.path_qs,
            "headers": {key.lower(): text for key, text in request.headers.items()},
            "body": (await request.read()).decode(),
        }
    )


def answering(status: int, body: bytes, **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    return handler


async def test_a_request_arrives_as_it_was_meant(tmp_path: Path) -> None:
    async with connected(tmp_path, echo) as connection:
        answer = await connection.request(
            "PATCH",
            "/api/v1/nodes/a%2Fb",
            query={"q": "x=y&z"},
            body=b"{}",
            content_type="application/merge-patch+json",
        )
    text = answer.decode()
    assert '"method": "PATCH"' in text
    assert '"path": "/api/v1/nodes/a%2Fb?q=x%3Dy%26z"' in text
    assert '"content-type": "application/merge-patch+json"' in text
    assert '"user-agent": "vnode/' in text
    assert '"body": "{}"' in text


async def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    token, clock = tmp_path / "token", Clock()
    token.write_text("first\n")
    async with (
        server(echo) as url,
        connect(kubeconfig(tmp_path, url, f"{{tokenFile: {token}}}"), clock=clock.monotonic) as connection,
    ):
        assert b"Bearer first" in await connection.request("GET", "/")
        token.write_text("second\n")
        assert b"Bearer first" in await connection.request("GET", "/")
        clock.seconds += 61
        assert b"Bearer second" in await connection.request("GET", "/")


async def test_an_exec_plugin_runs_once_and_again_when_its_token_is_refused(tmp_path: Path) -> None:
    runs, clock = tmp_path / "runs", Clock()
    plugin = tmp_path / "plugin"
    plugin.write_text(
        f"#!/bin/sh\necho run >> {runs}\n"
        """echo '{"apiVersion":"client.authentication.k8s.io/v1",'"""
        """'"kind":"ExecCredential","status":{"token":"made"}}'\n"""
    )
    plugin.chmod(0o755)
    user = f"{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {plugin}}}}}"
    async with server(echo) as url, connect(kubeconfig(tmp_path, url, user), clock=clock.monotonic) as connection:
        for _ in range(3):
            assert b"Bearer made" in await connection.request("GET", "/")
            clock.seconds += 61
    assert runs.read_text() == "run\n"
    refuse = answering(401, b"{}")
    async with server(refuse) as url, connect(kubeconfig(tmp_path, url, user), clock=clock.monotonic) as connection:
        clock.seconds += 61
        for _ in range(4):
            with pytest.raises(Denied):
                await connection.request("GET", "/")
    assert runs.read_text() == "run\n" * 3


async def test_the_token_of_a_service_account_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    (tmp_path / "token").write_text("mounted\n")
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    where = "kubernetes_asyncio.config.incluster_config"
    monkeypatch.setattr(f"{where}.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(f"{where}.SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    async with server(echo, serving(authority)) as url:
        host, port = url.removeprefix("https://").split(":")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
        async with connect(None) as connection:
            assert b"Bearer mounted" in await connection.request("GET", "/")


def serving(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_a_client_certificate_is_presented_and_the_server_verified(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("us")
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "us.pem")
    tls = serving(authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(tls)
    pem = tmp_path / "us.pem"
    user = f"{{client-certificate: {pem}, client-key: {pem}}}"
    async with server(echo, tls) as url:
        trusting = kubeconfig(tmp_path, url, user, f", certificate-authority: {tmp_path / 'ca.crt'}")
        async with connect(trusting) as connection:
            assert b"GET" in await connection.request("GET", "/")
        async with connect(kubeconfig(tmp_path, url, user)) as connection:
            with pytest.raises(Unavailable, match="certificate"):
                await connection.request("GET", "/")


async def test_a_refusal_becomes_an_error_in_the_servers_words(tmp_path: Path) -> None:
    body = to_json({"kind": "Status", "reason": "NotFound", "message": 'nodes "n" not found'})
    async with connected(tmp_path, answering(404, body)) as connection:
        with pytest.raises(NotFound, match=r'GET /api/v1/nodes/n: 404 NotFound: nodes "n" not found'):
            await connection.request("GET", "/api/v1/nodes/n")


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with connected(tmp_path, answering(302, b"", Location="http://127.0.0.1:1/")) as connection:
        with pytest.raises(Rejected, match="302"):
            await connection.request("GET", "/")


async def test_the_header_retry_after_is_read(tmp_path: Path) -> None:
    async with connected(tmp_path, answering(429, b"", **{"Retry-After": "3"})) as connection:
        with pytest.raises(Unavailable) as caught:
            await connection.request("GET", "/")
    assert caught.value.retry_after == 3


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    async with server(echo) as url:
        file = kubeconfig(tmp_path, url)
    async with connect(file) as connection:
        with pytest.raises(Unavailable):
            await connection.request("GET", "/")
        with pytest.raises(Unavailable):
            await anext(connection.watch("/", {}))


async def test_a_server_that_does_not_answer_is_unavailable_in_time(tmp_path: Path) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with connected(tmp_path, hang) as connection:
        with pytest.raises(Unavailable, match="no answer in time"):
            await connection.request("GET", "/", within=0.05)


def streaming(*chunks: bytes, hold: bool = False, cut: bool = False) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
            await asyncio.sleep(0)
        if hold:
            await asyncio.Event().wait()
        if cut and request.transport is not None:
            request.transport.close()
        return response

    return handler


async def test_a_watch_yields_lines_however_they_are_cut(tmp_path: Path) -> None:
    large = b"x" * 3_000_000
    async with connected(tmp_path, streaming(b"on", b"e\ntwo\nth", b"ree\n", large, b"\n")) as connection:
        lines = [line async for line in connection.watch("/", {})]
    assert lines == [b"one", b"two", b"three", large]


@pytest.mark.parametrize("handler", [streaming(b"one\ntw"), streaming(b"one\n", cut=True)])
async def test_a_watch_that_breaks_is_unavailable_after_its_whole_lines(tmp_path: Path, handler: Handler) -> None:
    async with connected(tmp_path, handler) as connection:
        watch = connection.watch("/", {})
        assert await anext(watch) == b"one"
        with pytest.raises(Unavailable):
            await anext(watch)


async def test_a_watch_without_a_sign_of_life_is_silent(tmp_path: Path) -> None:
    async with connected(tmp_path, streaming(b"one\n", hold=True), watch_silence=0.5) as connection:
        watch = connection.watch("/", {})
        assert await anext(watch) == b"one"
        with pytest.raises(Silent):
            await anext(watch)


async def test_a_refused_watch_is_the_same_kind_of_error(tmp_path: Path) -> None:
    async with connected(tmp_path, answering(503, b"upstream connect error")) as connection:
        with pytest.raises(Unavailable, match="503"):
            await anext(connection.watch("/", {}))


async def test_watches_are_counted_and_starve_no_request(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await (streaming(b"one\n", hold=True) if "watch" in request.query else echo)(request)

    async with (
        server(handler) as url,
        connect(kubeconfig(tmp_path, url), max_requests=1) as connection,
        aclosing(connection.watch("/", {"watch": "true"})) as first,
        aclosing(connection.watch("/", {"watch": "true"})) as second,
    ):
        assert (await anext(first), await anext(second)) == (b"one", b"one")
        assert connection.open_watches == 2
        await connection.request("GET", "/", within=5)
        await second.aclose()
        assert connection.open_watches == 1


async def test_proxies_of_the_environment_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with connected(tmp_path, echo) as connection:
        assert await connection.request("GET", "/")


WITHOUT_USER = """
{current-context: c, contexts: [{name: c, context: {cluster: k, user: u}}],
 clusters: [{name: k, cluster: {server: "http://x"}}], users: [{name: u, usr: {token: hunter2}}]}
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "there is no kubeconfig"),
        ("[", "ParserError"),
        ("{users: [{name: u, user: {token: hunter2}}], current-context: c}", "contexts"),
        (WITHOUT_USER, "Expected key user"),
    ],
)
async def test_credentials_that_cannot_be_read_are_named_without_secrets(
    tmp_path: Path, text: str | None, words: str
) -> None:
    file = tmp_path / "kubeconfig"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Denied, match=words) as caught:
        await connect(str(file)).__aenter__()
    assert "hunter2" not in str(caught.value)


class Falling:
    """A fence that is open for the first looks only."""

    reason = "another replica leads"

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def left(self) -> float:
        self.looks -= 1
        return 60.0 if self.looks >= 0 else 0.0


class TestTheFence:
    async def test_nothing_is_written_while_it_is_shut(self, tmp_path: Path) -> None:
        asked: list[str] = []

        async def handler(request: web.Request) -> web.Response:
            asked.append(request.method)
            return web.json_response({})

        async with connected(tmp_path, handler, fence=Shut("only observes")) as connection:
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                with pytest.raises(Withheld, match="only observes"):
                    await connection.request(method, "/x", body=b"{}")
            await connection.request("GET", "/x")
        assert asked == ["GET"]

    async def test_who_is_late_at_his_socket_writes_nothing(self, tmp_path: Path) -> None:
        """The first look was in time, the last one, with the connection open, is not."""
        asked: list[str] = []

        async def handler(request: web.Request) -> web.Response:
            asked.append(request.method)
            return web.json_response({})

        async with connected(tmp_path, handler, fence=Falling(looks=1)) as connection:
            with pytest.raises(Withheld, match="another replica leads"):
                await connection.request("PATCH", "/x", body=b"{}")
            await connection.request("GET", "/x")
        assert asked == ["GET"]

    async def test_a_write_is_given_up_when_it_falls(self, tmp_path: Path) -> None:
        class Brief:
            reason = ""

            def left(self) -> float:
                return 0.05

        async def hang(_: web.Request) -> web.Response:
            await asyncio.sleep(5)
            return web.json_response({})

        async with connected(tmp_path, hang, fence=Brief()) as connection:
            with pytest.raises(Unavailable, match="no answer in time"):
                await connection.request("PATCH", "/x", body=b"{}")

    async def test_reviews_and_the_election_are_outside_of_it(self, tmp_path: Path) -> None:
        async with connected(tmp_path, echo, fence=Shut("stands by")) as connection:
            assert b"POST" in await connection.unfenced.request("POST", "/x", body=b"{}")
            assert b"PUT" in await connection.vital.unfenced.request("PUT", "/x", body=b"{}")
            with pytest.raises(Withheld):
                await connection.vital.request("PUT", "/x", body=b"{}")


async def test_a_flood_of_patches_does_not_hold_up_a_sign_of_life(tmp_path: Path) -> None:
    release = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        if request.method == "PATCH":
            await release.wait()
        return web.json_response({})

    async with connected(tmp_path, handler, max_requests=2) as connection, asyncio.TaskGroup() as flood:
        for _ in range(10):
            flood.create_task(connection.request("PATCH", "/status", body=b"{}"))
        await asyncio.sleep(0)
        await connection.vital.request("PUT", "/lease", body=b"{}", within=2)
        release.set()
