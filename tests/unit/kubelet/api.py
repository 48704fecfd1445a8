"""A whole kubelet API on loopback, with made-up answers of the Kubernetes API and made-up logs."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import aiohttp
import trustme
from prometheus_client import CollectorRegistry, Counter

from translators.records.allocations import Client
from translators.records.pods import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStatus,
    ObjectMeta,
    Pod,
    PodSpec,
    PodStatus,
)
from vnode.errors import NotFound, PeerError, Unavailable
from vnode.kubelet.application import build_application
from vnode.kubelet.attach import ContainerAttachments
from vnode.kubelet.authentication import Authenticator
from vnode.kubelet.authorization import Authorizer
from vnode.kubelet.certificate import Certificate
from vnode.kubelet.command_session import CommandStreamsOpener
from vnode.kubelet.commands import ContainerCommands, RunningCommand
from vnode.kubelet.directory import Extent, Segment
from vnode.kubelet.forward_session import ForwardedConnectionsOpener
from vnode.kubelet.forwarded_connections import ByteStream, Dialer, PortUnreachable
from vnode.kubelet.gate import gate
from vnode.kubelet.health import Introspection
from vnode.kubelet.log_options import Stream
from vnode.kubelet.log_slots import LogSlots
from vnode.kubelet.log_target import ContainerRun
from vnode.kubelet.logs import ContainerLogs
from vnode.kubelet.pods import PodLists
from vnode.kubelet.port_forward import PortForward
from vnode.kubelet.server import KubeletServer, serve
from vnode.kubelet.stats.handlers import Statistics
from vnode.kubelet.stats.measurements import Measurements
from vnode.kubelet.tls import TlsSource
from vnode.nomad.task_place import TaskPlace
from vnode.nomad.usage import AllocationUsage, ClientUsage, CpuUsage, MemoryUsage, ResourceUsage, TaskUsage

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
OLD = datetime(2026, 11, 23, 11, 0, 0, tzinfo=UTC)
WHOLE_RIGHT = "proxy"
_NANOSECONDS = int(NOW.timestamp()) * 10**9
T = TypeVar("T")


def running_pod(name: str = "shop", container: str = "web") -> Pod:
    status = ContainerStatus(
        name=container,
        container_id=f"nomad://{name}/{container}/0",
        state=ContainerState(running=ContainerStateRunning(started_at=OLD)),
    )
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}", creation_timestamp=OLD),
        spec=PodSpec(containers=(Container(name=container, image="busybox"), Container(name="idle"))),
        status=PodStatus(phase="Running", container_statuses=(status,)),
    )


@dataclass
class FakeKubernetes:
    """TokenReview by a table of token -> user, SubjectAccessReview by a set of (user, verb, subresource)."""

    tokens: dict[str, str] = field(default_factory=dict)
    rights: set[tuple[str, str, str]] = field(default_factory=set)
    client_authority: str = ""
    outage: PeerError | None = None
    asked: list[dict[str, object]] = field(default_factory=list)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,  # noqa: ARG002 - the protocol's
        body: bytes | None = None,
        content_type: str = "application/json",  # noqa: ARG002 - the protocol's
        within: float = 60.0,  # noqa: ARG002 - the protocol's
    ) -> bytes:
        await asyncio.sleep(0)
        if self.outage is not None:
            raise self.outage
        if method == "GET":
            assert path == "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
            return json.dumps({"data": {"client-ca-file": self.client_authority}}).encode()
        review = json.loads(body or b"")
        self.asked.append(review)
        if path == "/apis/authentication.k8s.io/v1/tokenreviews":
            return json.dumps({**review, "status": self._token_status(review["spec"]["token"])}).encode()
        assert path == "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        attributes = review["spec"]["resourceAttributes"]
        right = (review["spec"]["user"], attributes["verb"], attributes["subresource"])
        return json.dumps({**review, "status": {"allowed": right in self.rights}}).encode()

    def _token_status(self, token: str) -> dict[str, object]:
        if token not in self.tokens:
            return {"user": {}, "error": "invalid bearer token"}
        return {"authenticated": True, "user": {"username": self.tokens[token], "groups": ["system:authenticated"]}}


@dataclass
class FakeLog:
    """A `LogSource` over two byte strings, which `write` makes longer, until `end`."""

    history: dict[Stream, bytes] = field(default_factory=lambda: dict.fromkeys(Stream, b""))
    modified: datetime = OLD
    outage: PeerError | None = None
    breaks: PeerError | None = None
    unfollowed: bytes = b""
    reads: list[tuple[Stream, int, int]] = field(default_factory=list)
    followers: int = 0
    grown: asyncio.Condition = field(default_factory=asyncio.Condition)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def extent(self, stream: Stream) -> Extent:
        if self.outage is not None:
            raise self.outage
        size = len(self.history[stream])
        return Extent((Segment(start=0, end=size, modified=self.modified),) if size else ())

    async def read(self, stream: Stream, start: int, end: int) -> AsyncGenerator[bytes, None]:
        self.reads.append((stream, start, end))
        for at in range(start, end, 7):
            yield self.history[stream][at : min(at + 7, end)]

    async def follow(self, stream: Stream, start: int) -> AsyncGenerator[bytes, None]:
        await self._count_followers(+1)
        try:
            while True:
                async with self.grown:
                    while len(self.history[stream]) == start and self.breaks is None:
                        await self.grown.wait()
                if self.breaks is not None:
                    raise self.breaks
                chunk = self.history[stream][start:]
                start += len(chunk)
                yield chunk
        finally:
            await self._count_followers(-1)

    async def _count_followers(self, change: int) -> None:
        self.followers += change
        async with self.grown:
            self.grown.notify_all()

    async def ended(self) -> None:
        await self.over.wait()
        self.history[Stream.STDOUT] += self.unfollowed

    async def write(self, stream: Stream, data: bytes) -> None:
        self.history[stream] += data
        async with self.grown:
            self.grown.notify_all()

    async def break_off(self, error: PeerError) -> None:
        self.breaks = error
        async with self.grown:
            self.grown.notify_all()

    async def has_followers(self, number: int) -> None:
        async with self.grown:
            await self.grown.wait_for(lambda: self.followers == number)


@dataclass
class Everything:
    """Pods and their logs, by Pod name."""

    known: dict[str, Pod] = field(default_factory=dict)
    logs: dict[str, FakeLog] = field(default_factory=dict)

    def pod(self, namespace: str, name: str) -> Pod | None:
        return self.known.get(name) if namespace == "default" else None

    def pods(self) -> Iterable[Pod]:
        return self.known.values()

    def open(self, pod: Pod, run: ContainerRun) -> FakeLog:
        assert run.container_id.startswith("nomad://")
        if pod.metadata.name not in self.logs:
            raise NotFound("no such run")
        return self.logs[pod.metadata.name]


def task_usage(seconds: float, percent: float, rss: int = 2**20) -> TaskUsage:
    """What raw_exec measures, `seconds` after NOW."""
    return TaskUsage(
        resource_usage=ResourceUsage(
            cpu_stats=CpuUsage(percent=percent, measured=("System Mode", "User Mode", "Percent")),
            memory_stats=MemoryUsage(rss=rss, measured=("RSS", "Swap")),
        ),
        timestamp=int((NOW.timestamp() + seconds) * 1e9),
    )


@dataclass
class FakeUsage:
    """What is measured, by allocation and by client; a client's error is raised."""

    allocations: dict[str, AllocationUsage] = field(default_factory=dict)
    clients: dict[str, ClientUsage] = field(default_factory=dict)
    outage: PeerError | None = None
    asked: list[str] = field(default_factory=list)

    async def allocation_usage(self, allocation_id: str) -> AllocationUsage:
        return await self._answer(self.allocations, allocation_id)

    async def client_usage(self, client_id: str) -> ClientUsage:
        return await self._answer(self.clients, client_id)

    async def _answer(self, table: dict[str, T], key: str) -> T:
        self.asked.append(key)
        await asyncio.sleep(0)
        if self.outage is not None:
            raise self.outage
        if key not in table:
            raise NotFound(f"no {key}")
        return table[key]


