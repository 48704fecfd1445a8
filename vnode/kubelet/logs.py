"""GET /containerLogs/{namespace}/{pod}/{container}: what `kubectl logs` ends up at."""

from collections.abc import Callable
from datetime import datetime

import structlog
from aiohttp import web

from vnode.errors import Denied, NotFound, PeerError
from vnode.kubelet.directory import LogSource, LogSources, PodDirectory
from vnode.kubelet.log_options import BadLogOptions, LogOptions, parse_log_options
from vnode.kubelet.log_reader import LogReader
from vnode.kubelet.log_slots import LogSlots, TooManyLogs
from vnode.kubelet.log_target import NoLogs, find_run, quote
from vnode.nomad.errors import TooManyStreams

_log = structlog.get_logger(__name__)

#: Of refusals the API server hands on the text of 400, 404 and 500 only; of others, such as 429 and 503, it makes a
#: sentence of its own (apiserver pkg/registry/generic/rest/response_checker.go).
_TOLD = 500


class ContainerLogs:
    """Answers with the log of one run of a container, in the words of a kubelet where there is none."""

    def __init__(
        self,
        directory: PodDirectory,
        sources: LogSources,
        slots: LogSlots,
        now: Callable[[], datetime],
    ) -> None:
        self._directory = directory
        self._sources = sources
        self._slots = slots
        self._now = now

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Judge the request, then stream; a log that breaks off later ends without the last chunk."""
        try:
            options = parse_log_options({name: request.query.getall(name) for name in request.query}, self._now())
            source = self._open(request, options)
            with self._slots.take(len(options.streams)):
                return await self._answer(request, source, options)
        except (BadLogOptions, NoLogs) as error:
            return web.Response(status=error.status, text=str(error))
        except (TooManyLogs, TooManyStreams) as error:
            return web.Response(status=_TOLD, text=str(error))
        except Denied as error:
            text = f"{error} (reading logs needs the capability read-fs of vnode's Nomad token)"
            return web.Response(status=_TOLD, text=text)
        except PeerError as error:
            return web.Response(status=_TOLD, text=str(error))

    def _open(self, request: web.Request, options: LogOptions) -> LogSource:
        place = request.match_info
        pod = self._directory.pod(place["namespace"], place["pod"])
        if pod is None:
            raise NoLogs(404, f"pod {quote(place['pod'])} does not exist")
        run = find_run(pod, place["container"], previous=options.previous)
        try:
            return self._sources.open(pod, run)
        except NotFound:
            raise NoLogs(400, f"unable to retrieve container logs for {run.container_id}") from None

    async def _answer(self, request: web.Request, source: LogSource, options: LogOptions) -> web.StreamResponse:
        reader = LogReader(source, options, self._now)
        try:
            await reader.open()
        except NotFound as error:
            raise NoLogs(400, f"unable to retrieve container logs: {error}") from error
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        try:
            await reader.send(response.write)
        except PeerError as error:
            _log.warning("log broke off", path=request.path, error=str(error))
            _abort(request)
        return response


def _abort(request: web.Request) -> None:
    """Drop the connection: a log that ended early must not look whole."""
    if request.transport is not None:
        request.transport.abort()
