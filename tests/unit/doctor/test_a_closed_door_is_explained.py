"""Real sockets and TLS, for the errors of both are the subject; servers that a bed does not have."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from vnode.doctor import addresses
from vnode.doctor.door import Door
from vnode.doctor.findings import Finding
from vnode.doctor.problems import Problem, Status
from vnode.nomad.settings import NomadSettings

LEADER = b'HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 05:48:39 GMT\r\nContent-Length: 16\r\n\r\n"127.0.0.1:4647"'
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def serving(authority: trustme.CA, *names: str, client_certificates: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    if client_certificates:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
    return context


async def leader(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1024)
    writer.write(LEADER)


async def smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")
    await reader.read(100)


async def nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(1)


@asynccontextmanager
async def listening(answer: Answer, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except OSError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context) as server:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def knock(*urls: str, context: ssl.SSLContext, server_name: str = "") -> list[Finding]:
    settings = NomadSettings(addresses=urls, region="eu", tls_server_name=server_name)
    return [finding for visit in await addresses.examine(settings, context) for finding in visit.findings]


async def test_who_answers_is_let_through(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    async with listening(leader, serving(authority, "127.0.0.1")) as url:
        settings = NomadSettings(addresses=(url,))
        (visit,) = await addresses.examine(settings, trusting)
    assert visit.answer
    assert (visit.answer.status, visit.answer.body) == (200, '"127.0.0.1:4647"')
    assert visit.answer.date
    assert visit.answer.date.isoformat() == "2026-11-23T05:48:39+00:00"


async def test_the_name_may_be_another_than_the_host(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    async with listening(leader, serving(authority, "server.eu.nomad")) as url:
        (wrong,) = await knock(url, context=trusting)
        (right,) = await knock(url, context=trusting, server_name="server.eu.nomad")
    assert wrong.problem is Problem.NOMAD_TLS_NAME
    assert "--nomad-tls-server-name server.eu.nomad" in wrong.advice
    assert right.status is Status.OK


async def test_an_authority_that_nobody_knows(authority: trustme.CA) -> None:
    async with listening(leader, serving(authority, "127.0.0.1")) as url:
        (finding,) = await knock(url, context=ssl.create_default_context())
    assert finding.problem is Problem.NOMAD_CA


async def test_a_client_certificate_that_is_missing(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    async with listening(leader, serving(authority, "127.0.0.1", client_certificates=True)) as url:
        (finding,) = await knock(url, context=trusting)
    assert finding.problem is Problem.NOMAD_CLIENT_CERT


async def test_no_tls_where_https_is_set(trusting: ssl.SSLContext) -> None:
    async with listening(leader) as url:
        (finding,) = await knock(url.replace("http:", "https:"), context=trusting)
    assert finding.problem is Problem.NOMAD_SCHEME
    assert url in finding.advice


async def test_something_else_at_the_port(trusting: ssl.SSLContext) -> None:
    async with listening(smtp) as url:
        (finding,) = await knock(url, context=trusting)
    assert (finding.problem, finding.found) == (Problem.NOMAD_ADDRESS, "what answers does not speak HTTP")


async def test_somebody_who_hangs_up(trusting: ssl.SSLContext) -> None:
    async with listening(nothing) as url:
        (finding,) = await knock(url, context=trusting)
    assert finding.problem is Problem.NOMAD_ADDRESS


async def test_nobody_at_the_port(trusting: ssl.SSLContext) -> None:
    async with listening(leader) as url:
        pass
    for address in (url, url.replace("http:", "https:")):
        (finding,) = await knock(address, context=trusting)
        assert (finding.problem, finding.found) == (Problem.NOMAD_ADDRESS, "Connection refused")


async def test_an_expired_certificate(authority: trustme.CA, trusting: ssl.SSLContext, tmp_path: Path) -> None:
    old = serving(authority, "127.0.0.1")
    pair = authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    pair.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "old.pem"))
    old.load_cert_chain(tmp_path / "old.pem")
    async with listening(leader, old) as url:
        (finding,) = await knock(url, context=trusting)
    assert finding.problem is Problem.NOMAD_CERTIFICATE_EXPIRED


async def test_one_that_answers_turns_failures_of_others_into_warnings(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    async with listening(leader, serving(authority, "127.0.0.1")) as good, listening(smtp) as bad:
        findings = await knock(bad, good, context=trusting)
    assert [finding.status for finding in findings] == [Status.WARNING, Status.OK]


@pytest.mark.parametrize(
    ("url", "warned"),
    [("http://127.0.0.1:4646", False), ("http://localhost:4646", False), ("http://192.0.2.1:4646", True)],
)
def test_a_token_in_clear_text_is_warned_about_beyond_this_machine(url: str, *, warned: bool) -> None:
    assert bool(addresses.clear_text(Door(url))) == warned
