"""Where a command runs: a task, and the request that starts something in it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class TaskPlace:
    """A task of an allocation, and the driver that runs it; `client` is the Nomad client that may be asked itself."""

    allocation: str
    task: str
    driver: str
    client: str = ""

    def request(self, command: Sequence[str], *, tty: bool) -> tuple[str, dict[str, str]]:
        """Path and query of Nomad's exec API for a command here."""
        query = {"task": self.task, "tty": "true" if tty else "false", "command": json.dumps(command)}
        return f"/v1/client/allocation/{quote(self.allocation)}/exec", query
