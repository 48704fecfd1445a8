"""The warden outlives the bed: it waits for the bed to end, in order or by SIGKILL, and sweeps the floor.

Started by `bed.py` as ``python -m tests.e2e.bed.warden SLOT LOCK DIRECTORY`` in a session of its own. Its standard
input is a pipe whose other end only the bed holds, so end of file means that the bed is gone. Its exit code tells the
bed whether sweeping succeeded.
"""

import subprocess
import sys
from pathlib import Path

from tests.e2e.bed.errors import BedError
from tests.e2e.bed.processes import tail
from tests.e2e.bed.slot import Slot
from tests.e2e.bed.sweep import sweep

_REPOSITORY = Path(__file__).parents[3]


class Warden:
    """The bed's handle on its warden."""

    def __init__(self, slot: Slot, directory: Path) -> None:
        """Start the warden; it inherits the slot's lock, so the slot is taken until sweeping is done."""
        self._log = directory / "logs" / "warden.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(slot.number), str(slot.lock), str(directory)],
                cwd=_REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(slot.lock,),
                start_new_session=True,
            )

    def dismiss(self, within: float = 60) -> None:
        """Let the warden sweep and wait for it."""
        if self._process.stdin:
            self._process.stdin.close()
        if self._process.wait(within):
            raise BedError(f"cleaning up the bed failed; the end of {self._log}:\n{tail(self._log)}")


def main(number: str, lock: str, directory: str) -> None:
    """Wait for the end of the bed and clean up after it."""
    slot = Slot(int(number), int(lock))
    sys.stdin.buffer.read()
    sweep(Path(directory), slot)
    slot.directory = None


if __name__ == "__main__":
    main(*sys.argv[1:])
