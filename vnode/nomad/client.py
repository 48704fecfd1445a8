"""What we ask of Nomad, typed: jobs, allocations, evaluations, clients.

Every request names the Nomad namespace, for the query beats whatever a body says. Reads are consistent (never
stale): the leader's state is never older than what an event stream has shown.
"""

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from translators.records.allocations import Allocation, Client, Evaluation
from translators.records.jobs import Job, JobRegistration, JobStub
from vnode.errors import Denied, NotFound, Unavailable
from vnode.nomad.pages import pages
from vnode.nomad.records import (
    Agent,
    FileInfo,
    NamespaceStub,
    NodePool,
    OperatorScheduler,
    Registration,
    Signal,
    Submission,
)
from vnode.nomad.transport import Transport
from vnode.nomad.usage import AllocationUsage, ClientUsage

T = TypeVar("T")

_REGISTRATION = TypeAdapter(Registration)
_SIGNAL = TypeAdapter(Signal)
_JOB_REGISTRATION = TypeAdapter(JobRegistration)
_JOB_STUB = TypeAdapter(JobStub)
_JOB_STUBS = TypeAdapter(list[JobStub])
_ALLOCATION = TypeAdapter(Allocation)
_ALLOCATIONS = TypeAdapter(list[Allocation])
_EVALUATION = TypeAdapter(Evaluation)
_EVALUATIONS = TypeAdapter(list[Evaluation])
_CLIENT = TypeAdapter(Client)
_CLIENTS = TypeAdapter(list[Client])
_NODE_POOL = TypeAdapter(NodePool)
_OPERATOR_SCHEDULER = TypeAdapter(OperatorScheduler)
_AGENT = TypeAdapter(Agent)
_NAMESPACES = TypeAdapter(list[NamespaceStub])
_FILE = TypeAdapter(FileInfo)
_FILES = TypeAdapter(list[FileInfo])
_ALLOCATION_USAGE = TypeAdapter(AllocationUsage)
_CLIENT_USAGE = TypeAdapter(ClientUsage)

JOB_PREFIX = "vk-"


