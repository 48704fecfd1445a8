"""/portForward/{namespace}/{pod}[/{uid}]: what `kubectl port-forward` ends up at."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from aiohttp import web

from translators.records.pods import Pod
from vnode.errors import PeerError
from vnode.kubelet.directory import PodDirectory
from vnode.kubelet.forwarded_connections import (
    ByteStream,
    ConnectionReset,
    Dialer,
    ForwardedConnection,
    OpenForwardedConnections,
    PortUnreachable,
)
from vnode.kubelet.log_target import quote
from vnode.kubelet.upgrade import UpgradeRefused

_log = structlog.get_logger(__name__)

#: Clients at once, and connections of all of them at once: each needs a descriptor or two.
MOST_FORWARDS = 200
MOST_CONNECTIONS = 1000


class PortForward:
    """Carries connections of clients into Pods until the client leaves; the end of one harms no other."""

    def __init__(
        self,
        directory: PodDirectory,
        opener: OpenForwardedConnections,
        dialer: Dialer,
        *,
        most_forwards: int = MOST_FORWARDS,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        self._directory = directory
        self._open = opener
        self._dialer = dialer
        self._forwards = Places(most_forwards)
        self._connections = Places(most_connections)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Judge the request, then forward."""
        place = request.match_info
        pod = self._directory.pod(place["namespace"], place["pod"])
        if pod is None or place.get("uid", pod.uid) != pod.uid:
            return web.Response(status=404, text=f"pod {quote(place['pod'])} does not exist")
        if pod.status.phase != "Running":
            text = f"pod {quote(place['pod'])} is not running: its phase is {pod.status.phase or 'Pending'}"
            return web.Response(status=400, text=text)
        try:
            with self._forwards.take():
                return await self._forward(request, pod)
        except UpgradeRefused as refused:
            return refused.response
        except NoPlace:
            text = f"{self._forwards.number} clients of this node forward ports already; end one and try again"
            return web.Response(status=429, text=text)

    async def _forward(self, request: web.Request, pod: Pod) -> web.StreamResponse:
        async with self._open(request) as connections, asyncio.TaskGroup() as tasks:
            async for connection in connections:
                tasks.create_task(self._carry(pod, connection))
        return connections.response

    async def _carry(self, pod: Pod, connection: ForwardedConnection) -> None:
        """Carry one connection; whatever happens to it stays with it."""
        try:
            with self._connections.take():
                await self._into_the_pod(pod, connection)
        except PortUnreachable as error:
            await connection.fail(f"error forwarding port {connection.port} to pod {_named(pod)}: {error}")
        except PeerError as error:
            _log.warning("a port cannot be forwarded", pod=pod.metadata.name, port=connection.port, error=str(error))
            await connection.fail(f"error forwarding port {connection.port} to pod {_named(pod)}: {error}")
        except NoPlace:
            text = f"this node carries {self._connections.number} forwarded connections already"
            await connection.fail(f"error forwarding port {connection.port} to pod {_named(pod)}: {text}")
        finally:
            await connection.close()

    async def _into_the_pod(self, pod: Pod, connection: ForwardedConnection) -> None:
        try:
            async with self._dialer.dial(pod, connection.port) as inside:
                await splice(connection, inside)
        except ConnectionReset as error:
            _log.debug("a forwarded connection broke off", pod=pod.metadata.name, error=str(error))


async def splice(one: ByteStream, other: ByteStream) -> None:
    """Copy in both directions, each to its own end. Raises what either side breaks off with."""
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_copy(one, other))
            tasks.create_task(_copy(other, one))
    except* (ConnectionReset, PortUnreachable) as group:
        broken = group.exceptions[0]
    else:
        return
    raise broken


async def _copy(source: ByteStream, target: ByteStream) -> None:
    while data := await source.read():
        await target.write(data)
    await target.write_eof()


class NoPlace(Exception):
    """All places are taken."""


class Places:
    """Counts who is there."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._taken = 0

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold a place for the length of the block. Raises NoPlace at once."""
        if self._taken >= self.number:
            raise NoPlace
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


def _named(pod: Pod) -> str:
    return f"{pod.metadata.name}, uid {pod.uid}"
