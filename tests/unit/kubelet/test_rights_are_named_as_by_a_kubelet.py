from typing import Any

import pytest

from vnode.kubelet.authentication import Caller, bearer_token, caller_of_certificate
from vnode.kubelet.authorization import Access, needed_access
from vnode.kubelet.expiring_cache import ExpiringCache


@pytest.mark.parametrize(
    ("method", "path", "access"),
    [
        ("GET", "/containerLogs/default/shop/web", Access("get", ("proxy",))),
        ("GET", "/pods", Access("get", ("pods", "proxy"))),
        ("GET", "/runningpods/", Access("get", ("pods", "proxy"))),
        ("GET", "/healthz", Access("get", ("healthz", "proxy"))),
        ("GET", "/healthz/ping", Access("get", ("healthz", "proxy"))),
        ("GET", "/configz", Access("get", ("configz", "proxy"))),
        ("GET", "/stats/summary", Access("get", ("stats",))),
        ("GET", "/metrics", Access("get", ("metrics",))),
        ("GET", "/metrics/resource", Access("get", ("metrics",))),
        ("GET", "/logs/messages", Access("get", ("log",))),
        ("POST", "/checkpoint/a/b/c", Access("create", ("checkpoint",))),
        ("GET", "/statusz", Access("get", ("statusz",))),
        ("GET", "/flagz", Access("get", ("configz",))),
        ("GET", "/podsandmore", Access("get", ("proxy",))),
        ("GET", "/", Access("get", ("proxy",))),
        ("PUT", "/x", Access("update", ("proxy",))),
        ("PATCH", "/x", Access("patch", ("proxy",))),
        ("DELETE", "/x", Access("delete", ("proxy",))),
        ("HEAD", "/pods", Access("", ("pods", "proxy"))),
        ("GET", "/exec/a/b/c", Access("create", ("proxy",))),
        ("POST", "/exec/a/b/c", Access("create", ("proxy",))),
        ("GET", "/attach/a/b/c", Access("create", ("proxy",))),
        ("GET", "/run/a/b/c", Access("create", ("proxy",))),
        ("DELETE", "/portForward/a/b", Access("create", ("proxy",))),
        ("GET", "//exec/a/b/c", Access("create", ("proxy",))),
    ],
)
def test_a_path_needs_a_verb_and_one_of_some_subresources(method: str, path: str, access: Access) -> None:
    assert needed_access(method, path) == access


def certificate(*pairs: tuple[str, str]) -> dict[str, Any]:
    return {"subject": tuple((pair,) for pair in pairs)}


@pytest.mark.parametrize(
    ("peer", "caller"),
    [
        (None, None),
        ({}, None),
        (certificate(("organizationName", "system:masters")), None),
        (certificate(("commonName", "")), None),
        (certificate(("commonName", "alice"), ("commonName", "root")), None),
        (certificate(("commonName", "alice")), Caller(name="alice", groups=("system:authenticated",))),
        (
            certificate(("organizationName", "a"), ("organizationName", "b"), ("commonName", "alice")),
            Caller(name="alice", groups=("a", "b", "system:authenticated")),
        ),
    ],
)
def test_a_certificate_names_its_caller(peer: dict[str, Any] | None, caller: Caller | None) -> None:
    assert caller_of_certificate(peer) == caller


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, ""),
        ("", ""),
        ("Bearer", ""),
        ("Basic abc", ""),
        ("abc", ""),
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
    ],
)
def test_a_bearer_token_is_found(header: str | None, token: str) -> None:
    assert bearer_token(header) == token


def test_a_cache_is_bounded_and_drops_the_oldest() -> None:
    cache = ExpiringCache[str, int](size=2, clock=lambda: 0)
    for value, key in enumerate("abac"):
        cache.put(key, value, 10)
    assert (len(cache), cache.get("a"), cache.get("b"), cache.get("c")) == (2, 2, None, 3)


def test_a_cached_value_expires() -> None:
    times = [0.0]
    cache = ExpiringCache[str, int](size=2, clock=lambda: times[0])
    cache.put("a", 1, 10)
    times[0] = 9.9
    assert cache.get("a") == 1
    times[0] = 10.0
    assert (cache.get("a"), len(cache)) == (None, 0)
