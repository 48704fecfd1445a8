"""Sessions by the hundred: nothing of them is left, and whoever comes too late is told while Pods start as ever."""

import asyncio
import itertools
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import channels
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.kubectls_of_users import Kubectl
from tests.e2e.manifests import container, pod
from tests.e2e.namespace import LATER, SOON, Namespace

#: Exec sessions and logs of a vnode that was told nothing else.
_LIMIT = 48
_COMMANDS, _FORWARDS = 200, 50
_PORT = 7100
#: Descriptors that come and go whatever is done.
_SLACK = 10
_OUTPUT, _STATUS = 1, 3
#: Arguments of `sleep` that nobody else has.
_SECONDS = itertools.count(os.getpid() * 1000 + 500)


@pytest.fixture(scope="module")
def pods(vnode: VnodeProcess, namespaces: Namespaces) -> Iterator[Namespace]:
    vnode.child.must_live()
    with namespaces() as namespace:
        namespace.create(pod("raw", "exec sleep 3600", terminationGracePeriodSeconds=1))
        namespace.wait_ready("raw")
        yield namespace


async def test_one_command_too_many_is_told_while_twenty_pods_start_as_ever(pods: Namespace) -> None:
    seconds = str(next(_SECONDS))
    alone = await asyncio.to_thread(_start_twenty, pods, "alone")
    async with channels.commands(pods, "raw", _LIMIT + 2, "sleep", seconds) as sessions:
        refused: asyncio.Queue[str] = asyncio.Queue()
        async with asyncio.TaskGroup() as tasks:
            hearing = [tasks.create_task(_hear(session, refused)) for session in sessions]
            for _ in range(2):
                assert "http_max_conns_per_client" in await refused.get()
            beside = await asyncio.to_thread(_start_twenty, pods, "beside")
            assert len(_running(seconds)) == _LIMIT
            assert refused.empty()
            for task in hearing:
                task.cancel()
    print(f"twenty Pods started within {beside:.1f} s beside {_LIMIT} sessions, within {alone:.1f} s without")
    assert beside < 3 * alone + 20
    wait_until("all commands to be gone", lambda: not _running(seconds), within=LATER)


@pytest.mark.timeout(400, func_only=True)
async def test_two_hundred_commands_and_fifty_forwards_leave_nothing_behind(bed: Bed, namespaces: Namespaces) -> None:
    wide = f"--nomad-streams={_COMMANDS + 20}"
    with (
        bed.nomad.answering(_COMMANDS + 150),
        bed.vnode("--node-pool=all", wide, node_name="wide") as vnode,
        namespaces() as namespace,
    ):
        listens = container(f"exec busybox nc -ll -p {_PORT} -e cat", ports=[{"containerPort": _PORT}])
        namespace.create(
            pod("raw", "exec sleep 3600", node="wide", terminationGracePeriodSeconds=1),
            pod("listens", listens, node="wide", driver="docker", terminationGracePeriodSeconds=1),
        )
        for name in ("raw", "listens"):
            namespace.wait_ready(name)
        # What a first session opens for good is no leak.
        assert Kubectl().run(namespace, "exec", "raw", "--", "true").returncode == 0
        descriptors, seconds = _descriptors(vnode), str(next(_SECONDS))
        async with (
            channels.commands(namespace, "raw", _COMMANDS, "sleep", seconds),
            channels.forwards(namespace, "listens", _FORWARDS, _PORT) as forwards,
        ):
            await asyncio.gather(*(_echo(forward) for forward in forwards))
            await asyncio.to_thread(
                wait_until, "all commands", lambda: len(_running(seconds)) == _COMMANDS, within=LATER
            )
            print(f"{_descriptors(vnode) - descriptors} descriptors more")
        began = time.monotonic()
        _wait_until_nothing_is_left(seconds, vnode, descriptors)
        print(f"nothing was left {time.monotonic() - began:.1f} s later")
        assert "may be left" not in vnode.log.read_text()
    bed.kubectl("delete", "node", "wide")


async def test_the_python_client(pods: Namespace) -> None:
    """`kubernetes.stream` and its asynchronous sister say what is said here; the exit code is in the Status."""
    async with channels.commands(pods, "raw", 1, "sh", "-c", "echo out; exit 7") as (session,):
        assert await channels.payload(session) == (_OUTPUT, b"out\n")
        channel, status = await channels.payload(session)
        assert channel == _STATUS
        assert b'"reason":"ExitCode","message":"7"' in status


def _start_twenty(pods: Namespace, name: str) -> float:
    """Seconds until twenty Pods are Ready; they are deleted again."""
    names = [f"{name}-{number}" for number in range(20)]
    started = time.monotonic()
    pods.create(*(pod(each, "exec sleep 600", terminationGracePeriodSeconds=1) for each in names))
    for each in names:
        pods.wait_ready(each, within=LATER)
    took = time.monotonic() - started
    for each in names:
        pods.delete(each)
    return took


async def _hear(session: channels.Session, ends: asyncio.Queue[str]) -> None:
    """Tell how a command ended; nothing for a session that is left."""
    channel, said = await channels.payload(session)
    assert channel == _STATUS, said
    ends.put_nowait(said.decode())


async def _echo(forward: channels.Session) -> None:
    """Both channels of a port begin with its number; what is said on the first comes back on it."""
    told = {await channels.payload(forward) for _ in range(2)}
    assert told == {(channel, struct.pack("<H", _PORT)) for channel in (0, 1)}
    await forward.send_bytes(b"\0hello")
    assert await channels.payload(forward) == (0, b"hello")


def _wait_until_nothing_is_left(seconds: str, vnode: VnodeProcess, descriptors: int) -> None:
    wait_until("all commands to be gone", lambda: not _running(seconds), within=LATER)
    wait_until("vnode to close its sockets", lambda: _descriptors(vnode) <= descriptors + _SLACK, within=SOON)


def _running(seconds: str) -> list[str]:
    """Processes of this machine, which runs all tasks, that sleep for so long."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if arguments[:2] == [b"sleep", seconds.encode()]:
            found.append(file.parent.name)
    return found


def _descriptors(vnode: VnodeProcess) -> int:
    return len(list(Path(f"/proc/{vnode.child.pid}/fd").iterdir()))
