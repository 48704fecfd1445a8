"""The containerID of a container status: which run of which task of which allocation it means.

`nomad://<allocation>/<task>/<run>`, and where the beginning of the run within the task's logs is known,
`nomad://<allocation>/<task>/<run>@<file>.<offset>,<file>.<offset>` for stdout and stderr. Nomad appends
every run of a task to the same log files; the position is the only thing that tells `logs` from
`logs --previous`, and the Pod's status is the only place where it survives a restart of ours.
"""

import re
from dataclasses import dataclass

_FORM = re.compile(
    r"nomad://(?P<allocation>[^/@]+)/(?P<task>[^/@]+)/(?P<run>\d+)"
    r"(?:@(?P<stdout>\d+\.\d+),(?P<stderr>\d+\.\d+))?"
)


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """A place in one rotated log stream: the index of the file and the byte offset in that file."""

    file: int
    offset: int

    def __str__(self) -> str:
        """As it stands in a containerID."""
        return f"{self.file}.{self.offset}"


@dataclass(frozen=True, slots=True)
class LogPosition:
    """Where a run begins in the logs of its task."""

    stdout: StreamPosition
    stderr: StreamPosition


@dataclass(frozen=True, slots=True)
class ContainerId:
    """One run of one task; runs of an allocation count from 0 and may leave numbers out."""

    allocation: str
    task: str
    run: int
    position: LogPosition | None = None

    @property
    def of_task(self) -> str:
        """What the containerIDs of all runs of the task begin with."""
        return f"nomad://{self.allocation}/{self.task}/"

    def __str__(self) -> str:
        """The text that stands in a container status."""
        identity = f"{self.of_task}{self.run}"
        return identity if self.position is None else f"{identity}@{self.position.stdout},{self.position.stderr}"


def parse(text: str) -> ContainerId | None:
    """Read a containerID; None when the text is not one of ours."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    position = None
    if match["stdout"] is not None:
        position = LogPosition(stdout=_stream_position(match["stdout"]), stderr=_stream_position(match["stderr"]))
    return ContainerId(allocation=match["allocation"], task=match["task"], run=int(match["run"]), position=position)


def identity(text: str) -> str:
    """Strip the log position, so that the same run compares equal before and after its position is known."""
    return text.partition("@")[0]


def _stream_position(text: str) -> StreamPosition:
    file, _, offset = text.partition(".")
    return StreamPosition(file=int(file), offset=int(offset))
