from datetime import timedelta
from typing import Any

import pytest

from tests.unit.translators.pods import pod
from translators.tolerations import bears_a_lost_client

UNREACHABLE, NOT_READY = "node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"


def bears(key: str = "", seconds: int | None = None, **fields: Any) -> dict[str, Any]:
    given = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds, **fields}
    return {name: value for name, value in given.items() if value not in {"", None}}


@pytest.mark.parametrize(
    ("tolerations", "seconds"),
    [
        ([], 300),
        ([bears(NOT_READY, 300), bears(UNREACHABLE, 300)], 300),
        ([bears(NOT_READY, 300), bears(UNREACHABLE, 20)], 20),
        ([bears(NOT_READY, 300), bears(UNREACHABLE)], 300),
        ([bears(NOT_READY, 40), bears(UNREACHABLE)], 40),
        ([bears(UNREACHABLE)], 300),
        ([bears(NOT_READY), bears(UNREACHABLE)], None),
        ([bears()], None),
        ([bears(UNREACHABLE, 60), bears(UNREACHABLE, 20)], 20),
        ([bears(UNREACHABLE, 60), bears(UNREACHABLE)], 60),
        ([bears(UNREACHABLE, -5)], 0),
        ([bears(UNREACHABLE, 20, effect="NoSchedule")], 300),
        ([bears(UNREACHABLE, 20, operator="Equal")], 20),
        ([bears(UNREACHABLE, 20, operator="Equal", value="x")], 300),
    ],
)
def test_how_long_a_lost_client_is_borne(tolerations: list[dict[str, Any]], seconds: int | None) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert bears_a_lost_client(pod(tolerations=tolerations)) == expected
