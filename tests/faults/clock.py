"""A clock of a process's own, which a test sets while the process runs; `clock.c` is what the process is given."""

import subprocess
from pathlib import Path

from tests.e2e.bed.errors import BedError

_SOURCE = Path(__file__).with_suffix(".c")


class ShiftedClock:
    """The time of day as one process sees it."""

    def __init__(self, folder: Path) -> None:
        """It shows the right time at first."""
        self._library = folder / "clock.so"
        self._shift = folder / "shift"
        self.set(0)
        command = ["gcc", "-shared", "-fPIC", "-O2", "-o", str(self._library), str(_SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BedError(f"gcc could not build the clock: {done.stderr}")

    @property
    def environment(self) -> dict[str, str]:
        """What the process is started with."""
        return {"LD_PRELOAD": str(self._library), "SHIFTED_CLOCK": str(self._shift)}

    def set(self, seconds: int) -> None:
        """Show so much more than the right time, from now on and at once."""
        new = self._shift.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._shift)
