"""Probes over the network: HTTP, TCP and gRPC, asked at the address where the Pod's port is published.

Texts are those of a kubelet (pkg/probe/http, pkg/probe/tcp), which are Go's.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from translators.port_addresses import Endpoint
from translators.records.probes import HttpGetAction
from vnode.probes.answers import Answer, Outcome
from vnode.probes.grpc import HealthCall

#: What is read of a body, and how many redirects are followed: pkg/probe/http.
_BODY = 10 * 1024
_REDIRECTS = 10
_SUCCESS = range(200, 400)
_REDIRECT = range(300, 400)

_STATUS = "HTTP probe failed with statuscode:"
_TIMED_OUT = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"


class NetworkProbes:
    """Asks over the network; `agent` names us in requests, as programs expect of a prober (`kube-probe/1.36`)."""

    def __init__(self, session: aiohttp.ClientSession, agent: str) -> None:
        self._session = session
        self._agent = agent
        self._unverified = _unverified()

    async def tcp(self, at: Endpoint, within: float) -> Answer:
        """Whether a connection comes about."""
        problem = await _connected(at, within)
        if problem is None:
            return Answer(Outcome.SUCCESS)
        return Answer(Outcome.FAILURE, _dial(at, problem), unheard=_is_unheard(problem))

    async def http(self, action: HttpGetAction, at: Endpoint, within: float) -> Answer:
        """Whether a GET is answered with a status from 200 to 399."""
        url = _url(action, at)
        try:
            async with asyncio.timeout(within):
                return await self._follow(action, url)
        except TimeoutError:
            # A program that hangs has a kernel that still answers for it.
            heard = await _connected(at, within)
            return Answer(Outcome.FAILURE, f'Get "{url}": {_TIMED_OUT}', unheard=_is_unheard(heard))
        except aiohttp.ClientConnectorError as error:
            return Answer(
                Outcome.FAILURE, f'Get "{url}": {_dial(at, error.os_error)}', unheard=_is_unheard(error.os_error)
            )
        except aiohttp.ServerDisconnectedError:
            return Answer(Outcome.FAILURE, f'Get "{url}": EOF')
        except aiohttp.ClientError as error:
            return Answer(Outcome.FAILURE, f'Get "{url}": {str(error) or type(error).__name__}')
        except ValueError as error:
            return Answer(Outcome.UNKNOWN, f"the request cannot be made: {error}")

    async def grpc(self, service: str, at: Endpoint, within: float) -> Answer:
        """Whether a service says that it is SERVING; "" is the program as a whole."""
        try:
            async with asyncio.timeout(within):
                return await self._check(service, at)
        except TimeoutError:
            heard = await _connected(at, within)
            text = f"timeout: health rpc did not complete within {within:g}s"
            return Answer(Outcome.FAILURE, text, unheard=_is_unheard(heard))
        except OSError as error:
            text = f'error: failed to connect service at "{at}": {_dial(at, error)}'
            return Answer(Outcome.FAILURE, text, unheard=_is_unheard(error))

    async def _check(self, service: str, at: Endpoint) -> Answer:
        call = HealthCall(at, service, self._agent)
        reader, writer = await asyncio.open_connection(at.host, at.port)
        try:
            writer.write(call.open())
            while call.answer is None:
                writer.write(call.receive(await reader.read(_BODY)))
                await writer.drain()
            return call.answer
        finally:
            writer.close()

    async def call(self, action: HttpGetAction, at: Endpoint, within: float) -> Answer:
        """Whether a GET is answered, with whatever status: a hook wants no more (pkg/kubelet/lifecycle)."""
        answer = await self.http(action, at, within)
        return Answer(Outcome.SUCCESS) if answer.text.startswith(_STATUS) else answer

    async def _follow(self, action: HttpGetAction, url: URL) -> Answer:
        """Ask, and follow redirects that lead to the very same program, as a kubelet follows those to the same host."""
        asked = url
        for _ in range(_REDIRECTS):
            status, location = await self._get(action, url)
            if status not in _SUCCESS:
                return Answer(Outcome.FAILURE, f"{_STATUS} {status}")
            if status not in _REDIRECT or not location:
                return Answer(Outcome.SUCCESS)
            url = url.join(URL(location))
            if url.origin() != asked.origin():
                return Answer(Outcome.WARNING, f"Probe terminated redirects, which lead to {url.origin()}")
        return Answer(Outcome.FAILURE, f'Get "{url}": stopped after {_REDIRECTS} redirects')

    async def _get(self, action: HttpGetAction, url: URL) -> tuple[int, str]:
        headers = CIMultiDict((each.name, each.value) for each in action.http_headers)
        headers.setdefault("User-Agent", self._agent)
        if headers.setdefault("Accept", "*/*") == "":
            del headers["Accept"]
        async with self._session.get(
            url,
            headers=headers,
            allow_redirects=False,
            ssl=self._unverified,
            skip_auto_headers=("Accept-Encoding", "Accept"),
        ) as response:
            await response.content.read(_BODY)
            return response.status, response.headers.get("Location", "")


@asynccontextmanager
async def network_probes(agent: str) -> AsyncIterator[NetworkProbes]:
    """Probes over the network for the length of the block; no connection is kept, as by a kubelet."""
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        yield NetworkProbes(session, agent)


async def _connected(at: Endpoint, within: float) -> OSError | None:
    """Why no connection comes about; None where one does."""
    try:
        async with asyncio.timeout(within):
            _, writer = await asyncio.open_connection(at.host, at.port)
    except OSError as error:
        return error
    writer.close()
    return None


def _is_unheard(problem: OSError | None) -> bool:
    """Whether nothing at all came back; a refusal is an answer of the machine."""
    return problem is not None and not isinstance(problem, ConnectionError)


def _dial(at: Endpoint, problem: OSError) -> str:
    """A failed connection in Go's words."""
    if isinstance(problem, TimeoutError):
        return f"dial tcp {at}: i/o timeout"
    said = os.strerror(problem.errno) if problem.errno else str(problem) or type(problem).__name__
    return f"dial tcp {at}: connect: {said.lower()}"


def _url(action: HttpGetAction, at: Endpoint) -> URL:
    path = action.path if action.path.startswith("/") else f"/{action.path}"
    return URL(f"{(action.scheme or 'http').lower()}://{at}{path}")


def _unverified() -> ssl.SSLContext:
    """Programs have certificates of their own making; a kubelet does not verify them either (pkg/probe/http New)."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
