"""Who holds which locked file, without trying: a lock that is taken for a moment is one that a task does not get."""

from collections.abc import Iterable
from pathlib import Path

_LOCKS = Path("/proc/locks")
_PLACE = 5


def held(files: Iterable[Path]) -> frozenset[Path]:
    """Those of the files that some process holds a lock of."""
    locked = inodes(_LOCKS.read_text())
    return frozenset(file for file in files if file.stat().st_ino in locked)


def inodes(table: str) -> frozenset[int]:
    """The files of a table as proc(5) says: `1: FLOCK ADVISORY WRITE 708 08:01:1051 0 EOF`.

    Inodes alone, for the device that stands there is not that of stat(2) where file systems lie upon each other. Who
    waits for a lock has a line with an arrow, and no lock.
    """
    lines = (line.split() for line in table.splitlines() if "->" not in line)
    return frozenset(int(fields[_PLACE].rpartition(":")[2]) for fields in lines)
