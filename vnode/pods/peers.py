"""Everything outside of us that a round of the reconciler touches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from translators.allocation_to_status import EventNote, UnreadMessage
from translators.container_id import ContainerId, LogPosition
from translators.records.allocations import Allocation, Evaluation
from translators.records.hooks import HookKind
from translators.records.jobs import Job, JobRegistration, JobStub
from translators.records.pods import Pod
from vnode.errors import Denied
from vnode.pods.courier import GrantApi, VariableApi
from vnode.pods.data import TokenApi


class PodApi(Protocol):
    """The writes to a Pod, and the one read that confirms its absence."""

    async def patch_status(self, namespace: str, name: str, body: Mapping[str, Any]) -> Pod:
        """Patch the status and return the Pod as the API holds it now."""

    async def delete(self, namespace: str, name: str, uid: str, *, grace: int | None) -> None:
        """Delete with a grace period, or with the Pod's own; a Pod that is gone already is fine."""

    async def get(self, namespace: str, name: str) -> Pod | None:
        """Read the Pod."""


class JobApi(Protocol):
    """What the reconciler asks of Nomad."""

    async def register(self, job: Job, *, check_index: int = 0) -> JobRegistration:
        """Create the job, or replace the one of this job_modify_index; Conflict if there is another."""

    async def stop(self, namespace: str, job_id: str) -> JobRegistration:
        """Stop the job; fine if it is gone."""

    async def purge(self, namespace: str, job_id: str) -> JobRegistration:
        """Remove the job; fine if it is gone."""

    async def signal(self, allocation_id: str, task: str, signal: str) -> None:
        """Send a signal to a task; NotFound or Conflict if it does not run."""

    async def job(self, namespace: str, job_id: str) -> JobStub | None:
        """Read the job."""

    async def job_allocations(self, namespace: str, job_id: str) -> list[Allocation]:
        """Read the allocations of the job."""

    async def job_evaluations(self, namespace: str, job_id: str) -> list[Evaluation]:
        """Read the evaluations of the job."""


class Events(Protocol):
    """Where Events about Pods go; it never blocks."""

    def record(self, pod: Pod, event: EventNote) -> None:
        """Take over an Event to be written."""


class LogMeter(Protocol):
    """Finds the position at which the log files of a task end."""

    async def position(self, allocation_id: str, task: str) -> LogPosition:
        """Where the next byte of both streams will be written."""


class Messages(Protocol):
    """Finds what containers left to say."""

    async def read(self, message: UnreadMessage) -> str:
        """The message, or why it cannot be read; does not take long."""


class Hooks(Protocol):
    """Runs hooks of containers."""

    def begin(self, pod: Pod, name: str, run: ContainerId, kind: HookKind, within: float | None) -> None:
        """Take a hook over, remember that it has begun, and never wait."""


class Link(Protocol):
    """Keeps whether Nomad serves us."""

    def up(self) -> None:
        """It did."""

    def denied(self, error: Denied) -> None:
        """It denied us a write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """All of them."""

    pods: PodApi
    jobs: JobApi
    variables: VariableApi
    events: Events
    logs: LogMeter
    messages: Messages
    hooks: Hooks
    link: Link
    tokens: TokenApi
    grants: GrantApi | None = None
