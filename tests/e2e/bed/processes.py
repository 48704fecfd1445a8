"""Child processes of the bed and the art of waiting for them.

A child runs in a session of its own, so that a Ctrl-C in the terminal reaches the bed alone. It carries the mark
``HASHINETES_BED=<directory>`` in its environment: by it the warden finds everything, even when the bed was killed.
PR_SET_PDEATHSIG is deliberately not used: it fires when the *thread* that started a child ends, and asyncio tests start
children from worker threads.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import httpx2

from tests.e2e.bed.errors import BedError

MARK = "HASHINETES_BED"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_POLL_SECONDS = 0.05
T = TypeVar("T")


class Child:
    """One server process that can be started, stopped, killed and started again."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        home: Path,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the process; `start` runs it. `home` lies in the bed's directory and is the child's mark."""
        self.name = name
        self.log = log
        program = shutil.which(str(command[0]), path=system_path())
        if program is None:
            raise BedError(f"{command[0]} is not installed (scripts/e2e installs what the bed needs)")
        self.command = [program, *map(str, command[1:])]
        self._home = home
        # Nothing of the developer's environment: AWS_CA_BUNDLE breaks Nomad's fingerprinting, proxies break loopback,
        # and raw_exec tasks inherit what their agent has.
        self._environment = {"PATH": _PATH, MARK: str(home), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running process."""
        if self._process is None:
            raise BedError(f"{self.name} was never started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process; readiness is the caller's question."""
        if self.running:
            raise BedError(f"{self.name} runs already (process {self.pid})")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self._home,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self, within: float = 20) -> None:
        """SIGTERM, and an error if the process does not end in time (it is killed then)."""
        if self._process is None or not self.running:
            return
        self._process.terminate()
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired as problem:
            self.kill()
            raise BedError(f"{self.name} did not end within {within:g} s of SIGTERM; see {self.log}") from problem

    def kill(self) -> None:
        """SIGKILL to this process alone, as a crash would end it: what it started lives on."""
        if self._process is not None and self.running:
            self._process.kill()
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send any other signal, e.g. SIGSTOP and SIGCONT for a hanging peer."""
        os.kill(self.pid, number)

    def must_live(self) -> None:
        """Raise if the process has ended by itself, with the end of its log."""
        if self._process is not None and (code := self._process.poll()) is not None:
            raise BedError(f"{self.name} ended by itself with code {code}; the end of {self.log}:\n{tail(self.log)}")


class Children:
    """All children of one bed."""

    def __init__(self, directory: Path) -> None:
        """The bed's directory; logs go below it."""
        self.logs = directory / "logs"
        self._directory = directory
        self._all: list[Child] = []

    def add(
        self,
        name: str,
        *command: str | Path,
        home: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Child:
        """Describe one more; `home` is given for a child that pretends to be a machine of its own."""
        log = self.logs / f"{name}.log"
        child = Child(name, command, home=home or self._directory, log=log, environment=environment)
        self._all.append(child)
        return child

    def bury(self) -> None:
        """Collect the exit codes of what the warden killed, so that no zombies remain."""
        for child in self._all:
            child.kill()


def wait_until(what: str, check: Callable[[], T | None], *, within: float, of: Iterable[Child] = ()) -> T:
    """Call `check` until it returns something true; a dead child or the deadline ends the wait with a BedError.

    A connection error of `check` counts as "not yet" and is shown if the deadline passes.
    """
    deadline = time.monotonic() + within
    children = list(of)
    last: object = "no answer yet"
    while True:
        for child in children:
            child.must_live()
        try:
            if result := check():
                return result
            last = f"the last answer was {result!r}"
        except (OSError, httpx2.HTTPError, BedError) as problem:
            last = f"{type(problem).__name__}: {problem}"
        if time.monotonic() > deadline:
            logs = "".join(f"\nThe end of {child.log}:\n{tail(child.log)}" for child in children)
            raise BedError(f"waited {within:g} s in vain for {what}; {last}{logs}")
        time.sleep(_POLL_SECONDS)


def run(*command: str | Path, stdin: bytes | None = None, within: float = 60) -> str:
    """Run a short command and return its output; its own words become the BedError when it fails."""
    words = [str(part) for part in command]
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, timeout=within, check=False)
    except FileNotFoundError as problem:
        raise BedError(f"{words[0]} is not installed (scripts/e2e installs what the bed needs)") from problem
    except subprocess.TimeoutExpired as problem:
        raise BedError(f"{' '.join(words)} did not end within {within:g} s") from problem
    if done.returncode:
        raise BedError(f"{' '.join(words)} failed with code {done.returncode}: {done.stderr.decode().strip()}")
    return done.stdout.decode()


def tail(file: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    try:
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"


def system_path() -> str:
    """Where programs are looked for: the caller's PATH, and where dockerd, iptables and ip are, if it lacks that."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), _PATH))
