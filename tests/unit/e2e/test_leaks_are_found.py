"""The search for canaries finds a deliberate leak in whatever form it comes."""

import base64
import json

import pytest

from tests.e2e.canaries import leaks, tokens

CANARY = 'canary-7d"1f\\-secret'


@pytest.mark.parametrize(
    "text",
    [
        f"2026 error: {CANARY}",
        json.dumps({"Env": {"A": f"x{CANARY}y"}}),
        *(base64.b64encode(b"x" * shift + CANARY.encode() + b"tail").decode() for shift in range(6)),
        base64.urlsafe_b64encode(CANARY.encode()).decode(),
        CANARY.encode().hex(),
        repr({"k": CANARY}),
    ],
)
def test_a_deliberate_leak_is_found(text: str) -> None:
    assert leaks({"a log": f"before {text} behind", "another": "nothing"}, [CANARY]) == ["a log"]


def test_a_canary_that_would_be_found_anywhere_is_refused() -> None:
    with pytest.raises(ValueError, match="proves nothing"):
        leaks({}, ["word"])


def _part(claims: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


def test_a_token_of_a_service_account_is_found_by_its_form() -> None:
    head, signature = _part({"alg": "RS256", "kid": "x"}), "s" * 40
    of_kubernetes = f"{head}.{_part({'kubernetes.io': {'namespace': 'n'}, 'sub': 'a'})}"
    of_nomad = f"{head}.{_part({'nomad_namespace': 'default', 'sub': 'b'})}"
    text = json.dumps({"env": f"TOKEN={of_kubernetes}.{signature}", "own": f"{of_nomad}.{signature}"})
    assert tokens(text) == [of_kubernetes]
