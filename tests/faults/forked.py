"""vnode as a child of a nursery, behind the fault proxies: killed and started again at any moment."""

import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.bed.bed import REPOSITORY, Bed
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.processes import Child, wait_until
from tests.faults.between import Between
from vnode.following import FOLLOWED

_START_SECONDS = 30.0
_STOP_SECONDS = 15.0


class ForkedVnode:
    """One virtual Node, whose process comes and goes."""

    def __init__(self, bed: Bed, node: str, nursery: Child, path: Path) -> None:
        """Made by `forked`."""
        self.node = node
        self.starts = 0
        self._bed = bed
        self._nursery = nursery
        self._path = path
        self._pid = 0
        self._connection: socket.socket | None = None
        self._unread = 0

    @property
    def log(self) -> str:
        """What all its processes wrote."""
        return self._nursery.log.read_text(errors="replace")

    @property
    def has_seen_nomad(self) -> bool:
        """Whether the process that runs now has read what there is in Nomad, once at least."""
        return FOLLOWED in self.log[self._unread :]

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        if self._connection is None:
            return False
        self._connection.settimeout(0)
        try:
            return bool(self._connection.recv(1))
        except BlockingIOError:
            return True

    @property
    def peak_memory(self) -> int:
        """The most memory that the process has held, KiB."""
        status = Path(f"/proc/{self._pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])

    def start(self) -> None:
        """Start it; does not wait until it serves."""
        self._nursery.must_live()
        if self.running:
            raise BedError(f"vnode {self.node} runs already (process {self._pid})")
        self.close()
        self._unread = len(self.log)
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(_START_SECONDS)
        self._connection.connect(str(self._path))
        self._pid = int(self._connection.recv(32))
        self.starts += 1

    def start_and_wait(self) -> None:
        """Start it and wait until it has renewed the Lease of its Node."""
        before = self._renewed()
        self.start()
        wait_until(f"vnode {self.node}", lambda: self._renewed() != before, within=_START_SECONDS, of=[self._nursery])

    def kill(self) -> None:
        """SIGKILL; it is gone when this returns."""
        self.shoot()
        if self._connection is not None:
            self._connection.settimeout(_STOP_SECONDS)
            self._wait()

    def shoot(self) -> None:
        """SIGKILL, from any thread, also to one that has just ended."""
        self._signal(signal.SIGKILL)

    def pause(self) -> None:
        """Let it stand still, if it lives."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on, if it lives, whether it stands still or not."""
        self._signal(signal.SIGCONT)

    def wait_end(self, within: float) -> bool:
        """Whether it ended within some seconds."""
        if self._connection is None:
            return True
        self._connection.settimeout(within)
        try:
            self._wait()
        except TimeoutError:
            return False
        return True

    def stop(self) -> None:
        """SIGTERM, and an error if it does not end."""
        if self.running:
            os.kill(self._pid, signal.SIGTERM)
        if not self.wait_end(_STOP_SECONDS):
            self.kill()
            raise BedError(f"vnode {self.node} did not end within {_STOP_SECONDS:g} s of SIGTERM")

    def close(self) -> None:
        """Forget its process."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._pid = None, 0

    def _signal(self, number: signal.Signals) -> None:
        # Another thread may forget the process meanwhile, and 0 is everybody.
        if pid := self._pid:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _wait(self) -> None:
        if self._connection is not None:
            self._connection.recv(1)
            self.close()

    def _renewed(self) -> str:
        path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{self.node}"
        try:
            return str(self._bed.control_plane.api(path)["spec"]["renewTime"])
        except BedError:
            return ""


@contextmanager
def forked(
    bed: Bed, between: Between, node: str, *extra: str, environment: Mapping[str, str] | None = None
) -> Iterator[ForkedVnode]:
    """A Node whose vnode is not started yet; at the end it is stopped, and the Node is deleted."""
    arguments = [
        *(each for each in bed.vnode_arguments(node, bed.free_port()) if not each.startswith("--nomad-address=")),
        *bed.serving_arguments(),
        f"--nomad-address={between.nomad_address}",
        f"--kubeconfig={between.kubeconfig}",
        "--node-pool=all",
        *extra,
    ]
    path = bed.directory / f"{node}.socket"
    nursery = bed.children.add(
        f"nursery-{node}",
        sys.executable,
        "-m",
        "tests.faults.nursery",
        path,
        "run",
        *arguments,
        environment={"PYTHONPATH": str(REPOSITORY), **bed.vnode_environment(), **(environment or {})},
    )
    nursery.start()
    wait_until("the nursery", path.exists, within=_START_SECONDS, of=[nursery])
    vnode = ForkedVnode(bed, node, nursery, path)
    try:
        yield vnode
    finally:
        try:
            vnode.stop()
        finally:
            vnode.close()
            nursery.kill()
            bed.kubectl("delete", "node", node, "--ignore-not-found")
