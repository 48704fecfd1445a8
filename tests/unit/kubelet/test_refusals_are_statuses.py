"""What exec, attach and port-forward refuse reaches kubectl, whichever version."""

import json

import pytest

from tests.unit.kubelet.api import Api


@pytest.mark.parametrize("path", ["/exec/default/gone/web", "/attach/default/gone/web", "/portForward/default/gone"])
async def test_a_refused_upgrade_is_a_status_that_keeps_the_words(api: Api, path: str) -> None:
    status, text = await api.text(f"{path}?command=ls&output=1", token="alices")
    answer = json.loads(text)
    assert (answer["kind"], answer["status"], answer["code"], answer["reason"]) == (
        "Status",
        "Failure",
        status,
        "NotFound",
    )
    assert "does not exist" in answer["message"]


async def test_logs_are_refused_with_a_text_as_by_a_kubelet(api: Api) -> None:
    _, text = await api.text("/containerLogs/default/gone/web", token="alices")
    assert not text.startswith("{")
