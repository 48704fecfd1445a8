import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from vnode.kubelet.standby import only_while_leading

REASON = "This replica of vnode stands by; vnode-b looks after the Node now. Try again."


async def answered(path: str, reason: str) -> tuple[int, str | None]:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="here")

    response = await only_while_leading(lambda: reason)(make_mocked_request("GET", path), handler)
    assert isinstance(response, web.Response)
    return response.status, response.text


@pytest.mark.parametrize("path", ["/healthz", "/healthz/ping", "/metrics", "/configz"])
async def test_about_itself_it_answers(path: str) -> None:
    assert await answered(path, REASON) == (200, "here")


@pytest.mark.parametrize(
    "path",
    ["/pods", "/containerLogs/a/b/c", "/metrics/resource", "/metrics/cadvisor", "/stats/summary", "/healthzandmore"],
)
async def test_about_pods_it_says_who_knows(path: str) -> None:
    assert await answered(path, REASON) == (503, REASON)


async def test_who_leads_answers_everything() -> None:
    assert await answered("/pods", "") == (200, "here")
