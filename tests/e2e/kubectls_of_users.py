"""kubectl as a person has it: in some version, with some switches, with bytes and terminals."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.e2e.bed import kubectls
from tests.e2e.bed.processes import system_path
from tests.e2e.namespace import Namespace

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One kubectl; `version` None is the system's."""

    version: str | None = None
    switches: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """For the names of tests."""
        return " ".join((self.version or "system", *(f"{name}={value}" for name, value in self.switches.items())))

    def command(self, namespace: Namespace, *arguments: str) -> list[str]:
        """The whole command line; `arguments` may end with `-- command`."""
        return [str(kubectls.kubectl(self.version)), f"--namespace={namespace.name}", *arguments]

    def environment(self, namespace: Namespace) -> dict[str, str]:
        """What it has to find in its environment."""
        home = str(namespace.bed.directory)
        return {**namespace.bed.environment(), "HOME": home, "PATH": system_path(), **self.switches}

    def run(
        self, namespace: Namespace, *arguments: str, stdin: bytes = b"", within: float = _SECONDS
    ) -> subprocess.CompletedProcess[bytes]:
        """Run it to its end."""
        return subprocess.run(
            self.command(namespace, *arguments),
            env=self.environment(namespace),
            input=stdin,
            capture_output=True,
            timeout=within,
            check=False,
        )

    @contextmanager
    def beside(self, namespace: Namespace, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run it beside the block, its stdin open; at the end of the block it is killed if it has not ended."""
        with subprocess.Popen(
            self.command(namespace, *arguments),
            env=self.environment(namespace),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    @contextmanager
    def terminal(self, namespace: Namespace, *arguments: str) -> Iterator["Terminal"]:
        """Run it in a terminal."""
        master, slave = pty.openpty()
        try:
            terminal = Terminal(master)
            terminal.resize(100, 30)
            process = subprocess.Popen(
                self.command(namespace, *arguments),
                env=self.environment(namespace),
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
                preexec_fn=_take_terminal,  # noqa: PLW1509 - nothing else runs between fork and exec
            )
            os.close(slave)
            terminal.process = process
            try:
                yield terminal
            finally:
                process.kill()
                process.wait()
        finally:
            os.close(master)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """What a person types and sees; the test's own timeout ends waits."""

    def __init__(self, master: int) -> None:
        """Made by `Kubectl.terminal`."""
        self._master = master
        self.process: subprocess.Popen[bytes] | None = None
        self.seen = ""

    def resize(self, columns: int, lines: int) -> None:
        """Change its size."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._master, text.encode())

    def see(self, text: str) -> None:
        """Wait until something is on the screen, and forget all up to there."""
        while text not in self.seen:
            self.seen += self._read()
        self.seen = self.seen.partition(text)[2]

    def end(self) -> int:
        """Read until kubectl has ended; its exit code."""
        try:
            while True:
                self.seen += self._read()
        except EOFError:
            pass
        if self.process is None:
            raise RuntimeError("Nothing runs in this terminal.")
        return self.process.wait(_SECONDS)

    def _read(self) -> str:
        try:
            data = os.read(self._master, 65536)
        except OSError:
            data = b""
        if not data:
            raise EOFError(f"kubectl has ended; last on the screen: {self.seen[-500:]}")
        return data.decode(errors="replace")
