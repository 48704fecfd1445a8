"""`vnode run --observe`: everything is read and decided, nothing is written, and what would be is logged.

What stands here only tells. That nothing is written is seen to by a fence that is always shut (`vnode.fence`).
"""

import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping

import structlog

from translators.records.allocations import Allocation, Evaluation
from translators.records.jobs import Job, JobRegistration, JobStub
from vnode.errors import Withheld
from vnode.kube.api import JSON, Watches
from vnode.nomad.client import NomadClient
from vnode.nomad.records import HeldVariable
from vnode.nomad.variables import NomadVariables

_log = structlog.get_logger(__name__)

WHY = "vnode only observes (--observe)"
_REMEMBERED = 4096
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_LONGEST_BODY = 2000


class Told:
    """Tells each intention once, until more of it changes than its times."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, str] = OrderedDict()

    def withheld(self, intention: str, **details: object) -> Withheld:
        """Log it, if it is new; what is returned is for the one who intended it."""
        content = _TIME.sub("", str(details))
        if self._last.get(intention) != content:
            _log.info(f"would {intention}", **details)
        self._last[intention] = content
        self._last.move_to_end(intention)
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)
        return Withheld(WHY)


class ObservedKubernetes:
    """A connection whose writes are told; a Pod's status and an Event hold nothing that `kubectl` does not show."""

    def __init__(self, connection: Watches, told: Told) -> None:
        self._connection = connection
        self._told = told

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = JSON,  # noqa: ARG002 - the protocol's
        within: float = 60.0,
    ) -> bytes:
        """Reads go through."""
        if method == "GET":
            return await self._connection.request(method, path, query=query, within=within)
        raise self._told.withheld(f"{method} {path}", body=(body or b"")[:_LONGEST_BODY].decode(errors="replace"))

    def watch(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """As it is."""
        return self._connection.watch(path, query)


class ObservedNomad:
    """What the reconciler asks of Nomad, with writes told; a job is named and not shown, for its commands."""

    def __init__(self, client: NomadClient, told: Told) -> None:
        self._client = client
        self._told = told

    async def register(self, job: Job, *, check_index: int = 0) -> JobRegistration:  # noqa: ARG002 - the protocol's
        """Told."""
        drivers = sorted({task.driver for group in job.task_groups for task in group.tasks})
        raise self._told.withheld(f"register {job.id}", job=job.name, namespace=job.namespace, drivers=drivers)

    async def stop(self, namespace: str, job_id: str) -> JobRegistration:
        """Told."""
        raise self._told.withheld(f"stop {job_id}", namespace=namespace)

    async def purge(self, namespace: str, job_id: str) -> JobRegistration:
        """Told."""
        raise self._told.withheld(f"purge {job_id}", namespace=namespace)

    async def signal(self, allocation_id: str, task: str, signal: str) -> None:
        """Told."""
        raise self._told.withheld(f"signal {allocation_id}", task=task, signal=signal)

    async def job(self, namespace: str, job_id: str) -> JobStub | None:
        """Read."""
        return await self._client.job(namespace, job_id)

    async def job_allocations(self, namespace: str, job_id: str) -> list[Allocation]:
        """Read."""
        return await self._client.job_allocations(namespace, job_id)

    async def job_evaluations(self, namespace: str, job_id: str) -> list[Evaluation]:
        """Read."""
        return await self._client.job_evaluations(namespace, job_id)


class ObservedVariables:
    """Nomad's variables, with writes told; what they hold is secret."""

    def __init__(self, variables: NomadVariables, told: Told) -> None:
        self._variables = variables
        self._told = told

    async def get(self, namespace: str, path: str) -> HeldVariable | None:
        """Read."""
        return await self._variables.get(namespace, path)

    async def paths(self, namespace: str, prefix: str) -> list[str]:
        """Read."""
        return await self._variables.paths(namespace, prefix)

    async def put(self, namespace: str, path: str, items: Mapping[str, str]) -> None:
        """Told, by the number of its items."""
        raise self._told.withheld(f"write variable {path}", namespace=namespace, items=len(items))

    async def create(self, namespace: str, path: str, items: Mapping[str, str], *, index: int = 0) -> None:  # noqa: ARG002 - the protocol's
        """Told, by the number of its items."""
        raise self._told.withheld(f"write variable {path}", namespace=namespace, items=len(items))

    async def delete(self, namespace: str, path: str) -> None:
        """Told."""
        raise self._told.withheld(f"delete variable {path}", namespace=namespace)
