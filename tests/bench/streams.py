"""(g): how fast exec begins, and how fast bytes go, beside Nomad's own command line and a real kubelet.

kubectl, API server, image and command are the same for the virtual Node and the real one, and rounds alternate.
"""

import asyncio
import os
import socket
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.bench.errors import MeasurementError
from tests.bench.site import Site
from tests.bench.workload import NODE
from tests.e2e.bed.binaries import binary
from tests.e2e.bed.processes import system_path, wait_until
from tests.e2e.bed.real_node import real_node
from tests.e2e.forwarding import forwarding
from tests.e2e.kubectls_of_users import Kubectl
from tests.e2e.manifests import container, pod
from tests.e2e.namespace import LATER, Namespace

_STARTS, _ROUNDS = 15, 3
_BYTES, _LOG_BYTES = 100_000_000, 8_000_000
_PORT = 7000
_VIRTUAL, _REAL = "virtual", "real"
_PIECE = 1 << 20
_LINE = "a line of a log, as long as most of them are in real life, or so"
#: Docker keeps 4 MB of what Nomad's collector did not read yet, and drops the rest: so it is written in pieces.
_PIECES = 80
_SCRIPT = f"""\
for piece in $(seq {_PIECES}); do yes '{_LINE}' | head -c {_LOG_BYTES // _PIECES}; echo; sleep 0.1; done
exec busybox nc -ll -p {_PORT} -e head -c {_BYTES} /dev/zero
"""


@dataclass(frozen=True)
class Throughput:
    """Bytes a second of the same command on both Nodes, medians."""

    virtual: float
    real: float


@dataclass(frozen=True)
class Streams:
    """`starts` are median seconds of `true`: kubectl exec, nomad alloc exec, and kubectl exec on the real Node."""

    starts: tuple[float, float, float]
    stdout: Throughput
    logs: Throughput
    forward: Throughput


async def measure(site: Site) -> Streams:
    """Run two Pods that differ in their Node alone."""
    async with site.vnode():
        return await asyncio.to_thread(_measure, site)


def _measure(site: Site) -> Streams:
    with real_node(site.bed) as real, Namespace.created(site.bed, "streams") as namespace:
        main = container(_SCRIPT, ports=[{"containerPort": _PORT}])
        for name, node in ((_VIRTUAL, NODE), (_REAL, real.name)):
            namespace.create(pod(name, main, node=node, driver="docker", terminationGracePeriodSeconds=1))
        for name in (_VIRTUAL, _REAL):
            namespace.wait_ready(name, within=LATER)
        for name in (_VIRTUAL, _REAL):
            wait_until(f"the log of {name}", partial(_logged, namespace, name), within=LATER)
        return Streams(
            _starts(site, namespace),
            _throughput(lambda name: _exec(namespace, name)),
            _throughput(lambda name: _log(namespace, name)),
            _throughput(lambda name: _forwarded(namespace, name)),
        )


def _logged(namespace: Namespace, name: str) -> bool:
    return _log(namespace, name) > _LOG_BYTES


def _starts(site: Site, namespace: Namespace) -> tuple[float, float, float]:
    nomad = site.bed.nomad
    allocation = namespace.allocations(namespace.pod(_VIRTUAL))[-1]["ID"]
    environment = {**nomad.environment(nomad.management_token), "PATH": system_path()}
    alloc_exec = [str(binary("nomad")), "alloc", "exec", "-i=false", "-t=false", "-task=main", allocation, "true"]
    kubectl = Kubectl()
    ways: tuple[Callable[[], int], ...] = (
        lambda: kubectl.run(namespace, "exec", _VIRTUAL, "--", "true").returncode,
        lambda: subprocess.run(alloc_exec, env=environment, capture_output=True, check=False).returncode,
        lambda: kubectl.run(namespace, "exec", _REAL, "--", "true").returncode,
    )
    taken: tuple[list[float], ...] = ([], [], [])
    for _ in range(_STARTS):
        for way, seconds in zip(ways, taken, strict=True):
            began = time.monotonic()
            if code := way():
                raise MeasurementError(f"an exec of true ended with {code}")
            seconds.append(time.monotonic() - began)
    ours, nomads, real = (statistics.median(seconds) for seconds in taken)
    return ours, nomads, real


def _throughput(read: Callable[[str], int]) -> Throughput:
    """Bytes a second that `read` gets from each of the two Pods."""
    rates: dict[str, list[float]] = {_VIRTUAL: [], _REAL: []}
    for _ in range(_ROUNDS):
        for name, found in rates.items():
            began = time.monotonic()
            found.append(read(name) / (time.monotonic() - began))
    return Throughput(statistics.median(rates[_VIRTUAL]), statistics.median(rates[_REAL]))


def _exec(namespace: Namespace, name: str) -> int:
    return _whole(_read(namespace, "exec", name, "--", "head", "-c", str(_BYTES), "/dev/zero"))


def _log(namespace: Namespace, name: str) -> int:
    return _read(namespace, "logs", name)


def _read(namespace: Namespace, *arguments: str) -> int:
    with Kubectl().beside(namespace, *arguments) as process:
        if process.stdout is None:
            return 0
        return _count(partial(os.read, process.stdout.fileno()))


def _forwarded(namespace: Namespace, name: str) -> int:
    """Includes the start of kubectl, as the others do."""
    with (
        forwarding(namespace, name, f":{_PORT}") as forward,
        socket.create_connection(("127.0.0.1", forward.port(_PORT)), timeout=LATER) as connection,
    ):
        return _whole(_count(connection.recv))


def _count(read: Callable[[int], bytes]) -> int:
    number = 0
    while data := read(_PIECE):
        number += len(data)
    return number


def _whole(number: int) -> int:
    if number != _BYTES:
        raise MeasurementError(f"{number} bytes came of {_BYTES}")
    return number
