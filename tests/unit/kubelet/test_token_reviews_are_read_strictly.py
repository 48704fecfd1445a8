import json
from collections.abc import Mapping

import pytest

from vnode.kubelet.authentication import Authenticator, Caller


class Answering:
    """A Kubernetes API that gives one answer, and counts."""

    def __init__(self, status: object) -> None:
        self.status = status
        self.bodies: list[bytes] = []

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,  # noqa: ARG002 - the protocol's
        body: bytes | None = None,
        content_type: str = "application/json",
        within: float = 60.0,  # noqa: ARG002 - the protocol's
    ) -> bytes:
        assert (method, path) == ("POST", "/apis/authentication.k8s.io/v1/tokenreviews")
        assert content_type == "application/json"
        self.bodies.append(body or b"")
        return json.dumps({"kind": "TokenReview", "status": self.status}).encode()


ALICE = {"username": "alice"}


@pytest.mark.parametrize(
    ("status", "caller"),
    [
        ({"authenticated": True, "user": ALICE}, Caller(name="alice")),
        (
            {
                "authenticated": True,
                "user": {"username": "a", "uid": "1", "groups": ["g"], "extra": {"k": ["v", "w"], "b": ["c"]}},
                "audiences": ["api"],
            },
            Caller(name="a", uid="1", groups=("g",), extra=(("b", ("c",)), ("k", ("v", "w")))),
        ),
        ({"user": {}, "error": "invalid bearer token"}, None),
        ({"user": ALICE}, None),
        ({"authenticated": False, "user": ALICE}, None),
        ({"authenticated": "true", "user": ALICE}, None),
        ({"authenticated": 1, "user": ALICE}, None),
        ({"authenticated": None, "user": ALICE}, None),
        ({"authenticated": True, "user": {"username": ""}}, None),
        ({"authenticated": True}, None),
        ({}, None),
    ],
)
async def test_only_an_authenticated_named_user_is_somebody(status: object, caller: Caller | None) -> None:
    kubernetes = Answering(status)
    authenticator = Authenticator(kubernetes, lambda: 0)
    for _ in range(2):
        assert await authenticator.authenticate(None, "Bearer t0ken") == caller
    assert [json.loads(body)["spec"] for body in kubernetes.bodies] == [{"token": "t0ken"}]


async def test_another_token_is_another_question() -> None:
    kubernetes = Answering({"authenticated": True, "user": ALICE})
    authenticator = Authenticator(kubernetes, lambda: 0)
    for token in ("one", "two", "one"):
        await authenticator.authenticate(None, f"Bearer {token}")
    assert [json.loads(body)["spec"]["token"] for body in kubernetes.bodies] == ["one", "two"]