class NomadClient:
    """Requests to one region; `region` empty takes the transport's. All methods raise the kinds of `vnode.errors`."""

    def __init__(self, transport: Transport, region: str = "") -> None:
        self._transport = transport
        self._region = region

    async def register(self, job: Job, *, check_index: int = 0, submission: str | None = None) -> JobRegistration:
        """Create the job, or replace the one whose job_modify_index is `check_index`.

        `submission` is JSON that is kept with the job, where it is read by people and by us after a loss; left
        out on a replacement, the old one stays. Raises Conflict when the index does not fit, Rejected when Nomad
        finds the job wrong (NamespaceMissing, NodePoolMissing), Unavailable when it is not known whether it was
        registered: read the job then.
        """
        registration = Registration(
            job=job,
            job_modify_index=check_index,
            submission=Submission(source=submission) if submission is not None else None,
        )
        body = _REGISTRATION.dump_json(registration, by_alias=True, exclude_none=True)
        reply = await self._transport.request("PUT", "/v1/jobs", self._query(job.namespace), body=body)
        return _decoded(_JOB_REGISTRATION, reply.body)

    async def stop(self, namespace: str, job_id: str) -> JobRegistration:
        """End the job; it stays readable. A job that is not there is no error: `eval_id` is empty then."""
        return await self._deregister(namespace, job_id, purge="false")

    async def purge(self, namespace: str, job_id: str) -> JobRegistration:
        """Forget the job and its allocations, without an event. While a task still runs, nobody would see its end."""
        return await self._deregister(namespace, job_id, purge="true")

    async def job(self, namespace: str, job_id: str) -> JobStub | None:
        """The job, None when there is none."""
        try:
            return await self._get(_JOB_STUB, _path("job", job_id), namespace)
        except NotFound:
            return None

    async def jobs(self, namespace: str, prefix: str = JOB_PREFIX) -> list[JobStub]:
        """All jobs of the namespace whose id begins with `prefix`, with their meta."""
        return await self._list(_JOB_STUBS, "/v1/jobs", namespace, {"prefix": prefix, "meta": "true"})

    async def allocations(self, namespace: str, prefix: str = JOB_PREFIX) -> list[Allocation]:
        """All allocations of the jobs whose id begins with `prefix` ("" for all), with task states and resources.

        Their network_status is not in lists: read an allocation whose address is needed.
        """
        chosen = {"filter": f'JobID matches "^{prefix}"'} if prefix else {}
        return await self._list(
            _ALLOCATIONS, "/v1/allocations", namespace, {"resources": "true", "task_states": "true", **chosen}
        )

    async def job_allocations(self, namespace: str, job_id: str) -> list[Allocation]:
        """The allocations of a job, oldest first, also those of a purged and recreated job; without resources."""
        path = _path("job", job_id, "allocations")
        found = await self._get(_ALLOCATIONS, path, namespace, {"all": "true"})
        return sorted(found, key=lambda allocation: allocation.create_index)

    async def allocation(self, allocation_id: str) -> Allocation:
        """One allocation, whole; raises NotFound after a purge or garbage collection."""
        return await self._get(_ALLOCATION, _path("allocation", allocation_id), "")

    async def job_evaluations(self, namespace: str, job_id: str) -> list[Evaluation]:
        """The evaluations of a job, oldest first."""
        found = await self._get(_EVALUATIONS, _path("job", job_id, "evaluations"), namespace)
        return sorted(found, key=lambda evaluation: evaluation.create_index)

    async def evaluation(self, namespace: str, evaluation_id: str) -> Evaluation:
        """One evaluation; raises NotFound after garbage collection."""
        return await self._get(_EVALUATION, _path("evaluation", evaluation_id), namespace)

    async def clients(self) -> list[Client]:
        """All clients of the region with their resources; attributes come with `client` and with events only."""
        return await self._list(_CLIENTS, "/v1/nodes", "", {"resources": "true"})

    async def client(self, client_id: str) -> Client:
        """One client with its attributes."""
        return await self._get(_CLIENT, _path("node", client_id), "")

    async def node_pool(self, name: str) -> NodePool:
        """A node pool; raises NotFound."""
        return await self._get(_NODE_POOL, _path("node", "pool", name), "")

    async def memory_oversubscription(self, pool: str) -> bool | None:
        """Whether `MemoryMaxMB` counts on the clients of the pool; None when our rights do not tell."""
        try:
            own = (await self.node_pool(pool)).scheduler_configuration
            if own and own.memory_oversubscription_enabled is not None:
                return own.memory_oversubscription_enabled
            cluster = await self._get(_OPERATOR_SCHEDULER, "/v1/operator/scheduler/configuration", "")
        except Denied:
            return None
        return bool(cluster.scheduler_config.memory_oversubscription_enabled)

    async def namespaces(self) -> list[str]:
        """The Nomad namespaces that we may see."""
        return [namespace.name for namespace in await self._list(_NAMESPACES, "/v1/namespaces", "", {})]

    async def agent(self) -> Agent:
        """The agent at the address in use; needs `agent:read`."""
        return await self._get(_AGENT, "/v1/agent/self", "")

    async def signal(self, allocation_id: str, task: str, signal: str) -> None:
        """Send e.g. `SIGKILL` to a task; raises Conflict when it does not run, NotFound when it is gone."""
        path = _path("client", "allocation", allocation_id, "signal")
        body = _SIGNAL.dump_json(Signal(task=task, signal=signal), by_alias=True)
        await self._transport.request("PUT", path, self._query(""), body=body, control=True)

    async def list_files(self, allocation_id: str, path: str) -> list[FileInfo]:
        """A directory of an allocation, e.g. `alloc/logs`; raises NotFound when it or the allocation is gone."""
        return await self._get(_FILES, _path("client", "fs", "ls", allocation_id), "", {"path": path})

    async def allocation_usage(self, allocation_id: str) -> AllocationUsage:
        """What the tasks of an allocation use; raises NotFound when its client or the allocation is gone."""
        return await self._get(_ALLOCATION_USAGE, _path("client", "allocation", allocation_id, "stats"), "")

    async def client_usage(self, client_id: str) -> ClientUsage:
        """What a client's host uses; raises NotFound when it cannot be reached."""
        return await self._get(_CLIENT_USAGE, "/v1/client/stats", "", {"node_id": client_id})

    async def file(self, allocation_id: str, path: str) -> FileInfo:
        """What is known of a file or directory of an allocation; raises NotFound when it or the allocation is gone."""
        return await self._get(_FILE, _path("client", "fs", "stat", allocation_id), "", {"path": path})

    async def read_file(self, allocation_id: str, path: str, *, offset: int, limit: int) -> bytes:
        """At most `limit` bytes of a file of an allocation; raises NotFound when it or the allocation is gone."""
        query = {**self._query(""), "path": path, "offset": str(offset), "limit": str(limit)}
        return (await self._transport.request("GET", _path("client", "fs", "readat", allocation_id), query)).body

    async def has_file(self, allocation_id: str, path: str) -> bool:
        """Whether an allocation holds a file or directory, e.g. `main/bin/sh`; False when it is gone itself."""
        try:
            await self.file(allocation_id, path)
        except NotFound:
            return False
        return True

    async def _deregister(self, namespace: str, job_id: str, *, purge: str) -> JobRegistration:
        query = {**self._query(namespace), "purge": purge}
        reply = await self._transport.request("DELETE", _path("job", job_id), query, control=True)
        return _decoded(_JOB_REGISTRATION, reply.body)

    async def _get(
        self, adapter: TypeAdapter[T], path: str, namespace: str, query: Mapping[str, str] | None = None
    ) -> T:
        asked = {**self._query(namespace), **(query or {})}
        return _decoded(adapter, (await self._transport.request("GET", path, asked)).body)

    async def _list(
        self, adapter: TypeAdapter[list[T]], path: str, namespace: str, query: Mapping[str, str]
    ) -> list[T]:
        asked = {**self._query(namespace), **query}
        rows: list[T] = []
        async for page in pages(self._transport, path, asked, compressed=True):
            more: list[T] = _decoded(adapter, page)
            rows += more
        return rows

    def _query(self, namespace: str) -> dict[str, str]:
        return {"namespace": namespace, "region": self._region} if self._region else {"namespace": namespace}


def _path(*parts: str) -> str:
    return "/".join(("/v1", *(quote(part, safe="") for part in parts)))


def _decoded(adapter: TypeAdapter[T], body: bytes) -> T:
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        places = {".".join(str(step) for step in detail["loc"]) for detail in error.errors(include_input=False)}
        raise Unavailable(
            f"Nomad's answer is not understood at {', '.join(sorted(places)[:3]) or 'its start'}"
        ) from None
