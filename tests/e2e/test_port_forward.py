"""`kubectl port-forward` over both of its protocols, through the real API server, into real allocations."""

import hashlib
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import container, pod, settings
from tests.e2e.namespace import SOON, Namespace

_KUBECTLS = [None, "1.29", "1.37"]
_ECHO = "exec busybox nc -ll -p {} -e cat"
#: Says nothing before the client has closed its half.
_DIGEST = "exec busybox nc -ll -p {} -e sha256sum"
_BIG = 100_000_000


@pytest.fixture(scope="module")
def pods(vnode: VnodeProcess, namespaces: Namespaces) -> Iterator[Namespace]:
    """Programs on the host's network and in a bridge."""
    vnode.child.must_live()
    with namespaces() as namespace:
        namespace.create(
            pod(
                "host",
                container(_ECHO.format("$NOMAD_PORT_echo"), ports=[{"name": "echo", "containerPort": 7000}]),
                container(
                    _DIGEST.format("$NOMAD_PORT_digest"),
                    name="second",
                    ports=[{"name": "digest", "containerPort": 7001}],
                ),
            ),
            pod("bridge", container(_ECHO.format(7000), ports=[{"containerPort": 7000}]), driver="docker"),
            pod("waits", "exit 0", annotations=settings(constraints="${meta.rack} = nowhere")),
        )
        for name in ("host", "bridge"):
            namespace.wait_ready(name)
        yield namespace


class Forward:
    """A running `kubectl port-forward`, and what it said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        if self.process.stdout is not None:
            self.said.extend(iter(self.process.stdout.readline, ""))

    @property
    def text(self) -> str:
        return "".join(self.said)

    def port(self, remote: int) -> int:
        """The local port of a forwarded one."""

        def find() -> int | None:
            found = re.search(rf"Forwarding from 127\.0\.0\.1:(\d+) -> {remote}\b", self.text)
            return int(found[1]) if found else None

        return wait_until(f"kubectl to forward {remote} (it said {self.text!r})", find, within=SOON)

    def says(self, *words: str) -> str:
        """Wait until it has said all these words."""
        wait_until(f"kubectl to say {words}", lambda: all(word in self.text for word in words), within=SOON)
        return self.text


@contextmanager
def forwarding(
    namespace: Namespace, pod_name: str, *ports: str, version: str | None = None, websockets: bool = True
) -> Iterator[Forward]:
    with namespace.bed.kubectl_process(
        "port-forward",
        f"pod/{pod_name}",
        *ports,
        f"--namespace={namespace.name}",
        version=version,
        environment={"KUBECTL_PORT_FORWARD_WEBSOCKETS": str(websockets).lower()},
    ) as process:
        yield Forward(process)


def exchange(port: int, data: bytes) -> bytes:
    """Send all, close our half, and read what comes meanwhile and after."""
    with socket.create_connection(("127.0.0.1", port), timeout=SOON) as connection:
        sender = threading.Thread(target=_send, args=(connection, data))
        sender.start()
        received = bytearray()
        while piece := connection.recv(1 << 18):
            received += piece
        sender.join()
    return bytes(received)


def _send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("websockets", [True, False], ids=["websocket", "spdy"])
@pytest.mark.parametrize("version", _KUBECTLS)
def test_twenty_connections_at_once(pods: Namespace, version: str | None, *, websockets: bool) -> None:
    sent = [os.urandom(200_000) for _ in range(20)]
    with forwarding(pods, "host", ":7000", ":7001", version=version, websockets=websockets) as forward:
        port, digest = forward.port(7000), forward.port(7001)
        with ThreadPoolExecutor(20) as threads:
            assert list(threads.map(lambda data: exchange(port, data), sent)) == sent
        assert exchange(digest, sent[0]).split()[0].decode() == hashlib.sha256(sent[0]).hexdigest()
        assert exchange(port, b"it goes on") == b"it goes on"


def test_a_port_of_a_bridge(pods: Namespace) -> None:
    with forwarding(pods, "bridge", ":7000") as forward:
        assert exchange(forward.port(7000), b"hello") == b"hello"


def test_a_hundred_megabytes_both_ways(pods: Namespace) -> None:
    data = os.urandom(1_000_000) * (_BIG // 1_000_000)
    with forwarding(pods, "host", ":7000") as forward:
        received = exchange(forward.port(7000), data)
    assert hashlib.sha256(received).digest() == hashlib.sha256(data).digest()


def test_a_port_where_nobody_listens(pods: Namespace) -> None:
    with forwarding(pods, "host", ":9") as forward:
        exchange(forward.port(9), b"")
        said = forward.says("an error occurred forwarding", "connection refused")
    assert re.search(r"error forwarding port 9 to pod host, uid [0-9a-f-]+: dial tcp [0-9.]+:9: ", said)


def test_a_pod_that_does_not_run(pods: Namespace) -> None:
    answer = pods.kubectl("port-forward", "pod/waits", ":7000", check=False)
    assert "pod is not running. Current status=Pending" in answer.stderr
