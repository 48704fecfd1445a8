"""CPU and memory of processes as the kernel counts them."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.e2e.bed.bed import Bed

#: Everything that is not in a group, and what nobody used.
STRANGERS, IDLE = "strangers", "idle"
#: The bench itself, which no user has.
BENCH = "bench"

_TICKS = os.sysconf("SC_CLK_TCK")
# proc(5): utime and stime are fields 14 and 15; the second field is a name in parentheses that may hold blanks.
_AFTER_NAME = 3
_UTIME, _STIME = 14 - _AFTER_NAME, 15 - _AFTER_NAME


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS


def resident_bytes(pid: int) -> int:
    """The resident set of a process."""
    return _kilobytes(pid, "VmRSS") * 1024


def peak_resident_bytes(pid: int) -> int:
    """The largest resident set that a process has had."""
    return _kilobytes(pid, "VmHWM") * 1024


class CpuMeter:
    """CPU of groups of processes since the meter was made, and of everything else on the machine."""

    def __init__(self, groups: Mapping[str, Iterable[int]]) -> None:
        self._groups = {name: tuple(pids) for name, pids in groups.items()}
        self._before = self._read()

    def used(self) -> dict[str, float]:
        """Seconds by group."""
        now = self._read()
        used = {name: now[name] - before for name, before in self._before.items()}
        used[STRANGERS] -= sum(used[name] for name in self._groups)
        return {name: round(seconds, 2) for name, seconds in used.items()}

    def _read(self) -> dict[str, float]:
        groups = {name: sum(map(cpu_seconds, pids)) for name, pids in self._groups.items()}
        return {**groups, **_machine()}


def groups(bed: Bed, vnode: int | None = None) -> dict[str, list[int]]:
    """The processes that share the machine during a measurement."""
    plane = bed.control_plane
    found = {
        "etcd": [plane.etcd.pid],
        "kube-apiserver": [plane.apiserver.pid],
        "controllers": [plane.controller_manager.pid, plane.scheduler.pid],
        "nomad server": [bed.nomad.server.pid],
        "nomad clients": [client.child.pid for client in bed.nomad.clients.values() if client.child.running],
        BENCH: [os.getpid()],
    }
    return found if vnode is None else {"vnode": [vnode], **found}


def _machine() -> dict[str, float]:
    # proc(5), /proc/stat; what a hypervisor gives to others is lost to us as well.
    user, nice, system, idle, waiting, interrupts, soft_interrupts, stolen = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    )
    busy = user + nice + system + interrupts + soft_interrupts + stolen
    return {STRANGERS: busy / _TICKS, IDLE: (idle + waiting) / _TICKS}


def _kilobytes(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0])
    raise LookupError(f"process {pid} has no {field}")
