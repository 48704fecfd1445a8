import socket

import aiohttp
import pytest

from vnode.metrics import Metrics
from vnode.monitoring import monitoring


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("path", "problem", "status", "text"),
    [
        ("/healthz", "Pods were not listed yet", 200, "ok"),
        ("/readyz", "Pods were not listed yet", 503, "Pods were not listed yet"),
        ("/readyz", "", 200, "ok"),
        ("/metrics", "", 200, "vnode_rounds_total"),
    ],
)
async def test_each_question_has_its_answer(path: str, problem: str, status: int, text: str) -> None:
    port = free_port()
    async with (
        monitoring(port, Metrics().registry, lambda: problem),
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        assert answer.status == status
        assert text in await answer.text()


async def test_port_zero_listens_nowhere() -> None:
    async with monitoring(0, Metrics().registry, str):
        pass
