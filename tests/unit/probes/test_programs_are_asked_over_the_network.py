import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trustme
from aiohttp import web
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

from translators.port_addresses import Endpoint
from translators.records.probes import HttpGetAction, HttpHeader
from vnode.probes.answers import Answer, Outcome
from vnode.probes.network import NetworkProbes, network_probes

HOST = "127.0.0.1"


def get(path: str = "/", scheme: str = "HTTP", **headers: str) -> HttpGetAction:
    return HttpGetAction(
        port=80,
        path=path,
        scheme=scheme,
        http_headers=tuple(HttpHeader(name=name.replace("_", "-"), value=text) for name, text in headers.items()),
    )


@asynccontextmanager
async def program(context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Endpoint, list[web.Request]]]:
    """A program that answers with the status in its path, leads on for `to`, and hangs for /hang."""
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        if request.path == "/hang":
            await asyncio.Event().wait()
        headers = {"Location": request.query["to"]} if "to" in request.query else {}
        return web.Response(status=int(request.path.strip("/") or 200), headers=headers)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0, ssl_context=context)
    await site.start()
    try:
        yield Endpoint(HOST, runner.addresses[0][1]), seen
    finally:
        await runner.cleanup()


@pytest.fixture
async def probes() -> AsyncIterator[NetworkProbes]:
    async with network_probes("kube-probe/1.36") as found:
        yield found


@asynccontextmanager
async def health(status: int, *, hangs: bool = False) -> AsyncIterator[Endpoint]:
    """A program that gives this status to whoever asks gRPC's health service."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        while data := await reader.read(4096):
            for event in connection.receive_data(data):
                if isinstance(event, StreamEnded) and not hangs:
                    connection.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
                    connection.send_data(1, bytes((0, 0, 0, 0, 2, 8, status)))
                    connection.send_headers(1, [("grpc-status", "0")], end_stream=True)
            writer.write(connection.data_to_send())
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        yield Endpoint(HOST, server.sockets[0].getsockname()[1])


@pytest.mark.parametrize(("status", "outcome"), [(1, Outcome.SUCCESS), (2, Outcome.FAILURE)])
async def test_a_program_says_its_own_health(probes: NetworkProbes, status: int, outcome: Outcome) -> None:
    async with health(status) as at:
        assert (await probes.grpc("", at, 5.0)).outcome is outcome


async def test_a_health_service_that_hangs_has_failed(probes: NetworkProbes) -> None:
    async with health(1, hangs=True) as at:
        answer = await probes.grpc("", at, 0.5)
    assert answer == Answer(Outcome.FAILURE, "timeout: health rpc did not complete within 0.5s")


async def test_a_health_service_that_is_not_there_has_failed(probes: NetworkProbes, refused: Endpoint) -> None:
    answer = await probes.grpc("", refused, 5.0)
    text = f'error: failed to connect service at "{refused}": dial tcp {refused}: connect: connection refused'
    assert answer == Answer(Outcome.FAILURE, text)


@pytest.fixture
def refused() -> Iterator[Endpoint]:
    """A port where nobody listens, and nobody will meanwhile."""
    with socket.socket() as held:
        held.bind((HOST, 0))
        yield Endpoint(HOST, held.getsockname()[1])


@pytest.mark.parametrize("status", [200, 204, 302, 399])
async def test_a_status_below_400_is_success(probes: NetworkProbes, status: int) -> None:
    async with program() as (at, _):
        assert await probes.http(get(f"/{status}"), at, 5.0) == Answer(Outcome.SUCCESS)


@pytest.mark.parametrize("status", [400, 404, 500, 503])
async def test_any_other_status_is_a_failure(probes: NetworkProbes, status: int) -> None:
    async with program() as (at, _):
        text = f"HTTP probe failed with statuscode: {status}"
        assert await probes.http(get(f"/{status}"), at, 5.0) == Answer(Outcome.FAILURE, text)


async def test_a_request_is_a_kubelets(probes: NetworkProbes) -> None:
    async with program() as (at, seen):
        await probes.http(get("/200?a=b"), at, 5.0)
    headers = seen[0].headers
    assert seen[0].path_qs == "/200?a=b"
    assert (headers["User-Agent"], headers["Accept"]) == ("kube-probe/1.36", "*/*")
    assert "Accept-Encoding" not in headers


async def test_headers_of_the_probe_win(probes: NetworkProbes) -> None:
    async with program() as (at, seen):
        await probes.http(get(Host="shop.example.com", User_Agent="mine", Accept=""), at, 5.0)
    headers = seen[0].headers
    assert (headers["Host"], headers["User-Agent"]) == ("shop.example.com", "mine")
    assert "Accept" not in headers


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/302?to=/200", Outcome.SUCCESS),
        ("/302?to=/500", Outcome.FAILURE),
        ("/302?to=http://elsewhere.example.com/", Outcome.WARNING),
        ("/302?to=/302%3Fto=/503", Outcome.FAILURE),
    ],
)
async def test_redirects_are_followed_within_the_program(probes: NetworkProbes, path: str, outcome: Outcome) -> None:
    async with program() as (at, _):
        assert (await probes.http(get(path), at, 5.0)).outcome is outcome


async def test_redirects_in_a_circle_end(probes: NetworkProbes) -> None:
    async with program() as (at, seen):
        circle = get("/302?to=/302")
        assert (await probes.http(circle, at, 5.0)).outcome is Outcome.SUCCESS
        found = await probes.http(HttpGetAction(port=80, path="/301?to=?to=?to"), at, 5.0)
    assert len(seen) < 20
    assert found.outcome is not Outcome.UNKNOWN


async def test_a_certificate_is_not_verified(probes: NetworkProbes) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("whoever.example.com").configure_cert(context)
    async with program(context) as (at, _):
        assert await probes.http(get("/200", scheme="HTTPS"), at, 5.0) == Answer(Outcome.SUCCESS)


async def test_a_program_that_hangs_has_failed(probes: NetworkProbes) -> None:
    async with program() as (at, _):
        found = await probes.http(get("/hang"), at, 0.5)
    assert (found.outcome, found.unheard) == (Outcome.FAILURE, False)
    assert found.text == (
        f'Get "http://{at}/hang": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    )


async def test_a_refused_connection_is_a_failure(probes: NetworkProbes, refused: Endpoint) -> None:
    text = f"dial tcp {refused}: connect: connection refused"
    assert await probes.tcp(refused, 5.0) == Answer(Outcome.FAILURE, text)
    assert await probes.http(get("/x"), refused, 5.0) == Answer(Outcome.FAILURE, f'Get "http://{refused}/x": {text}')


async def test_a_connection_is_success(probes: NetworkProbes) -> None:
    async with program() as (at, seen):
        assert await probes.tcp(at, 5.0) == Answer(Outcome.SUCCESS)
    assert seen == []


async def test_nothing_is_heard_of_a_machine_that_does_not_answer(
    probes: NetworkProbes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "open_connection", silent)
    at = Endpoint("192.0.2.1", 80)
    found = await probes.tcp(at, 0.05)
    assert found == Answer(Outcome.FAILURE, f"dial tcp {at}: i/o timeout", unheard=True)


async def test_a_header_that_cannot_be_sent_is_no_failure_of_the_program(probes: NetworkProbes) -> None:
    async with program() as (at, seen):
        found = await probes.http(get("/200", X="a\r\nInjected: yes"), at, 5.0)
    assert found.outcome is Outcome.UNKNOWN
    assert seen == []
