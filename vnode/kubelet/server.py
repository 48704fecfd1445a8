"""The HTTPS server: listens, and takes over new TLS material without dropping a connection."""

import asyncio
import math
import socket
import ssl
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from vnode.kubelet.access_log import AccessLog
from vnode.kubelet.tls import TlsMaterial, TlsSource

_log = structlog.get_logger(__name__)

#: Seconds between two looks at certificate and authority.
REFRESHED_EVERY = 60.0

#: Seconds, while the client authority could not be read: without it the API server itself gets 401.
_COMPLETED_EVERY = 5.0

_SERVER = "vnode"
_BACKLOG = 128
#: Seconds that answers get to end once they are cancelled.
_GRACE = 1.0
#: Seconds for a TLS handshake: a caller that says nothing holds a socket no longer.
_HANDSHAKE = 10.0


class KubeletServer:
    """One listening socket and its present acceptor.

    An `ssl.SSLContext` cannot forget an authority, nor the sessions that it vouched for. So new material
    means a new context and a new acceptor on the same socket; open connections live on with the old one.
    """

    def __init__(
        self,
        runner: web.AppRunner,
        listener: socket.socket,
        tls: TlsSource,
        answers: "_RunningAnswers",
        *,
        refreshed_every: float,
    ) -> None:
        self._runner = runner
        self._answers = answers
        self._listener = listener
        self._tls = tls
        self._refreshed_every = refreshed_every
        self._material: TlsMaterial | None = None
        self._acceptor: asyncio.Server | None = None
        #: Of the certificate in use, seconds since the epoch.
        self.certificate_ends = math.nan

    @property
    def port(self) -> int:
        """The port in use."""
        return int(self._listener.getsockname()[1])

    async def start(self) -> None:
        """Listen. Raises OSError or ssl.SSLError when the serving certificate is unusable."""
        material = await self._tls.current()
        await self._accept(material, material.context())

    async def refresh(self) -> None:
        """Look at certificate and authority again; what is unusable is said and changes nothing."""
        try:
            material = await self._tls.current()
            if material == self._material:
                return
            context = material.context()
        except OSError as error:  # ssl.SSLError is one
            _log.warning("new TLS certificate or client authority not taken over", error=str(error))
            return
        await self._accept(material, context)
        _log.info("TLS certificate and client authority reloaded")

    async def run(self) -> None:
        """Keep certificate and authority current; never returns."""
        while True:
            await asyncio.sleep(self._refreshed_every if self._tls.complete else _COMPLETED_EVERY)
            await self.refresh()

    async def break_off(self) -> None:
        """End all answers that are being given; new requests are welcome."""
        await self._answers.end()

    def close(self) -> None:
        """Accept no more; open connections are the runner's."""
        if self._acceptor is not None:
            self._acceptor.close()

    async def _accept(self, material: TlsMaterial, context: ssl.SSLContext) -> None:
        acceptor = await asyncio.get_running_loop().create_server(
            self._protocol, sock=self._listener.dup(), ssl=context, backlog=_BACKLOG, ssl_handshake_timeout=_HANDSHAKE
        )
        self.close()
        self._acceptor, self._material = acceptor, material
        self.certificate_ends = material.certificate.ends

    def _protocol(self) -> asyncio.Protocol:
        server = self._runner.server
        if server is None:
            raise RuntimeError("The runner was not set up.")
        return _Protocol(server, loop=asyncio.get_running_loop(), access_log_class=AccessLog)


class _Protocol(web.RequestHandler):
    """Answers malformed requests, which no application sees, without telling our libraries' versions."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        response = super().handle_error(request, status, exc, message)
        response.headers["Server"] = _SERVER
        return response


class _RunningAnswers:
    """Ends the answers that have no end of their own before what they read from is closed."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    @property
    def middleware(self) -> Middleware:
        """Counts every answer from its first to its last byte."""

        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            task = asyncio.current_task()
            if task is None:
                raise RuntimeError("A request is handled outside a task.")
            self._tasks.add(task)
            try:
                return await handler(request)
            finally:
                self._tasks.discard(task)

        return count

    async def end(self, _: web.Application | None = None) -> None:
        """Break off what still runs, and wait until it has let go of its connections."""
        running = tuple(self._tasks)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=_GRACE)


@asynccontextmanager
async def serve(
    application: web.Application,
    tls: TlsSource,
    *,
    host: str,
    port: int,
    refreshed_every: float = REFRESHED_EVERY,
) -> AsyncGenerator[KubeletServer, None]:
    """Serve the application until the block ends; port 0 takes a free one. `KubeletServer.run` wants a task.

    Raises OSError when the port is taken or the certificate cannot be read, ssl.SSLError when it is wrong.
    """
    application.on_response_prepare.append(_hide_versions)
    answers = _RunningAnswers()
    application.middlewares.insert(0, answers.middleware)
    application.on_shutdown.append(answers.end)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=_GRACE)
    await runner.setup()
    try:
        with _listen(host, port) as listener:
            server = KubeletServer(runner, listener, tls, answers, refreshed_every=refreshed_every)
            await server.start()
            try:
                yield server
            finally:
                server.close()
    finally:
        await runner.cleanup()


async def _hide_versions(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = _SERVER


@contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=host == "::")
    with listener:
        listener.setblocking(False)  # noqa: FBT003 - the socket module's own shape
        yield listener
