import json

import pytest
from structlog.testing import capture_logs

from tests.unit.nomad.scripted import ScriptedNomad
from vnode.errors import Unavailable
from vnode.nomad.grants import NomadGrants
from vnode.nomad.transport import Transport


@pytest.fixture
def grants(transport: Transport) -> NomadGrants:
    return NomadGrants(transport)


async def test_a_policy_is_for_one_job_and_what_lies_below_it(grants: NomadGrants, nomad: ScriptedNomad) -> None:
    route = nomad.put("/v1/acl/policy/vk-1").respond(200)
    await grants.allow("team", "vk-1")
    sent = json.loads(route.last.body)
    assert (sent["Name"], sent["JobACL"]) == ("vk-1", {"Namespace": "team", "JobID": "vk-1"})
    assert sent["Rules"] == (
        'namespace "team" { variables { path "nomad/jobs/vk-1/data/*" { capabilities = ["read"] } } }'
    )


async def test_one_that_is_gone_is_removed(grants: NomadGrants, nomad: ScriptedNomad) -> None:
    nomad.delete("/v1/acl/policy/vk-1").respond(404, text="ACL policy not found")
    await grants.forbid("vk-1")


async def test_one_that_cannot_be_removed_holds_nobody_up(grants: NomadGrants, nomad: ScriptedNomad) -> None:
    nomad.delete("/v1/acl/policy/vk-1").respond(403, text="Permission denied")
    with capture_logs() as logs:
        await grants.forbid("vk-1")
    assert [(line["policy"], line["log_level"]) for line in logs] == [("vk-1", "warning")]


@pytest.mark.parametrize(("status", "text"), [(403, "Permission denied"), (400, "ACL support disabled")])
async def test_a_token_that_is_refused_is_told_apart_from_ours(
    grants: NomadGrants, nomad: ScriptedNomad, status: int, text: str
) -> None:
    nomad.put("/v1/acl/policy/vk-1").respond(status, text=text)
    with pytest.raises(Unavailable, match=f"nomad-policy-token-file cannot be used .*{text}"):
        await grants.allow("team", "vk-1")
