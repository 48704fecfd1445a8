import json

import pytest

from tests.unit.nomad.scripted import ScriptedNomad, response
from translators.records.storage import HostVolume, HostVolumeCapability
from vnode.errors import Unavailable
from vnode.nomad.host_volumes import NomadHostVolumes
from vnode.nomad.transport import Transport

WANTED = HostVolume(
    namespace="team",
    name="pvc-1",
    plugin_id="mkdir",
    node_id="n1",
    requested_capacity_min_bytes=1,
    requested_capacity_max_bytes=1,
    requested_capabilities=(HostVolumeCapability(access_mode="single-node-multi-writer"),),
    parameters={"mode": "0777"},
)


@pytest.fixture
def volumes(transport: Transport) -> NomadHostVolumes:
    return NomadHostVolumes(transport)


async def test_a_volume_is_made(volumes: NomadHostVolumes, nomad: ScriptedNomad) -> None:
    made = {"Volume": {"ID": "h1", "Name": "pvc-1", "NodeID": "n1", "State": "pending", "CapacityBytes": 0}}
    route = nomad.put("/v1/volume/host/create").respond(json=made)
    found = await volumes.create(WANTED)
    assert (found.id, found.node_id, found.is_ready) == ("h1", "n1", False)
    assert route.last.url.query["namespace"] == "team"
    sent = json.loads(route.last.body)["Volume"]
    assert (sent["PluginID"], sent["NodeID"], sent["Parameters"]) == ("mkdir", "n1", {"mode": "0777"})
    assert sent["RequestedCapabilities"] == [
        {"AccessMode": "single-node-multi-writer", "AttachmentMode": "file-system"}
    ]


async def test_an_answer_that_is_none_leaves_open_what_was_made(
    volumes: NomadHostVolumes, nomad: ScriptedNomad
) -> None:
    nomad.put("/v1/volume/host/create").respond(json={})
    with pytest.raises(Unavailable):
        await volumes.create(WANTED)


async def test_volumes_are_found_by_their_whole_name_oldest_first(
    volumes: NomadHostVolumes, nomad: ScriptedNomad
) -> None:
    def row(name: str, index: int) -> dict[str, object]:
        return {"ID": f"h{index}", "Name": name, "State": "ready", "CreateIndex": index}

    route = nomad.get("/v1/volumes").script(
        response(json=[row("pvc-1", 9), row("pvc-10", 1)], headers={"X-Nomad-NextToken": "more"}),
        response(json=[row("pvc-1", 7)]),
    )
    assert [each.id for each in await volumes.named("team", "pvc-1")] == ["h7", "h9"]
    assert route.last.url.query["type"] == "host"
    assert route.last.url.query["next_token"] == "more"


async def test_one_that_is_gone_is_removed(volumes: NomadHostVolumes, nomad: ScriptedNomad) -> None:
    route = nomad.delete("/v1/volume/host/h1/delete").respond(500, text="no such volume: h1")
    await volumes.delete("team", "h1")
    assert route.last.url.query["namespace"] == "team"


async def test_one_in_use_is_not(volumes: NomadHostVolumes, nomad: ScriptedNomad) -> None:
    nomad.delete("/v1/volume/host/h1/delete").respond(500, text="volume h1 in use by allocations: [a1]")
    with pytest.raises(Unavailable, match="in use by allocations"):
        await volumes.delete("team", "h1")
