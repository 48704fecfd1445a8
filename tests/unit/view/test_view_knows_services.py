from pydantic import TypeAdapter

from translators.records.sources import Service
from vnode.errors import Denied, Unavailable
from vnode.view.services import ServiceStore

_SERVICE = TypeAdapter(Service)


def service(name: str, namespace: str = "shop") -> Service:
    return _SERVICE.validate_python({"metadata": {"name": name, "namespace": namespace}})


def test_services_are_known_by_namespace_once_all_are() -> None:
    told: list[str] = []
    store = ServiceStore(lambda: told.append("synced"))
    assert store.of("shop") is None
    store.replace([service("b"), service("a"), service("kubernetes", "default")])
    assert [one.metadata.name for one in store.of("shop") or ()] == ["a", "b"]
    assert store.of("default") == ()
    store.remove(service("a"))
    store.remove(service("b"))
    assert store.of("shop") == ()
    store.replace([])
    assert told == ["synced"]


def test_pods_do_not_wait_for_what_we_may_not_read() -> None:
    told: list[str] = []
    store = ServiceStore(lambda: told.append("synced"))
    store.hindered(Unavailable("down"))
    assert store.of("shop") is None
    store.hindered(Denied("forbidden"))
    assert (store.of("shop"), told) == ((), ["synced"])
