"""Reaches a port of a Pod from inside: a program in its container copies what we send to the port, and back.

For Pods with a network of their own, where a port that is not declared, or a program that listens on the Pod's
loopback, has no address outside. Each connection is an exec session of Nomad's, and counts as one.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from translators import container_id
from translators.policy import DOCKER
from translators.records.pods import Pod
from vnode.errors import PeerError
from vnode.kubelet.command_target import NoTarget, find_target
from vnode.kubelet.commands import CommandRunner, RunningCommand
from vnode.kubelet.forwarded_connections import ByteStream, ConnectionReset, PortUnreachable
from vnode.nomad.task_place import TaskPlace

_MISSING = 127
#: Bytes of a program's complaint that the person at kubectl gets to see.
_LONGEST = 300
_SCRIPT = (
    'for c in nc "busybox nc"; do command -v "${c%% *}" >/dev/null && exec $c 127.0.0.1 "$1"; done; '
    'command -v socat >/dev/null && exec socat - "TCP:127.0.0.1:$1"; '
    f"exit {_MISSING}"
)


class RelayDialer:
    """A `Dialer` for Pods that docker runs in a network of their own."""

    def __init__(self, runner: CommandRunner) -> None:
        self._runner = runner

    @asynccontextmanager
    async def dial(self, pod: Pod, port: int) -> AsyncIterator[ByteStream]:
        """A connection for the length of the block; whether anybody listens shows when it is read.

        Raises PortUnreachable and PeerError on entry.
        """
        container = _container(pod, port)
        command = ("/bin/sh", "-c", _SCRIPT, "sh", str(port))
        async with self._runner.start(_place(pod, container), command, stdin=True, tty=False) as running:
            yield _Relayed(running, f"port {port} in container {container}")


class _Relayed:
    """The program's stdin and stdout as a connection."""

    def __init__(self, command: RunningCommand, where: str) -> None:
        self._command = command
        self._where = where
        self._answered = False
        self._said = b""

    async def read(self) -> bytes:
        """The next piece of what the Pod sends. Raises PortUnreachable when the program could not connect."""
        try:
            while pieces := await self._command.read():
                self._said += b"".join(data for stream, data in pieces if stream == "stderr")[:_LONGEST]
                if data := b"".join(data for stream, data in pieces if stream == "stdout"):
                    self._answered = True
                    return data
        except PeerError as error:
            raise ConnectionReset(str(error)) from None
        if self._command.code and not self._answered:
            raise PortUnreachable(f"{self._where}: {self._reason()}")
        return b""

    async def write(self, data: bytes) -> None:
        """Send to the Pod."""
        try:
            await self._command.write_stdin(data)
        except PeerError as error:
            raise ConnectionReset(str(error)) from None
        if self._command.code is not None:
            raise ConnectionReset("the Pod has broken off the connection")

    async def write_eof(self) -> None:
        """Close our half."""
        try:
            await self._command.close_stdin()
        except PeerError as error:
            raise ConnectionReset(str(error)) from None

    def _reason(self) -> str:
        if self._command.code == _MISSING:
            return "Nomad publishes it nowhere, and the container has neither nc nor socat: declare it as containerPort"
        said = self._said[:_LONGEST].decode(errors="replace").strip()
        return " ".join(said.split()) or f"it cannot be reached (exit code {self._command.code})"


def _container(pod: Pod, port: int) -> str:
    """The container that declares the port, else the first one; in a bridge they all share their network."""
    containers = pod.spec.containers
    declares = (each for each in containers if any(one.container_port == port for one in each.ports))
    return next(declares, containers[0]).name


def _place(pod: Pod, container: str) -> TaskPlace:
    try:
        _, run = find_target(pod, container)
    except NoTarget as error:
        raise PortUnreachable(str(error)) from None
    found = container_id.parse(run.container_id)
    if found is None:
        raise PortUnreachable(f"{run.container_id} is no run that Nomad knows")
    return TaskPlace(found.allocation, found.task, DOCKER)
