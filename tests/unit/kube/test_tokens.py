import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.kube.scripted import ScriptedConnection
from tests.unit.translators.pods import pod
from translators.material import TokenNeed
from translators.tokens import remembered
from vnode.errors import Unavailable
from vnode.kube.tokens import TokenRequester

NEED = TokenNeed("vault", 3607)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ANSWER = {
    "spec": {"expirationSeconds": 3607},
    "status": {"token": "the.token.itself", "expirationTimestamp": (NOON + timedelta(seconds=3607)).isoformat()},
}


async def test_a_token_is_bound_to_its_pod_and_lives_as_asked() -> None:
    connection = ScriptedConnection([ANSWER])
    found = await TokenRequester(connection, lambda: NOON).request(pod(), NEED)
    (call,) = connection.calls
    assert call.line == "POST /api/v1/namespaces/team-a/serviceaccounts/default/token"
    assert call.body["spec"] == {
        "audiences": ["vault"],
        "expirationSeconds": 3607,
        "boundObjectRef": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": "web-0",
            "uid": "6f1d0c5e-9a55-4a8e-8a5c-2f4a1f5a0001",
        },
    }
    assert (found.value, found.issued) == ("the.token.itself", NOON)
    assert "the.token" not in repr(found)


@pytest.mark.parametrize("wrong", [-timedelta(hours=2), timedelta(hours=2)])
async def test_its_life_begins_when_it_comes_whatever_our_clock_shows(wrong: timedelta) -> None:
    """By the server's times it would be over already, and another one asked for at once, for ever."""
    found = await TokenRequester(ScriptedConnection([ANSWER]), lambda: NOON + wrong).request(pod(), NEED)
    assert (found.issued, found.expires) == (NOON + wrong, NOON + wrong + timedelta(seconds=3607))
    assert not found.is_due(NOON + wrong, 0)


async def test_without_an_audience_it_is_the_api_servers() -> None:
    connection = ScriptedConnection([ANSWER])
    await TokenRequester(connection, lambda: NOON).request(pod(), TokenNeed("", 600))
    assert "audiences" not in connection.calls[0].body["spec"]


async def test_an_answer_that_is_not_understood_is_not_shown() -> None:
    connection = ScriptedConnection([{"status": {"token": "the.token.itself"}}])
    with pytest.raises(Unavailable) as caught:
        await TokenRequester(connection, lambda: NOON).request(pod(), NEED)
    assert "the.token" not in str(caught.value)


def written(**claims: object) -> bytes:
    return b"e30." + urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=") + b".c2ln"


def test_a_token_that_was_found_again_lives_as_it_was_asked_for() -> None:
    issued = int(NOON.timestamp())
    found = remembered(written(iat=issued, exp=issued + 365 * 86_400), NEED)
    assert found is not None
    assert (found.issued, found.expires - found.issued) == (NOON, timedelta(seconds=3607))
    short = remembered(written(iat=issued, exp=issued + 600), NEED)
    assert short is not None
    assert short.expires - short.issued == timedelta(seconds=600)


@pytest.mark.parametrize("text", [b"", b"a.b", b"a.!!.c", written(iat=1), written(iat="x", exp=2), b"e30.W10.x"])
def test_what_is_no_token_is_none(text: bytes) -> None:
    assert remembered(text, NEED) is None
