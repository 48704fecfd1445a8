"""Certificates by the cluster's own signers: ask, wait for an approval, receive. Protocol: certificates.k8s.io/v1.

Whoever asks does not need to be whom the certificate names: signers look at the request only, approvers at both.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vnode.errors import PeerError
from vnode.kube.api import Watches, decode_object, encode
from vnode.kube.reflector import Reflector

_PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


class NotSigned(PeerError):
    """The request was denied, its signer found it wrong, or it was removed before somebody decided."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What has become of a request: the chain in PEM, or why there is none."""

    chain: bytes = b""
    refusal: str = ""


def decision(request: Mapping[str, Any]) -> Decision | None:
    """Read a CertificateSigningRequest; None while it waits for its approver or its signer."""
    status = request.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") in {"Denied", "Failed"} and condition.get("status") == "True":
            words = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
            return Decision(refusal=f"{condition['type']}: {words or 'no reason given'}")
    if not (certificate := status.get("certificate")):
        return None
    try:
        return Decision(chain=base64.b64decode(certificate, validate=True))
    except (binascii.Error, ValueError):
        return Decision(refusal="the certificate is not base64")


class SigningRequests:
    """Asks the signers of one cluster. Needs `create`, `list` and `watch` of certificatesigningrequests."""

    def __init__(self, kubernetes: Watches, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._kubernetes = kubernetes
        self._clock = clock
        self._random = random

    async def create(
        self, prefix: str, signer: Literal["kubernetes.io/kubelet-serving"], usages: Sequence[str], request: bytes
    ) -> str:
        """Ask; `request` is PKCS #10 in PEM. Returns the request's name, `prefix` and a random ending."""
        body = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"generateName": prefix},
            "spec": {"request": base64.b64encode(request).decode(), "signerName": signer, "usages": list(usages)},
        }
        return str(decode_object(await self._kubernetes.request("POST", _PATH, body=encode(body)))["metadata"]["name"])

    async def result(self, name: str) -> bytes:
        """Wait for the certificate chain, in PEM, for as long as it takes.

        The cluster removes a request that nobody approved after a day. Raises NotSigned.
        """
        waiting = _Waiting()
        query = {"fieldSelector": f"metadata.name={name}"}
        reflector = Reflector(self._kubernetes, _PATH, query, decision, waiting, self._clock, self._random)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(reflector.run())
            made = await waiting.decided
            following.cancel()
        if made.refusal:
            raise NotSigned(f"{name}: {made.refusal}")
        return made.chain


class _Waiting:
    """A reflector's sink that waits for a decision."""

    def __init__(self) -> None:
        self.decided: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()

    def replace(self, found: Sequence[Decision | None], /) -> None:
        """A list: the request, or nothing when it is gone."""
        if found:
            self.apply(found[0])
        else:
            self.remove(None)

    def apply(self, found: Decision | None, /) -> None:
        """It changed."""
        if found is not None and not self.decided.done():
            self.decided.set_result(found)

    def remove(self, _: Decision | None, /) -> None:
        """It is gone."""
        if not self.decided.done():
            self.decided.set_result(Decision(refusal="removed before it was decided"))
