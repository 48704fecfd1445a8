"""vnode itself as a child of the bed: started, stopped, killed and started again, as an operator or a crash would."""

import contextlib
import socket
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.bed.control_plane import ControlPlane
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.processes import Child, wait_until

_READY_SECONDS = 90
_STOP_SECONDS = 15


class VnodeProcess:
    """One `vnode run`."""

    def __init__(
        self, node_name: str, kubelet_address: tuple[str, int], child: Child, control_plane: ControlPlane
    ) -> None:
        """Made by `Bed.vnode`."""
        self.node_name = node_name
        self.kubelet_address = kubelet_address
        self.child = child
        self._control_plane = control_plane

    @property
    def log(self) -> Path:
        """What it wrote to standard error."""
        return self.child.log

    def start(self) -> None:
        """Start it and wait until it serves: a lease renewed after this start, a Ready Node, an open kubelet port."""
        before = self._renewed()
        self.child.start()
        what = f"vnode to serve Node {self.node_name}"
        wait_until(what, lambda: self._serves(before), within=_READY_SECONDS, of=[self.child])

    def stop(self) -> None:
        """SIGTERM; vnode promises to end within seconds."""
        self.child.stop(within=_STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        self.child.kill()

    def _serves(self, before: str | None) -> bool:
        if self._renewed() == before:
            return False
        conditions = self._control_plane.api(f"/api/v1/nodes/{self.node_name}")["status"].get("conditions", ())
        if not any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions):
            return False
        with socket.create_connection(self.kubelet_address, timeout=1):
            return True

    def _renewed(self) -> str | None:
        """When the Node's lease was renewed last (to the microsecond, unlike a Node's heartbeat)."""
        with contextlib.suppress(BedError):
            path = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{self.node_name}"
            return str(self._control_plane.api(path)["spec"]["renewTime"])
        return None


def command(python: Path, arguments: Sequence[str]) -> tuple[str, ...]:
    """The command line of `vnode run`."""
    return (str(python), "-m", "vnode", "run", *arguments)
