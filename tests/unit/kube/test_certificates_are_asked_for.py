import asyncio
import base64
from typing import Any

import pytest

from tests.unit.kube.scripted import ScriptedConnection, Stream
from vnode.errors import Denied
from vnode.kube.certificates import Decision, NotSigned, SigningRequests, decision

PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
CHAIN = b"-----BEGIN CERTIFICATE-----"


def request(version: int, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "nomad-serving-1", "resourceVersion": str(version)}, "status": status}


def page(*items: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "1"}, "items": list(items)}


def condition(kind: str, reason: str = "", message: str = "", status: str = "True") -> dict[str, str]:
    return {"type": kind, "reason": reason, "message": message, "status": status}


APPROVED = condition("Approved", "KubectlApprove")
SIGNED = {"conditions": [APPROVED], "certificate": base64.b64encode(CHAIN).decode()}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, None),
        ({"conditions": None}, None),
        ({"conditions": [APPROVED]}, None),
        (SIGNED, Decision(chain=CHAIN)),
        ({"conditions": [condition("Denied", "KubectlDeny", "no")]}, Decision(refusal="Denied: KubectlDeny: no")),
        ({"conditions": [condition("Denied")]}, Decision(refusal="Denied: no reason given")),
        ({"conditions": [condition("Denied", status="False")]}, None),
        (
            {"conditions": [APPROVED, condition("Failed", "SignerValidationFailure", "usages did not match")]},
            Decision(refusal="Failed: SignerValidationFailure: usages did not match"),
        ),
        ({"certificate": "not base64!"}, Decision(refusal="the certificate is not base64")),
    ],
)
def test_a_request_is_read(status: dict[str, Any], expected: Decision | None) -> None:
    assert decision({"status": status}) == expected


def requests(connection: ScriptedConnection) -> SigningRequests:
    return SigningRequests(connection, connection.clock.monotonic, lambda: 0.5)


async def test_a_request_names_signer_and_usages_and_gets_a_name_of_its_own() -> None:
    connection = ScriptedConnection([request(1)])
    name = await requests(connection).create(
        "nomad-serving-", "kubernetes.io/kubelet-serving", ("digital signature", "server auth"), b"PEM"
    )
    assert name == "nomad-serving-1"
    assert connection.lines == [f"POST {PATH}"]
    assert connection.calls[0].body == {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"generateName": "nomad-serving-"},
        "spec": {
            "request": base64.b64encode(b"PEM").decode(),
            "signerName": "kubernetes.io/kubelet-serving",
            "usages": ["digital signature", "server auth"],
        },
    }


async def test_a_missing_right_is_told() -> None:
    with pytest.raises(Denied):
        await requests(ScriptedConnection([Denied("403")])).create("x-", "kubernetes.io/kubelet-serving", (), b"")


async def test_the_certificate_is_waited_for() -> None:
    approved = {"type": "MODIFIED", "object": request(2, conditions=[APPROVED])}
    signed = {"type": "MODIFIED", "object": request(3, **SIGNED)}
    connection = ScriptedConnection([page(request(1)), Stream((approved, signed))])
    assert await requests(connection).result("nomad-serving-1") == CHAIN
    assert {call.query["fieldSelector"] for call in connection.calls} == {"metadata.name=nomad-serving-1"}


async def test_a_denial_ends_the_wait() -> None:
    connection = ScriptedConnection([page(request(1, conditions=[condition("Denied", "KubectlDeny")]))])
    with pytest.raises(NotSigned, match="nomad-serving-1: Denied: KubectlDeny"):
        await requests(connection).result("nomad-serving-1")


@pytest.mark.parametrize("script", [[page()], [page(request(1)), Stream(({"type": "DELETED", "object": request(2)},))]])
async def test_a_request_that_was_removed_is_waited_for_no_more(script: list[Any]) -> None:
    with pytest.raises(NotSigned, match="removed before it was decided"):
        await requests(ScriptedConnection(script)).result("nomad-serving-1")


async def test_who_gives_up_leaves_no_watch_behind() -> None:
    connection = ScriptedConnection([page(request(1))])
    waiting = asyncio.ensure_future(requests(connection).result("nomad-serving-1"))
    await connection.exhausted.wait()
    before = len(asyncio.all_tasks())
    waiting.cancel()
    await asyncio.wait((waiting,))
    assert len(asyncio.all_tasks()) == before - 2
