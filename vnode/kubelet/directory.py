"""What the kubelet API has to be told about Pods and their logs; the view and Nomad stand behind it."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from translators.records.pods import Pod
from vnode.kubelet.log_options import Stream
from vnode.kubelet.log_target import ContainerRun


class PodDirectory(Protocol):
    """The Pods of this Node with the newest status that we know."""

    def pod(self, namespace: str, name: str) -> Pod | None:
        """The Pod that bears this name now."""
        ...

    def pods(self) -> Iterable[Pod]:
        """All Pods of this Node."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Bytes of one log file: absolute positions `[start, end)`, and when the file was last written."""

    start: int
    end: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Extent:
    """What exists now of one stream of a run, oldest first; segments touch, and none is empty."""

    segments: tuple[Segment, ...] = ()
    #: Where a stream without segments goes on.
    origin: int = 0

    @property
    def start(self) -> int:
        """Position of the first byte."""
        return self.segments[0].start if self.segments else self.origin

    @property
    def end(self) -> int:
        """Position after the last byte: where a follower goes on."""
        return self.segments[-1].end if self.segments else self.origin


class LogSource(Protocol):
    """The output of one run of a container.

    Positions count the bytes of one stream and hold for the life of the object, rotation or not. All
    methods raise `vnode.errors`; `NotFound` means that the logs are gone.
    """

    async def extent(self, stream: Stream) -> Extent:
        """What exists now; empty when nothing was written yet."""
        ...

    def read(self, stream: Stream, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """The bytes `[start, end)`; what was rotated away meanwhile is missing at the front."""
        ...

    def follow(self, stream: Stream, start: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` on as they are written; never ends by itself."""
        ...

    async def ended(self) -> None:
        """Return when this run has ended and all its output can be read."""
        ...


class LogSources(Protocol):
    """Opens the logs of a run."""

    def open(self, pod: Pod, run: ContainerRun) -> LogSource:
        """The logs of one run; does no I/O.

        Raises vnode.errors.NotFound when nothing can be known of such a run.
        """
        ...
