"""`kubectl port-forward` beside a block, and what it says."""

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.bed.processes import wait_until
from tests.e2e.namespace import SOON, Namespace


class Forward:
    """A running `kubectl port-forward`, and what it said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Made by `forwarding`."""
        self.process = process
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        if self.process.stdout is not None:
            self.said.extend(iter(self.process.stdout.readline, ""))

    @property
    def text(self) -> str:
        """All that it has said so far."""
        return "".join(self.said)

    def port(self, remote: int) -> int:
        """The local port of a forwarded one."""

        def find() -> int | None:
            found = re.search(rf"Forwarding from 127\.0\.0\.1:(\d+) -> {remote}\b", self.text)
            return int(found[1]) if found else None

        return wait_until(f"kubectl to forward {remote} (it said {self.text!r})", find, within=SOON)

    def says(self, *words: str) -> str:
        """Wait until it has said all these words."""
        wait_until(f"kubectl to say {words}", lambda: all(word in self.text for word in words), within=SOON)
        return self.text


@contextmanager
def forwarding(
    namespace: Namespace, pod_name: str, *ports: str, version: str | None = None, websockets: bool = True
) -> Iterator[Forward]:
    """Forward these ports of a Pod until the block ends."""
    with namespace.bed.kubectl_process(
        "port-forward",
        f"pod/{pod_name}",
        *ports,
        f"--namespace={namespace.name}",
        version=version,
        environment={"KUBECTL_PORT_FORWARD_WEBSOCKETS": str(websockets).lower()},
    ) as process:
        yield Forward(process)
