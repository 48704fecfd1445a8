"""Knocking at one address of Nomad: can it be reached, is it who it should be, does it let us in.

Raw sockets, for a diagnosis needs the TLS errors themselves, which HTTP libraries wrap. `/v1/status/leader` needs no
token.
"""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.parser import BytesHeaderParser
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

_WITHIN = 8.0
_ALERT_WITHIN = 3.0
_LONGEST_ANSWER = 64 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said at the door; `date` is the peer's clock, in whole seconds."""

    status: int
    body: str
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Door:
    """Where to knock: the URL of an agent, and the name that its certificate must hold ("" for the URL's host)."""

    address: str
    server_name: str = ""

    @property
    def encrypted(self) -> bool:
        """Whether TLS is expected."""
        return urlsplit(self.address).scheme == "https"

    @property
    def host(self) -> str:
        """The host of the URL."""
        return urlsplit(self.address).hostname or ""

    async def knock(self, tls: ssl.SSLContext) -> Answer:
        """Ask who leads.

        Raises ssl.SSLError and other OSError as they come, TimeoutError, and ValueError when the answer is no HTTP.
        """
        async with asyncio.timeout(_WITHIN):
            reader, writer = await self._open(tls)
            try:
                return _parsed(await self._ask(reader, writer))
            except (ConnectionError, EOFError):
                if self.encrypted:
                    await self._hear_alert(tls)
                raise ConnectionResetError("it ends the connection without an answer") from None
            finally:
                writer.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        path = urlsplit(self.address).path.rstrip("/")
        request = f"GET {path}/v1/status/leader HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        await writer.drain()
        answer = bytearray()
        while (chunk := await reader.read(_LONGEST_ANSWER)) and len(answer) < _LONGEST_ANSWER:
            answer += chunk
        if not answer:
            raise EOFError
        return bytes(answer)

    async def _hear_alert(self, tls: ssl.SSLContext) -> None:
        """Connect once more and say nothing: a server that refuses us after the handshake tells why.

        With TLS 1.3 a client certificate is judged after our handshake has ended, and a request that is under way
        then turns the server's alert into a mere reset.
        """
        reader, writer = await self._open(tls)
        try:
            async with asyncio.timeout(_ALERT_WITHIN):
                await reader.read(1)
        except TimeoutError:
            return
        finally:
            writer.transport.abort()

    async def _open(self, tls: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.address)
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        if not self.encrypted:
            return await asyncio.open_connection(self.host, port)
        return await asyncio.open_connection(self.host, port, ssl=tls, server_hostname=self.server_name or self.host)


def _parsed(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, _, rest = head.partition(b"\r\n")
    if not first.startswith(b"HTTP/"):
        raise ValueError("what answers does not speak HTTP")
    headers = BytesHeaderParser().parsebytes(rest)
    date = parsedate_to_datetime(headers["Date"]) if headers["Date"] else None
    return Answer(int(first.split()[1]), body.decode(errors="replace").strip(), date)