class FakeRunner:
    """Nothing can be run here."""

    def start(
        self, place: TaskPlace, command: Sequence[str], *, stdin: bool, tty: bool
    ) -> AbstractAsyncContextManager[RunningCommand]:
        raise Unavailable(f"{place} cannot run {command} with {stdin} and {tty}")


@dataclass
class Serving:
    """A serving certificate that the test may replace."""

    certificate: Certificate
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def current(self) -> Certificate:
        self.asked.set()
        return self.certificate


@dataclass
class Authority:
    """A client authority that the test may replace."""

    pem: str
    outage: PeerError | None = None

    async def current(self) -> str:
        if self.outage is not None:
            raise self.outage
        return self.pem


class Unreachable:
    """A `Dialer` to nowhere."""

    def dial(self, pod: Pod, port: int) -> AbstractAsyncContextManager[ByteStream]:
        raise PortUnreachable(f"{pod.metadata.name} has no port {port}")


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def served_by(authority: trustme.CA) -> Certificate:
    leaf = authority.issue_cert("127.0.0.1")
    return Certificate(b"".join(blob.bytes() for blob in leaf.cert_chain_pems), leaf.private_key_pem.bytes())


@dataclass
class Api:
    """What a test holds of a running API."""

    server: KubeletServer
    kubernetes: FakeKubernetes
    everything: Everything
    serving: Serving
    authority: Authority
    serving_authority: trustme.CA
    clock: list[float]
    trouble: list[str]
    usage: FakeUsage
    stop: Callable[[], Awaitable[None]]

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server.port}"

    def trust(self, *, client: trustme.LeafCert | None = None, authority: trustme.CA | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        (authority or self.serving_authority).configure_trust(context)
        if client is not None:
            client.configure_cert(context)
        return context

    @asynccontextmanager
    async def get(
        self,
        path: str,
        *,
        token: str | None = None,
        client: trustme.LeafCert | None = None,
        authority: trustme.CA | None = None,
        method: str = "GET",
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        connector = aiohttp.TCPConnector(ssl=self.trust(client=client, authority=authority))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, self.url + path, headers=headers) as answer,
        ):
            yield answer

    async def text(
        self,
        path: str,
        *,
        token: str | None = None,
        client: trustme.LeafCert | None = None,
        authority: trustme.CA | None = None,
        method: str = "GET",
    ) -> tuple[int, str]:
        async with self.get(path, token=token, client=client, authority=authority, method=method) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def running_api(
    *,
    serving: trustme.CA,
    clients: trustme.CA,
    slots: int = 40,
    dialer: Dialer | None = None,
    now: Callable[[], datetime] = lambda: NOW,
    refreshed_every: float = 3600,
) -> AsyncIterator[Api]:
    """Alice may do everything, bob nothing; the Pod `shop` has a log."""
    kubernetes = FakeKubernetes(tokens={"alices": "alice", "bobs": "bob"})
    kubernetes.rights = {
        ("alice", verb, right) for verb in ("get", "create") for right in ("proxy", "metrics", "stats")
    }
    everything = Everything({"shop": running_pod()}, {"shop": FakeLog()})
    clock, trouble, usage = [0.0], [""], FakeUsage()
    registry = CollectorRegistry()
    Counter("vnode_things", "Things.", registry=registry).inc()
    application = build_application(
        gate(Authenticator(kubernetes, lambda: clock[0]), Authorizer(kubernetes, "nomad", lambda: clock[0])),
        logs=ContainerLogs(everything, everything, LogSlots(slots), now),
        commands=ContainerCommands(everything, FakeRunner(), CommandStreamsOpener(), lambda _pod, _container: "docker"),
        attachments=ContainerAttachments(everything, everything, LogSlots(slots), CommandStreamsOpener()),
        port_forward=PortForward(everything, ForwardedConnectionsOpener(), dialer or Unreachable()),
        pods=PodLists(everything),
        introspection=Introspection(
            registry=registry, configuration={"kind": "KubeletConfiguration"}, trouble=lambda: trouble[0]
        ),
        statistics=Statistics(
            "nomad",
            Measurements(
                usage,
                everything,
                lambda: [Client(id="c1", status="ready")],
                clock=lambda: clock[0],
                now=lambda: _NANOSECONDS,
            ),
        ),
    )
    certificate, authority = Serving(served_by(serving)), Authority(pem(clients))
    async with AsyncExitStack() as stack:
        serving_api = serve(
            application,
            TlsSource(certificate, authority),
            host="127.0.0.1",
            port=0,
            refreshed_every=refreshed_every,
        )
        server = await stack.enter_async_context(serving_api)
        yield Api(server, kubernetes, everything, certificate, authority, serving, clock, trouble, usage, stack.aclose)


OUTAGE = Unavailable("POST: connection refused")
