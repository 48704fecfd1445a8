import json

import pytest

from tests.unit.nomad.scripted import ScriptedNomad, response
from vnode.errors import Conflict
from vnode.nomad.transport import Transport
from vnode.nomad.variables import NomadVariables

PATH = "nomad/jobs/vk-1/pod"


@pytest.fixture
def variables(transport: Transport) -> NomadVariables:
    return NomadVariables(transport)


async def test_a_variable_is_created_only(variables: NomadVariables, nomad: ScriptedNomad) -> None:
    route = nomad.put(f"/v1/var/{PATH}").respond(json={})
    await variables.create("team", PATH, {"allocation": "a1"})
    assert (route.last.url.query["namespace"], route.last.url.query["cas"]) == ("team", "0")
    assert json.loads(route.last.body) == {"Path": PATH, "Items": {"allocation": "a1"}}


async def test_one_that_is_there_already_is_a_conflict_that_shows_no_item(
    variables: NomadVariables, nomad: ScriptedNomad
) -> None:
    nomad.put(f"/v1/var/{PATH}").respond(409, json={"Items": {"allocation": "secret"}})
    with pytest.raises(Conflict) as caught:
        await variables.create("team", PATH, {"allocation": "a1"})
    assert "secret" not in str(caught.value)


async def test_a_variable_is_removed(variables: NomadVariables, nomad: ScriptedNomad) -> None:
    route = nomad.delete(f"/v1/var/{PATH}").respond(204)
    await variables.delete("team", PATH)
    assert route.last.url.query["namespace"] == "team"


async def test_paths_are_listed_in_pages(variables: NomadVariables, nomad: ScriptedNomad) -> None:
    route = nomad.get("/v1/vars").script(
        response(json=[{"Path": "nomad/jobs/vk-1/pod"}], headers={"X-Nomad-NextToken": "more"}),
        response(json=[{"Path": "nomad/jobs/vk-2/pod"}]),
    )
    assert await variables.paths("team", "nomad/jobs/vk-") == ["nomad/jobs/vk-1/pod", "nomad/jobs/vk-2/pod"]
    assert route.last.url.query["next_token"] == "more"
