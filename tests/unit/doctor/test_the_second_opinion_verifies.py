"""python-nomad by itself would verify nothing, and take address, token and certificates from the environment."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from vnode.doctor.independent import Independent
from vnode.errors import Denied, Unavailable

TOKEN = "5e7b4dd9-0850-e94b-22e3-286699419a90"


class Agent:
    """Says what it was asked, or 403 to another token."""

    def __init__(self) -> None:
        self.address = ""
        self.seen: list[str] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.seen.append(request)
            allowed = f"X-Nomad-Token: {TOKEN}" in request
            status, body = ("200 OK", b'["eu"]') if allowed else ("403 Forbidden", b"Permission denied")
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_cert(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    return tmp_path / "ca.crt"


@pytest.fixture
async def agent(authority: trustme.CA) -> AsyncIterator[Agent]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("server.eu.nomad").configure_cert(context)
    agent = Agent()
    async with await asyncio.start_server(agent.answer, "127.0.0.1", 0, ssl=context) as server:
        agent.address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield agent


def asking(agent: Agent, ca_cert: Path | None, *, token: str = TOKEN, name: str = "server.eu.nomad") -> Independent:
    return Independent(address=agent.address, region="eu", token=token, ca_cert=ca_cert, server_name=name)


async def regions(independent: Independent) -> object:
    return await independent.ask(lambda api: api.regions.get_regions())


async def test_the_right_name_of_the_right_authority(agent: Agent, ca_cert: Path) -> None:
    assert await regions(asking(agent, ca_cert)) == ["eu"]
    assert agent.seen[0].startswith("GET /v1/regions?region=eu HTTP/1.1")


@pytest.mark.parametrize(("trusted", "name"), [(True, ""), (True, "server.us.nomad"), (False, "server.eu.nomad")])
async def test_everybody_else_gets_no_token(agent: Agent, ca_cert: Path, name: str, *, trusted: bool) -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        await regions(asking(agent, ca_cert if trusted else None, name=name))
    assert agent.seen == []


async def test_the_environment_has_no_say(agent: Agent, ca_cert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NOMAD_ADDR", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(variable, "/nowhere")
    assert await regions(asking(agent, ca_cert)) == ["eu"]


async def test_a_refusal_is_one_of_our_kinds_and_quotes_no_token(agent: Agent, ca_cert: Path) -> None:
    wrong = "11111111-1111-1111-1111-111111111111"
    with pytest.raises(Denied) as refused:
        await regions(asking(agent, ca_cert, token=wrong))
    assert wrong not in str(refused.value)
    assert TOKEN not in repr(asking(agent, ca_cert))
