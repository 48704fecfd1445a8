"""`kubectl port-forward` over both of its protocols, through the real API server, into real allocations."""

import hashlib
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.bed import kubectls
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.forwarding import forwarding
from tests.e2e.manifests import container, pod, settings
from tests.e2e.namespace import SOON, Namespace

_KUBECTLS = [None, *kubectls.VERSIONS]
#: Two programs in one: one answers at once, the other says nothing before the client has closed its half.
_PROGRAM = """
import hashlib, os, socketserver

class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(1 << 18):
            self.request.sendall(data)

class Digest(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(hashlib.sha256(self.rfile.read()).hexdigest().encode())

class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 100

name = os.environ["NOMAD_TASK_NAME"]
Server(("", int(os.environ["NOMAD_PORT_" + name])), {"echo": Echo, "digest": Digest}[name]).serve_forever()
"""
_BIG = 100_000_000


@pytest.fixture(scope="module")
def pods(vnode: VnodeProcess, namespaces: Namespaces) -> Iterator[Namespace]:
    """Programs on the host's network and in a bridge."""
    vnode.child.must_live()
    with namespaces() as namespace:
        namespace.create(
            pod(
                "host",
                _program("echo", 7000),
                _program("digest", 7001),
            ),
            pod(
                "bridge",
                container("exec busybox nc -ll -p 7000 -e cat", ports=[{"containerPort": 7000}]),
                driver="docker",
            ),
            # A network that nothing outside knows of: only a relay gets in.
            pod("apart", "busybox nc -ll -p 7000 -e cat & exec sleep 3600", driver="docker"),
            pod("waits", "exit 0", annotations=settings(constraints="${meta.rack} = nowhere")),
        )
        for name in ("host", "bridge", "apart"):
            namespace.wait_ready(name)
        yield namespace


def _program(name: str, port: int) -> dict[str, object]:
    """A program on this machine; its port has the container's name."""
    return container(command=[sys.executable, "-c", _PROGRAM], name=name, ports=[{"name": name, "containerPort": port}])


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
            received = list(threads.map(lambda data: exchange(port, data), sent))
        assert [len(data) for data in received] == [len(data) for data in sent], forward.text
        assert received == sent
        assert exchange(digest, sent[0]).decode() == hashlib.sha256(sent[0]).hexdigest()
        assert exchange(port, b"it goes on") == b"it goes on"


def test_websockets_are_handed_on_to_the_node(pods: Namespace) -> None:
    node = pods.bed.control_plane.api("/api/v1/nodes/nomad")
    assert node["status"]["declaredFeatures"] == ["ExtendWebSocketsToKubelet"]


def test_a_port_of_a_bridge(pods: Namespace) -> None:
    with forwarding(pods, "bridge", ":7000") as forward:
        assert exchange(forward.port(7000), b"hello") == b"hello"


@pytest.mark.parametrize("websockets", [True, False], ids=["websocket", "spdy"])
def test_a_port_that_only_the_pod_itself_reaches(pods: Namespace, *, websockets: bool) -> None:
    sent = [os.urandom(200_000) for _ in range(20)]
    with forwarding(pods, "apart", ":7000", websockets=websockets) as forward:
        port = forward.port(7000)
        with ThreadPoolExecutor(20) as threads:
            received = list(threads.map(lambda data: exchange(port, data), sent))
        assert [len(data) for data in received] == [len(data) for data in sent], forward.text
        assert received == sent


def test_a_port_where_nobody_listens_in_the_pod_itself(pods: Namespace) -> None:
    with forwarding(pods, "apart", ":9") as forward:
        exchange(forward.port(9), b"")
        said = forward.says("an error occurred forwarding", "refused")
    assert re.search(r"error forwarding port 9 to pod apart, uid [0-9a-f-]+: port 9 in container main: nc: ", said)


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
