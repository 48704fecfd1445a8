"""The search for canaries finds a deliberate leak in whatever form it comes."""

import base64
import json

import pytest

from tests.e2e.canaries import leaks

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
