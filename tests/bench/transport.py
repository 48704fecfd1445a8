"""HTTP for the bench: as little as it takes, so that the clients of both sides cost the same and hardly anything."""

import ssl
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import aiohttp

from tests.bench.errors import MeasurementError

#: By this the bench's own requests are told from vnode's in the audit log.
USER_AGENT = "hashinetes-bench"
_SECONDS = 60.0


def session(
    address: str, context: ssl.SSLContext | None = None, headers: Mapping[str, str] | None = None
) -> aiohttp.ClientSession:
    """A session with one server; the number of connections is left to the callers' concurrency."""
    return aiohttp.ClientSession(
        address,
        connector=aiohttp.TCPConnector(limit=0, ssl=True if context is None else context),
        headers={"User-Agent": USER_AGENT, **(headers or {})},
        timeout=aiohttp.ClientTimeout(total=None, connect=_SECONDS, sock_read=_SECONDS),
        trust_env=False,
    )


async def request(
    http: aiohttp.ClientSession,
    method: str,
    path: str,
    body: bytes | None = None,
    content_type: str = "application/json",
) -> bytes:
    """One request and its answer; an error status is a MeasurementError with the server's words."""
    headers = {"Content-Type": content_type} if body is not None else {}
    try:
        async with http.request(method, path, data=body, headers=headers) as answer:
            content = await answer.read()
    except (aiohttp.ClientError, TimeoutError) as problem:
        raise MeasurementError(f"{method} {path}: {type(problem).__name__} {problem}") from problem
    if not answer.ok:
        raise MeasurementError(f"{method} {path}: {answer.status} {content.decode(errors='replace')[:500]}")
    return content


async def lines(http: aiohttp.ClientSession, path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
    """The lines of a stream as they arrive, without a bound on their length: Nomad's reach half a megabyte."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SECONDS)
    try:
        async with http.get(path, params=query, timeout=timeout) as answer:
            if not answer.ok:
                raise MeasurementError(f"GET {path}: {answer.status} {(await answer.text())[:500]}")
            rest = bytearray()
            async for chunk in answer.content.iter_any():
                rest += chunk
                *complete, last = rest.split(b"\n")
                rest = bytearray(last)
                for line in complete:
                    yield bytes(line)
    except aiohttp.ClientError as problem:
        raise MeasurementError(f"GET {path} broke: {type(problem).__name__} {problem}") from problem


async def timed(http: aiohttp.ClientSession, method: str, path: str, body: bytes) -> float:
    """Seconds until the answer of one request."""
    began = time.monotonic()
    await request(http, method, path, body)
    return time.monotonic() - began


def query(**values: Any) -> dict[str, str]:
    """Query parameters from Python values."""
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in values.items()}
