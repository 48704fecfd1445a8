import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from translators.material import SECRET, DataObject, ObjectKey
from vnode.delivery import folder
from vnode.delivery.folder import FEW, Folder, Tools, WatchBudget
from vnode.errors import Denied
from vnode.kube.api import encode
from vnode.view.objects import Place


class Api:
    """Secrets of one namespace: lists answer at once, watches stay silent."""

    def __init__(self, *names: str, whole: bool = True) -> None:
        self.names = set(names)
        self.whole = whole
        self.lists: list[str] = []
        self.watches: set[str] = set()

    async def request(self, method: str, path: str, *, query: Mapping[str, str] | None = None, **_: Any) -> bytes:
        assert (method, path) == ("GET", "/api/v1/namespaces/team-a/secrets")
        selector = (query or {}).get("fieldSelector", "")
        self.lists.append(selector)
        if not selector and not self.whole:
            raise Denied("not all of them")
        chosen = {selector.removeprefix("metadata.name=")} & self.names if selector else self.names
        items = [{"metadata": {"name": name, "resourceVersion": "1"}, "data": {"k": "dg=="}} for name in sorted(chosen)]
        return encode({"metadata": {"resourceVersion": "5"}, "items": items})

    async def watch(self, _path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        selector = query.get("fieldSelector", "")
        self.watches.add(selector)
        try:
            await asyncio.Event().wait()
            yield b""
        finally:
            self.watches.discard(selector)


class Store:
    def __init__(self) -> None:
        self.held: dict[str, DataObject | None] = {}
        self.denied: dict[str, str] = {}

    def put(self, place: Place, found: DataObject | None) -> None:
        assert place == Place("team-a", ObjectKey(SECRET, place.key.name))
        self.held[place.key.name] = found

    def deny(self, place: Place, why: str) -> None:
        self.denied[place.key.name] = why


@asynccontextmanager
async def secrets(api: Api, store: Store, watches: int = 200) -> AsyncGenerator[Folder, None]:
    async with asyncio.TaskGroup() as tasks:
        tools = Tools(
            connection=api,
            store=store,
            tasks=tasks,
            clock=lambda: 0.0,
            random=lambda: 0.0,
            watches=WatchBudget(watches),
        )
        made = Folder("team-a", SECRET, tools)
        yield made
        made.end()


async def settled() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


async def test_a_few_objects_have_a_watch_each_and_their_absence_is_known() -> None:
    api, store = Api("s1"), Store()
    async with secrets(api, store) as found:
        found.follow("s1")
        found.follow("s2")
        await settled()
        assert api.watches == {"metadata.name=s1", "metadata.name=s2"}
        assert store.held["s1"] is not None
        assert store.held["s1"].files == {"k": b"v"}
        assert store.held["s2"] is None
        found.leave("s1")
        await settled()
        assert api.watches == {"metadata.name=s2"}
    assert api.watches == set()


async def test_many_objects_have_one_watch_together() -> None:
    names = [f"s{number}" for number in range(FEW + 2)]
    api, store = Api(*names), Store()
    async with secrets(api, store) as found:
        for name in names:
            found.follow(name)
        await settled()
        assert api.watches == {""}
        assert all(store.held[name] is not None for name in names)
        lists = len(api.lists)
        found.follow("later")
        await settled()
        assert (len(api.lists), store.held["later"]) == (lists, None)


async def test_whoever_may_not_see_all_has_a_watch_for_each() -> None:
    names = [f"s{number}" for number in range(FEW + 2)]
    api, store = Api(*names, whole=False), Store()
    async with secrets(api, store) as found:
        for name in names:
            found.follow(name)
        await settled()
        assert api.watches == {f"metadata.name={name}" for name in names}
        assert store.denied == {}


async def test_a_missing_right_names_the_namespace_and_the_way_out() -> None:
    class Closed(Api):
        async def request(self, method: str, path: str, **_: Any) -> bytes:
            raise Denied(f"{method} {path}: 403 Forbidden")

    store = Store()
    async with secrets(Closed(), store) as found:
        found.follow("s1")
        await settled()
    assert "may not read secrets in namespace team-a" in store.denied["s1"]
    assert "vnode-workloads" in store.denied["s1"]


async def test_beyond_the_bound_an_object_is_read_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_REREAD_SECONDS", 0.0)
    api, store = Api("s1"), Store()
    async with secrets(api, store, watches=0) as found:
        found.follow("s1")
        await settled()
        assert api.watches == set()
        assert store.held["s1"] is not None
        api.names.clear()
        await settled()
        assert store.held["s1"] is None
