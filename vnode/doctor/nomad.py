"""The examination of Nomad, from the outside in: files, addresses, leader, clock, region, token, rights, clients."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from vnode.connections import nomad_settings
from vnode.doctor import addresses, clocks, collection, files, namespaces, pool, tokens
from vnode.doctor.access import CAPABILITIES, OF_VOLUMES
from vnode.doctor.addresses import Visit
from vnode.doctor.door import Answer
from vnode.doctor.findings import Finding, fine, skipped, trouble
from vnode.doctor.independent import Independent
from vnode.doctor.problems import Problem
from vnode.doctor.tokens import Rights
from vnode.errors import Denied, PeerError
from vnode.nomad.client import NomadClient
from vnode.nomad.credentials import Credentials, Identity
from vnode.nomad.settings import NomadSettings
from vnode.nomad.transport import Transport, connect
from vnode.settings import Settings

_LEADER, _REGION = "leader of Nomad", "region of Nomad"
_CAPABILITIES, _POOL, _DRIVERS = "capabilities", "clients of the node pool", "drivers"
_VERSIONS = "versions of Nomad"
_CLOCK = "clock of Nomad"
_ORDER = (
    "addresses of Nomad",
    _LEADER,
    _CLOCK,
    _REGION,
    tokens.CHECKED,
    namespaces.CHECKED,
    _CAPABILITIES,
    _POOL,
    _DRIVERS,
    _VERSIONS,
    collection.CHECKED,
)


@dataclass(frozen=True, slots=True)
class NomadExamination:
    """One look at Nomad; nothing is written. `kubernetes_namespaces` are those whose Pods are bound to our Node."""

    settings: Settings
    kubernetes_namespaces: Iterable[str]
    now: Callable[[], datetime]

    async def run(self) -> tuple[Finding, ...]:
        """All findings, in order."""
        try:
            ours = nomad_settings(self.settings)
            identity = await Credentials(ours, time.monotonic).identity()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            complaint = await asyncio.to_thread(files.complaint, self.settings, error)
            unusable = trouble(Problem.NOMAD_SETTINGS, "settings of Nomad", complaint)
            return unusable, *_rest(_ORDER[0], "because of those settings")
        asked = self.now()
        visits = await addresses.examine(ours, identity.tls)
        answered = self.now()
        found = tuple(finding for visit in visits for finding in visit.findings)
        inside = next((visit for visit in visits if visit.answer), None)
        if inside is None or inside.answer is None:
            return *found, *_rest(_LEADER, "because no address of Nomad answers as it should")
        led = _judge_leader(inside.answer)
        if led.fails:
            return *found, led, *_rest(_CLOCK, "because Nomad has no leader")
        told = inside.answer.date
        clock = clocks.compare("Nomad", told, asked, answered) if told else skipped(_CLOCK, "because it tells no time")
        return *found, led, clock, *await self._region(_independent(self.settings, inside, identity), ours)

    async def _region(self, nomad: Independent, ours: NomadSettings) -> tuple[Finding, ...]:
        try:
            regions: list[str] = await nomad.ask(lambda api: api.regions.get_regions())
        except PeerError as error:
            found = trouble(Problem.NOMAD_ADDRESS, _REGION, str(error))
            return found, *_rest(tokens.CHECKED, "because Nomad does not name its regions")
        if self.settings.nomad_region not in regions:
            known = ", ".join(sorted(regions))
            found = trouble(Problem.NOMAD_REGION, _REGION, f"{self.settings.nomad_region} is not known", regions=known)
            return found, *_rest(tokens.CHECKED, "because the region is not known")
        return fine(_REGION, self.settings.nomad_region), *await self._token(nomad, ours)

    async def _token(self, nomad: Independent, ours: NomadSettings) -> tuple[Finding, ...]:
        judged = await tokens.examine(nomad)
        if judged.rights is None:
            return judged.finding, *_rest(namespaces.CHECKED, "because Nomad does not accept the token")
        there = await namespaces.examine(nomad, self.settings.namespace_map, self.kubernetes_namespaces)
        async with connect(ours) as transport:
            rights = await self._rights(transport, there.usable, judged.rights)
            clients = await self._clients(nomad, transport)
        return judged.finding, *there.findings, *rights, *clients

    async def _rights(self, transport: Transport, usable: tuple[str, ...], rights: Rights) -> tuple[Finding, ...]:
        if not usable:
            return (skipped(_CAPABILITIES, "because there is no namespace to have them in"),)
        needed = {**CAPABILITIES, **(OF_VOLUMES if self.settings.persistent_volumes else {})}
        return await namespaces.capabilities(transport, usable, rights, needed)

    async def _clients(self, nomad: Independent, transport: Transport) -> tuple[Finding, ...]:
        client = NomadClient(transport)
        try:
            clients = await client.clients()
        except Denied:
            return namespaces.lacks_node_read(), *_rest(_POOL, "because that needs node:read")
        except PeerError as error:
            found = trouble(Problem.NOMAD_ADDRESS, "clients of Nomad", str(error))
            return found, *_rest(_POOL, "because Nomad does not list its clients")
        ours = pool.members(clients, self.settings.node_pool, self.settings.datacenters)
        judged = pool.judge_pool(ours, self.settings.node_pool)
        versions = pool.judge_versions(ours, await _servers(nomad))
        if judged.fails:
            because = "because no client of the pool takes Pods"
            return judged, skipped(_DRIVERS, because), *versions, skipped(collection.CHECKED, because)
        drivers = pool.judge_drivers(ours, self.settings.default_driver, self.settings.policy)
        kept = await collection.examine(nomad, client, ours, self.settings.max_pods)
        return judged, *drivers, *versions, *kept


def _independent(settings: Settings, visit: Visit, identity: Identity) -> Independent:
    return Independent(
        address=visit.door.address,
        region=settings.nomad_region,
        token=identity.token,
        ca_cert=settings.nomad_ca_cert,
        client_cert=settings.nomad_client_cert,
        client_key=settings.nomad_client_key,
        server_name=settings.nomad_tls_server_name,
    )


def _judge_leader(answer: Answer) -> Finding:
    leader = answer.body.strip('"')
    if answer.status == 200 and leader:  # noqa: PLR2004 - HTTP: OK
        return fine(_LEADER, leader)
    return trouble(Problem.NOMAD_LEADER, _LEADER, leader[:200] or "none")


async def _servers(nomad: Independent) -> dict[str, str]:
    """Versions of the servers by name; empty where they are not told, as by an agent that is a client only."""
    try:
        known = (await nomad.ask(lambda api: api.agent.get_members()))["Members"] or ()
        return {str(member["Name"]): str(member["Tags"]["build"]) for member in known}
    except (PeerError, KeyError, TypeError):
        return {}


def _rest(first: str, because: str) -> tuple[Finding, ...]:
    return tuple(skipped(name, because) for name in _ORDER[_ORDER.index(first) :])
