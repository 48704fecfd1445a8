import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from translators.records.pods import Pod, PodUid
from translators.references import references
from translators.support import decode_pod
from vnode.delivery.subscriptions import Subscriptions
from vnode.kube.api import encode
from vnode.view.objects import ObjectStore

PODS = 500


class Api:
    """One ConfigMap, and a change of it when it is told."""

    def __init__(self) -> None:
        self.reads = 0
        self.watches = 0
        self.changes: asyncio.Queue[bytes] = asyncio.Queue()

    async def request(self, method: str, path: str, **_: Any) -> bytes:
        assert (method, path) == ("GET", "/api/v1/namespaces/team-a/configmaps")
        self.reads += 1
        return encode({"metadata": {"resourceVersion": "5"}, "items": [self.config_map("5", "old")]})

    async def watch(self, _path: str, _query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        self.watches += 1
        while True:
            yield await self.changes.get()

    def change(self, text: str) -> None:
        self.changes.put_nowait(encode({"type": "MODIFIED", "object": self.config_map("6", text)}))

    @staticmethod
    def config_map(version: str, text: str) -> dict[str, Any]:
        return {"metadata": {"name": "shared", "resourceVersion": version}, "data": {"k": text}}


def pod(number: int) -> Pod:
    uid = f"p{number}"
    spec = {
        "containers": [{"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        "volumes": [{"name": "v", "configMap": {"name": "shared"}}],
    }
    return decode_pod({"metadata": {"name": uid, "namespace": "team-a", "uid": uid}, "spec": spec})


async def settled() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


async def test_pods_that_share_a_config_map_cost_one_read_and_one_watch() -> None:
    woken: list[PodUid] = []
    api, store = Api(), ObjectStore(woken.append, lambda found: references(found, "docker"))
    async with asyncio.TaskGroup() as tasks:
        subscriptions = Subscriptions(api, store, tasks, clock=lambda: 0.0, random=lambda: 0.0)
        store.subscriber = subscriptions
        pods = [pod(number) for number in range(PODS)]
        for each in pods:
            store.look(each.uid, each)
        await settled()
        api.change("new")
        await settled()
        assert sorted(woken) == sorted(2 * [each.uid for each in pods])
        assert (api.reads, api.watches) == (1, 1)
        shown = store.material(pods[-1])
        assert [found.files["k"] for found in shown.objects.values() if found] == [b"new"]
        subscriptions.end()
