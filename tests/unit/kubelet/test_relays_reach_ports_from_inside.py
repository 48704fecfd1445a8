"""A relay is a program in the Pod's container; Nomad is the test's own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from tests.unit.kubelet.api import running_pod
from translators.port_addresses import Placement, has_own_network
from translators.records.pods import ContainerPort, Pod, PodUid
from vnode.errors import Unavailable
from vnode.kubelet.dialing import DirectDialer
from vnode.kubelet.forwarded_connections import ConnectionReset, PortUnreachable
from vnode.kubelet.port_forward import splice
from vnode.kubelet.relay import RelayDialer
from vnode.nomad.exec_frames import OutputStream
from vnode.nomad.task_place import TaskPlace

_ALLOCATION = "0f0e0d0c-0b0a-0908-0706-050403020100"


@dataclass
class Program:
    """A program that has said all that it will say."""

    pieces: list[Sequence[tuple[OutputStream, bytes]]]
    exits: int = 0
    code: int | None = None
    broken: bool = False
    place: TaskPlace | None = None
    command: Sequence[str] = ()
    heard: list[bytes | None] = field(default_factory=list)

    @asynccontextmanager
    async def start(
        self, place: TaskPlace, command: Sequence[str], *, stdin: bool, tty: bool
    ) -> AsyncIterator["Program"]:
        assert (stdin, tty) == (True, False)
        self.place, self.command = place, command
        yield self

    async def read(self) -> Sequence[tuple[OutputStream, bytes]]:
        if self.broken:
            raise Unavailable("Nomad is away")
        if self.pieces:
            return self.pieces.pop(0)
        self.code = self.exits
        return ()

    async def write_stdin(self, data: bytes) -> None:
        if self.broken:
            raise Unavailable("Nomad is away")
        self.heard.append(data)

    async def close_stdin(self) -> None:
        self.heard.append(None)

    async def resize(self, width: int, height: int) -> None:
        raise NotImplementedError


def _pod(*, declares: bool = False, host_network: bool = False) -> Pod:
    pod = running_pod()
    main, *others = pod.spec.containers
    ports = (ContainerPort(container_port=80),) if declares else ()
    status = replace(pod.status.container_statuses[0], container_id=f"nomad://{_ALLOCATION}/web/0")
    spec = replace(pod.spec, containers=(replace(main, ports=ports), *others), host_network=host_network)
    return replace(pod, spec=spec, status=replace(pod.status, container_statuses=(status,)))


async def test_bytes_go_both_ways_and_each_way_ends_by_itself() -> None:
    program = Program([[("stdout", b"one"), ("stderr", b"chatter"), ("stdout", b"two")], [("stdout", b"three")]])
    async with RelayDialer(program).dial(_pod(), 8080) as connection:
        await connection.write(b"hello")
        await connection.write_eof()
        assert [await connection.read() for _ in range(3)] == [b"onetwo", b"three", b""]
    assert program.heard == [b"hello", None]
    assert program.place == TaskPlace(_ALLOCATION, "web", "docker")
    assert program.command[-1] == "8080"


@pytest.mark.parametrize(
    ("code", "said", "words"),
    [
        (1, b"nc: can't connect to remote host (127.0.0.1):\n Connection refused", "Connection refused"),
        (127, b"", "neither nc nor socat: declare it as containerPort"),
        (3, b"", "exit code 3"),
    ],
)
async def test_a_program_that_cannot_connect_says_why(code: int, said: bytes, words: str) -> None:
    program = Program([[("stderr", said)]] if said else [], exits=code)
    async with RelayDialer(program).dial(_pod(), 80) as connection:
        with pytest.raises(PortUnreachable, match=words):
            await connection.read()


async def test_what_breaks_while_it_is_carried_is_told_to_whoever_carries_it() -> None:
    program, client = Program([], exits=1), Program([])
    async with RelayDialer(program).dial(_pod(), 80) as inside, RelayDialer(client).dial(_pod(), 80) as outside:
        with pytest.raises(PortUnreachable):
            await splice(outside, inside)


async def test_an_end_after_an_answer_is_an_end() -> None:
    program = Program([[("stdout", b"bye")]], exits=1)
    async with RelayDialer(program).dial(_pod(), 80) as connection:
        assert [await connection.read(), await connection.read()] == [b"bye", b""]
        with pytest.raises(ConnectionReset):
            await connection.write(b"too late")


async def test_nomad_away_resets_the_connection() -> None:
    program = Program([], broken=True)
    async with RelayDialer(program).dial(_pod(), 80) as connection:
        with pytest.raises(ConnectionReset, match="away"):
            await connection.read()
        with pytest.raises(ConnectionReset, match="away"):
            await connection.write(b"hello")


async def test_a_container_that_does_not_run_is_not_entered() -> None:
    pod = replace(_pod(), status=replace(_pod().status, container_statuses=()))
    program = Program([])
    with pytest.raises(PortUnreachable, match="not running"):
        async with RelayDialer(program).dial(pod, 80):
            pass
    assert program.place is None


@pytest.mark.parametrize(("host_network", "relayed"), [(False, True), (True, False)])
async def test_a_pod_on_the_hosts_network_is_never_entered(*, host_network: bool, relayed: bool) -> None:
    program = Program([])

    def nowhere(_: PodUid) -> Placement | None:
        return None

    dialer = DirectDialer(nowhere, default_driver="docker", routable=False, inside=RelayDialer(program))
    pod = _pod(declares=True, host_network=host_network)
    assert has_own_network(pod, default_driver="docker") is relayed
    try:
        async with asyncio.timeout(5), dialer.dial(pod, 80):
            pass
    except PortUnreachable:
        assert not relayed
    assert (program.place is not None) is relayed
