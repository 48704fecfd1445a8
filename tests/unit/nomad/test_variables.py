import json

import httpx
import pytest
import respx

from vnode.errors import Conflict
from vnode.nomad.transport import Transport
from vnode.nomad.variables import NomadVariables

PATH = "nomad/jobs/vk-1/pod"


@pytest.fixture
def variables(transport: Transport) -> NomadVariables:
    return NomadVariables(transport)


async def test_a_variable_is_created_only(variables: NomadVariables, nomad: respx.Router) -> None:
    route = nomad.put(path=f"/v1/var/{PATH}").respond(json={})
    await variables.create("team", PATH, {"allocation": "a1"})
    request = route.calls.last.request
    assert (request.url.params["namespace"], request.url.params["cas"]) == ("team", "0")
    assert json.loads(request.content) == {"Path": PATH, "Items": {"allocation": "a1"}}


async def test_one_that_is_there_already_is_a_conflict_that_shows_no_item(
    variables: NomadVariables, nomad: respx.Router
) -> None:
    nomad.put(path=f"/v1/var/{PATH}").respond(409, json={"Items": {"allocation": "secret"}})
    with pytest.raises(Conflict) as caught:
        await variables.create("team", PATH, {"allocation": "a1"})
    assert "secret" not in str(caught.value)


async def test_a_variable_is_removed(variables: NomadVariables, nomad: respx.Router) -> None:
    route = nomad.delete(path=f"/v1/var/{PATH}").respond(204)
    await variables.delete("team", PATH)
    assert route.calls.last.request.url.params["namespace"] == "team"


async def test_paths_are_listed_in_pages(variables: NomadVariables, nomad: respx.Router) -> None:
    pages = [
        httpx.Response(200, json=[{"Path": "nomad/jobs/vk-1/pod"}], headers={"X-Nomad-NextToken": "more"}),
        httpx.Response(200, json=[{"Path": "nomad/jobs/vk-2/pod"}]),
    ]
    route = nomad.get(path="/v1/vars").mock(side_effect=pages)
    assert await variables.paths("team", "nomad/jobs/vk-") == ["nomad/jobs/vk-1/pod", "nomad/jobs/vk-2/pod"]
    assert route.calls.last.request.url.params["next_token"] == "more"
