"""Remove everything a bed left on this machine, however it ended.

There is one way down, for a bed that ends in order, one that was killed and one found stale: kill what carries the
bed's mark, then unmount, then remove devices and rules. Nothing is killed by name. Ours is a process

- whose environment carries the bed's mark (our children and theirs: containerd's shims, Nomad's executors),
- whose cgroup is named after an allocation or a container found in the bed's directory (tasks).
"""

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.bed import network
from tests.e2e.bed.processes import MARK, run, wait_until
from tests.e2e.bed.slot import Slot

_CGROUPS = Path("/sys/fs/cgroup")
_NETWORK_NAMESPACES = Path("/run/netns")
_SHIM_SOCKETS = Path("/run/containerd/s")


def sweep(directory: Path, slot: Slot) -> None:
    """Bring the machine back to what it was; logs, certificates and kubeconfigs stay in the directory."""
    end(directory)
    network.remove_all(slot)
    _remove_dead_sockets()
    containers = directory.glob("*/containerd")
    machines = (directory / "state", *(directory / "nomad").glob("*/data"))
    for data in (directory / "docker", *machines, directory / "etcd", *containers):
        shutil.rmtree(data, ignore_errors=True)


def end(directory: Path) -> None:
    """End every process that belongs to a bed, or to one machine in it, and what the kernel holds for them."""
    names = workloads(directory)
    wait_until("the bed's processes to end", lambda: not _kill(directory, names), within=30)
    _unmount(directory, names)
    _remove_cgroups(names)


def workloads(directory: Path) -> set[str]:
    """The ids of all allocations and containers in a bed, or of those of one machine in it."""
    tasks = "containerd/state/io.containerd.runtime.v2.task/k8s.io/*"
    places = ("data/alloc/*", "nomad/*/data/alloc/*", "docker/data/containers/*", tasks, f"*/{tasks}")
    return {path.name for place in places for path in directory.glob(place)}


def _kill(directory: Path, names: set[str]) -> list[int]:
    """SIGKILL every process of the bed and return those that were still there."""
    found = list(_processes(directory, names))
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return found


def _processes(directory: Path, names: set[str]) -> Iterator[int]:
    mark = f"\0{MARK}={directory}"
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            environment = f"\0{(entry / 'environ').read_text(errors='replace')}"
            groups = (entry / "cgroup").read_text()
            if f"{mark}\0" in environment or f"{mark}/" in environment or any(name in groups for name in names):
                yield int(entry.name)


def _unmount(directory: Path, names: set[str]) -> None:
    """Exec chroots, secrets' tmpfs, overlays of containers, network namespaces: innermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    ours = [point for point in points if Path(point).is_relative_to(directory) or Path(point).name in names]
    for point in reversed(ours):
        run("umount", "--lazy", point)
    for name in names:
        (_NETWORK_NAMESPACES / name).unlink(missing_ok=True)


def _remove_cgroups(names: set[str]) -> None:
    """Empty groups of tasks that Nomad was not alive to remove; groups of living beds are not touched."""
    for parent, folders, _ in os.walk(_CGROUPS, topdown=False):
        for folder in folders:
            if any(name in folder for name in names):
                with contextlib.suppress(OSError):
                    (Path(parent) / folder).rmdir()


def _remove_dead_sockets() -> None:
    """containerd's shims listen in one folder for the whole machine; a socket without a listener is nobody's."""
    alive = {line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()}
    for socket in _SHIM_SOCKETS.glob("*"):
        if str(socket) not in alive:
            socket.unlink(missing_ok=True)
