"""Proxies between vnode and both servers of a bed, in a thread of their own: tests of the bed are synchronous."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import aiohttp
import yaml

from tests.bench import nomad
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.certificates import Pair
from tests.faults.director import Director
from tests.faults.proxy import Proxy, serving
from tests.faults.routes import Peer

_LOOPBACK = "127.0.0.1"
_START_SECONDS = 10.0


@dataclass(frozen=True)
class Between:
    """What vnode is told instead of the servers' addresses, and the director of what happens on the way."""

    director: Director
    kubeconfig: Path
    nomad_address: str
    _proxies: tuple[Proxy, ...]
    _loop: asyncio.AbstractEventLoop

    def cut_streams(self) -> None:
        """Reset every stream that is open now, so that the next one meets the plan of now."""
        for proxy in self._proxies:
            self._loop.call_soon_threadsafe(proxy.cut_streams)


@contextmanager
def between(bed: Bed, director: Director) -> Iterator[Between]:
    """Run the proxies until the block ends."""
    running: Future[Between] = Future()
    stop: Future[None] = Future()
    thread = Thread(target=asyncio.run, args=(_run(bed, director, running, stop),), name="fault proxies")
    thread.start()
    try:
        yield running.result(_START_SECONDS)
    finally:
        stop.set_result(None)
        thread.join()


async def _run(bed: Bed, director: Director, running: "Future[Between]", stop: "Future[None]") -> None:
    try:
        async with _proxies(bed, director) as started:
            running.set_result(started)
            await asyncio.wrap_future(stop)
    except Exception as problem:
        if not running.done():
            running.set_exception(problem)
        raise


@asynccontextmanager
async def _proxies(bed: Bed, director: Director) -> AsyncIterator[Between]:
    ports = bed.free_port(), bed.free_port()
    async with AsyncExitStack() as stack:
        kubernetes = Proxy(
            Peer.KUBERNETES,
            await stack.enter_async_context(_upstream(bed.control_plane.address, _to_kubernetes(bed))),
            director,
        )
        jobs = Proxy(
            Peer.NOMAD, await stack.enter_async_context(_upstream(bed.nomad.address, nomad.tls(bed))), director
        )
        await stack.enter_async_context(serving(kubernetes, _LOOPBACK, ports[0], _as_kubernetes(bed)))
        await stack.enter_async_context(serving(jobs, _LOOPBACK, ports[1], _as_nomad(bed)))
        scheme = bed.nomad.address.partition(":")[0]
        yield Between(
            director,
            _kubeconfig(bed, f"https://{_LOOPBACK}:{ports[0]}"),
            f"{scheme}://{_LOOPBACK}:{ports[1]}",
            (kubernetes, jobs),
            asyncio.get_running_loop(),
        )


def _upstream(address: str, tls: ssl.SSLContext | None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        address,
        connector=aiohttp.TCPConnector(limit=0, ssl=True if tls is None else tls),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        trust_env=False,
    )


def _to_kubernetes(bed: Bed) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(bed.control_plane.authority.certificate))
    if bed.profile == "plain":
        # There vnode is the administrator, whose certificate ends at the proxy.
        _show(context, bed.control_plane.admin)
    return context


def _as_kubernetes(bed: Bed) -> ssl.SSLContext:
    return _serving(bed.control_plane.authority.issue("fault-proxy", "fault-proxy", names=(_LOOPBACK,)))


def _as_nomad(bed: Bed) -> ssl.SSLContext | None:
    security = bed.nomad.security
    if security is None:
        return None
    context = _serving(security.server)
    context.load_verify_locations(security.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _serving(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _show(context, pair)
    return context


def _show(context: ssl.SSLContext, pair: Pair) -> None:
    context.load_cert_chain(pair.certificate, pair.key)


def _kubeconfig(bed: Bed, server: str) -> Path:
    content = yaml.safe_load(bed.vnode_kubeconfig.read_text())
    content["clusters"][0]["cluster"]["server"] = server
    file = bed.directory / "kubeconfigs" / "through-faults.yaml"
    file.write_text(yaml.safe_dump(content))
    file.chmod(0o600)
    return file
