"""Finding out by trying which capabilities a token has, where its policies cannot be read (a workload identity).

Requests are those of a run, and none changes anything: a list, a job that does not exist, the plan of a job that is
never registered (a valid one, for Nomad validates before it looks at rights), a variable that is written only if it is
there, files of an allocation, and a signal to a task that does not exist and a command in it. The last three need an
allocation, for Nomad looks for that first.
"""

import json
from collections.abc import Awaitable, Mapping
from typing import Any

from vnode.errors import Denied, PeerError, Unavailable
from vnode.nomad.client import JOB_PREFIX, NomadClient
from vnode.nomad.transport import Transport
from vnode.nomad.variables import NomadVariables

_NOTHING = f"{JOB_PREFIX}doctor"
_NO_VARIABLE = f"nomad/jobs/{_NOTHING}/doctor"
#: The index that no variable has: it is not written.
_NEVER = 1
_NO_TASK = "vnode-doctor-is-no-task"

Verdicts = Mapping[str, bool | None]


async def probe(transport: Transport, namespace: str) -> Verdicts:
    """Whether each capability is granted in the namespace, None where it does not show."""
    client, variables = NomadClient(transport), NomadVariables(transport)
    verdicts = {
        "list-jobs": await _verdict(client.jobs(namespace, _NOTHING)),
        "read-job": await _verdict(client.job(namespace, _NOTHING)),
        "submit-job": await _verdict(_plan(transport, namespace)),
        "variables:read": await _verdict(variables.get(namespace, _NO_VARIABLE)),
        "variables:write": await _verdict(variables.create(namespace, _NO_VARIABLE, {"a": "b"}, index=_NEVER)),
        "variables:destroy": await _verdict(variables.delete(namespace, _NO_VARIABLE)),
    }
    allocation = await _any_allocation(transport, namespace)
    if allocation is None:
        return {**verdicts, "alloc-lifecycle": None, "alloc-exec": None, "read-fs": None}
    return {
        **verdicts,
        "alloc-lifecycle": await _verdict(client.signal(allocation, _NO_TASK, "SIGCONT")),
        "alloc-exec": await _exec_verdict(transport, allocation),
        "read-fs": await _verdict(client.list_files(allocation, "alloc/logs")),
    }


async def _exec_verdict(transport: Transport, allocation: str) -> bool | None:
    """Nomad judges the right when the session is open, before it looks for the task."""
    query = {"task": _NO_TASK, "command": '["true"]'}
    try:
        async with transport.websocket(f"/v1/client/allocation/{allocation}/exec", query) as socket:
            return await _verdict(socket.receive()) is not False
    except PeerError:
        return None


async def _verdict(attempt: Awaitable[object]) -> bool | None:
    try:
        await attempt
    except Denied:
        return False
    except Unavailable:
        return None
    except PeerError:
        # Refused for another reason than our rights.
        return True
    return True


async def _plan(transport: Transport, namespace: str) -> None:
    task = {"Name": "doctor", "Driver": "docker", "Config": {"image": "doctor"}}
    job = {
        "ID": _NOTHING,
        "Name": _NOTHING,
        "Namespace": namespace,
        "Type": "batch",
        "Datacenters": ["*"],
        "TaskGroups": [{"Name": "doctor", "Count": 1, "Tasks": [task]}],
    }
    body = json.dumps({"Job": job, "Diff": False}).encode()
    await transport.request("PUT", f"/v1/job/{_NOTHING}/plan", {"namespace": namespace}, body=body)


async def _any_allocation(transport: Transport, namespace: str) -> str | None:
    """An allocation of ours, best one that runs; None when there is none or we may not list."""
    ours = f'JobID matches "^{JOB_PREFIX}"'
    for chosen in (f'{ours} and ClientStatus == "running"', ours):
        query = {"namespace": namespace, "per_page": "1", "filter": chosen}
        try:
            found: list[Mapping[str, Any]] = json.loads((await transport.request("GET", "/v1/allocations", query)).body)
        except PeerError:
            return None
        if found:
            return str(found[0]["ID"])
    return None
