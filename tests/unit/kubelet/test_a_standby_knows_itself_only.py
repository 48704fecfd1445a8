import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from vnode.kubelet.standby import only_while_leading

PATHS = ("/containerLogs/shop/web/main", "/pods", "/exec/shop/web/main", "/healthz", "/healthz/ping", "/metrics")


async def answers(standby: str) -> dict[str, tuple[int, str]]:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    application = web.Application(middlewares=[only_while_leading(lambda: standby)])
    for path in PATHS:
        application.router.add_get(path, hello)
    found = {}
    async with TestClient(TestServer(application)) as client:
        for path in PATHS:
            answer = await client.get(path)
            found[path] = (answer.status, await answer.text())
    return found


async def test_while_we_lead_everything_is_answered() -> None:
    assert set((await answers("")).values()) == {(200, "hello")}


@pytest.mark.parametrize("path", PATHS[:3])
async def test_what_is_about_pods_is_left_to_the_leader(path: str) -> None:
    assert (await answers("vnode-2 looks after the Node"))[path] == (503, "vnode-2 looks after the Node")


@pytest.mark.parametrize("path", PATHS[3:])
async def test_what_is_about_ourselves_is_answered(path: str) -> None:
    assert (await answers("vnode-2 looks after the Node"))[path] == (200, "hello")
