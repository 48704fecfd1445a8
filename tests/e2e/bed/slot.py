"""A slot is the bed's place on this machine: its number gives ports, addresses and device names that no other bed uses.

Up to eight beds live side by side. The lock on a slot's file is held by the bed *and* by its warden, so a slot becomes
free only when everything of the bed that held it is gone.
"""

import fcntl
import ipaddress
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.bed.errors import BedError

STATE = Path("/run/hashinetes")
_SLOTS = 8
# Everything stays below 30000 (NodePorts) and 32768 (the kernel's ephemeral ports), so nobody takes a port in between.
_LISTEN_BASE, _LISTEN_WIDTH = 12000, 500
_DYNAMIC_BASE, _DYNAMIC_WIDTH, _DYNAMIC_PER_CLIENT = 16000, 1500, 125
_NETWORK_BASE = 241
MAX_CLIENTS = _DYNAMIC_WIDTH // _DYNAMIC_PER_CLIENT


@dataclass
class Slot:
    """One of the eight places; `acquire` finds a free one."""

    number: int
    lock: int
    _next_port: int = field(default=0)

    @classmethod
    def acquire(cls) -> "Slot":
        """Lock the first free slot."""
        if slot := next(cls._free(), None):
            return slot
        raise BedError(f"all {_SLOTS} places for test beds are taken; see the files in {STATE} for their directories")

    @classmethod
    def stale(cls) -> Iterator["Slot"]:
        """Lock, one after the other, the slots of beds that died together with their wardens."""
        for slot in cls._free():
            if slot.directory:
                yield slot
            slot.release()

    @classmethod
    def _free(cls) -> Iterator["Slot"]:
        if os.geteuid() != 0:
            raise BedError("the bed needs root: it starts dockerd, network devices and Nomad's isolating drivers")
        STATE.mkdir(parents=True, exist_ok=True)
        for number in range(_SLOTS):
            lock = os.open(_file(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            yield cls(number, lock)

    @property
    def directory(self) -> Path | None:
        """The directory of the bed that has, or had, this slot; None after a clean end."""
        text = _file(self.number).read_text()
        return Path(json.loads(text)["directory"]) if text else None

    @directory.setter
    def directory(self, value: Path | None) -> None:
        _file(self.number).write_text("" if value is None else json.dumps({"directory": str(value)}))

    def release(self) -> None:
        """Let go of our half of the lock."""
        os.close(self.lock)

    def port(self) -> int:
        """A free port for a server of the bed, never the same one twice."""
        for offset in range(_LISTEN_WIDTH):
            position = (self._next_port + offset) % _LISTEN_WIDTH
            port = _LISTEN_BASE + self.number * _LISTEN_WIDTH + position
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("", port))
                except OSError:
                    continue
            self._next_port = position + 1
            return port
        raise BedError(f"no free port for the bed from {_LISTEN_BASE + self.number * _LISTEN_WIDTH} upwards")

    def dynamic_ports(self, client: int) -> tuple[int, int]:
        """First and last dynamic port of a Nomad client; disjoint, for raw_exec tasks share this host."""
        first = _DYNAMIC_BASE + self.number * _DYNAMIC_WIDTH + client * _DYNAMIC_PER_CLIENT
        return first, first + _DYNAMIC_PER_CLIENT - 1

    @property
    def network(self) -> ipaddress.IPv4Network:
        """All addresses of the bed."""
        return ipaddress.IPv4Network(f"10.{_NETWORK_BASE + self.number}.0.0/16")

    @property
    def host_address(self) -> str:
        """The address of the bed's host, where the kubelet API of vnode listens."""
        return str(self.network[1])

    def client_address(self, client: int) -> str:
        """The address of one Nomad client: hostIP, and podIP of tasks without a network of their own."""
        return str(self.network[256 + 1 + client])

    def client_subnet(self, client: int) -> str:
        """The subnet of a client's CNI bridge."""
        return f"{self.network[256 * (16 + client)]}/24"

    @property
    def docker_subnet(self) -> str:
        """Gateway and width of docker's own bridge."""
        return f"{self.network[256 * 2 + 1]}/24"

    @property
    def real_node_subnet(self) -> str:
        """The subnet of the Pods of a Node with a kubelet."""
        return f"{self.network[256 * (16 + MAX_CLIENTS)]}/24"

    def device(self, role: str) -> str:
        """The name of a network device; 15 characters are the kernel's limit."""
        return f"hashi{self.number}{role}"


def _file(number: int) -> Path:
    return STATE / f"bed-{number}"
