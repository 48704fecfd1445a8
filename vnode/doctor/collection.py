"""How many allocations the clients keep: Nomad's client counts running ones, too, and deletes the oldest finished ones.

Only a client's own agent tells, with `agent:read`; no server knows. Source: nomad/client/gc.go, /v1/agent/self.
"""

import asyncio
from collections.abc import Mapping, Sequence

from translators.records.allocations import Client
from vnode.doctor.findings import Finding, fine, trouble
from vnode.doctor.independent import Independent
from vnode.doctor.problems import Problem
from vnode.errors import Denied, PeerError
from vnode.nomad.client import NomadClient

CHECKED = "gc_max_allocs of the clients"
#: Clients that are asked, and how many at once.
_CLIENTS, _AT_ONCE = 20, 4
_LEAST_RECOMMENDED = 1000

Kept = int | str


def judge(kept: Mapping[str, Kept], max_pods: int) -> tuple[Finding, ...]:
    """Judge what each client keeps: a number, or why it is not known."""
    needed = 2 * max_pods
    recommended = max(_LEAST_RECOMMENDED, needed)
    small = {name: limit for name, limit in kept.items() if isinstance(limit, int) and limit < needed}
    unknown = {name: reason for name, reason in kept.items() if isinstance(reason, str)}
    found = [
        trouble(
            Problem.GC_MAX_ALLOCS,
            f"gc_max_allocs of client {name}",
            f"{limit}; {max_pods} Pods and as many finished ones need {needed}",
            recommended=recommended,
        )
        for name, limit in small.items()
    ]
    if unknown:
        first, reason = next(iter(unknown.items()))
        text = f"not known of {len(unknown)} of {len(kept)}, {first}: {reason}"
        found.append(trouble(Problem.GC_MAX_ALLOCS_UNKNOWN, CHECKED, text, recommended=recommended))
    return tuple(found) or (fine(CHECKED, f"at least {min(limit for limit in kept.values() if limit)}"),)


async def examine(
    nomad: Independent, ours: NomadClient, clients: Sequence[Client], max_pods: int
) -> tuple[Finding, ...]:
    """Ask the clients, the first 20 where there are more."""
    asked = [client for client in clients if client.status == "ready"][:_CLIENTS]
    gate = asyncio.Semaphore(_AT_ONCE)

    async def ask(client: Client) -> Kept:
        async with gate:
            return await _kept(nomad, ours, client)

    async with asyncio.TaskGroup() as group:
        answers = {client.name: group.create_task(ask(client)) for client in asked}
    return judge({name: answer.result() for name, answer in answers.items()}, max_pods)


async def _kept(nomad: Independent, ours: NomadClient, client: Client) -> Kept:
    encrypted = nomad.address.startswith("https:")
    # A name that was set for the servers is none of a client's.
    name = f"client.{nomad.region}.nomad" if nomad.server_name and encrypted else ""
    try:
        address = (await ours.client(client.id)).http_addr
        agent = nomad.at(f"{'https' if encrypted else 'http'}://{address}", name)
        answer = await agent.ask(lambda api: api.agent.get_agent())
        return int(answer["config"]["Client"]["GCMaxAllocs"])
    except Denied:
        return "the token has no agent:read"
    except PeerError as error:
        return str(error)
    except (KeyError, TypeError, ValueError):
        return "its agent does not tell"
