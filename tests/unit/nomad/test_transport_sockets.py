"""What only a socket can show: each test has a server of its own on loopback."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from vnode.errors import Unavailable
from vnode.nomad import channel
from vnode.nomad.transport import NomadSettings, connect

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)
        writer.close()

    async with await asyncio.start_server(session, "127.0.0.1", 0, ssl=tls) as server:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER)
    await writer.drain()


async def says_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def begins_and_falls_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\nfirst")
    await reader.read()


async def test_nobody_listens() -> None:
    async with served(answers) as address:
        pass
    async with connect(NomadSettings(addresses=(address,))) as transport:
        with pytest.raises(Unavailable, match=f"{address}: connection refused$"):
            await transport.request("GET", "/v1/jobs")


async def test_a_stream_that_never_begins_is_given_up() -> None:
    async with served(says_nothing) as address, connect(NomadSettings(addresses=(address,))) as transport:
        with pytest.raises(Unavailable, match=f"{address}: no answer in time$"):
            async with transport.stream("/v1/event/stream", {}, silence=0.01):
                pass


async def test_a_stream_that_falls_silent_is_given_up() -> None:
    async with (
        served(begins_and_falls_silent) as address,
        connect(NomadSettings(addresses=(address,))) as transport,
        transport.stream("/v1/event/stream", {}, silence=0.5) as stream,
    ):
        chunks = stream.chunks()
        assert await anext(chunks) == b"first"
        with pytest.raises(Unavailable, match=f"{address}: no answer in time$"):
            await anext(chunks)


async def test_a_server_that_shakes_no_hands_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "CONNECT", 0.05)
    async with served(says_nothing) as address:
        secure = address.replace("http:", "https:")
        async with connect(NomadSettings(addresses=(secure,))) as transport:
            with pytest.raises(Unavailable, match=r": no connection in time$"):
                await transport.request("PUT", "/v1/jobs")


async def test_the_name_to_verify_can_differ_from_the_host(tmp_path: Path) -> None:
    authority, names = trustme.CA(), list[str | None]()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("server.eu.nomad").configure_cert(tls)
    tls.sni_callback = lambda _, name, __: names.append(name)
    async with served(answers, tls) as address:
        settings = NomadSettings(addresses=(address,), ca_cert=tmp_path / "ca.pem", tls_server_name="server.eu.nomad")
        async with connect(settings) as transport:
            assert (await transport.request("GET", "/v1/jobs")).body == b"[]"
        assert names == ["server.eu.nomad"]
        async with connect(NomadSettings(addresses=(address,), ca_cert=tmp_path / "ca.pem")) as transport:
            with pytest.raises(Unavailable, match=r"certificate is not valid for '127\.0\.0\.1'"):
                await transport.request("PUT", "/v1/jobs")
