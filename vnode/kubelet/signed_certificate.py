"""A serving certificate by the cluster's signer `kubernetes.io/kubelet-serving`, renewed before it ends.

As a kubelet with serverTLSBootstrap: a request for `system:node:<node>`, which an approver of the cluster approves. The
key lives in memory only. Until the first approval, and should none come in time for the next, a certificate that nobody
vouches for stands in: callers that verify refuse it, the others can work. Source: k8s.io/client-go util/certificate.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from vnode.errors import PeerError
from vnode.kubelet.certificate import Certificate, ServingCertificate, alternatives, node_subject, private_key_pem

_log = structlog.get_logger(__name__)

_SIGNER: Literal["kubernetes.io/kubelet-serving"] = "kubernetes.io/kubelet-serving"
_USAGES = ("digital signature", "server auth")
#: The part of a certificate's life after which it is renewed lies between these two, as a kubelet's: Nodes that began
#: together do not ask together for ever.
_EARLIEST, _LATEST = 0.7, 0.9
_FIRST_BACKOFF, _LONGEST_BACKOFF = timedelta(seconds=10), timedelta(minutes=15)
#: A machine may be suspended, so the clock is looked at now and then.
_LONGEST_SLEEP = 3600.0
#: The cluster's signer dates back by five minutes (kubernetes pkg/controller/certificates/signer/signer.go), and a
#: certificate is fetched as soon as it is there: what seems older, or younger, shows that our clock is wrong.
_DATED_BACK = timedelta(minutes=10)


class Signer(Protocol):
    """The part of `vnode.kube.certificates.SigningRequests` that is needed."""

    async def create(
        self, prefix: str, signer: Literal["kubernetes.io/kubelet-serving"], usages: Sequence[str], request: bytes
    ) -> str:
        """Ask; returns the name of the request. Raises vnode.errors."""
        ...

    async def result(self, name: str) -> bytes:
        """Wait for the chain. Raises vnode.errors."""
        ...


@dataclass(frozen=True, slots=True)
class _Held:
    """What it is served with, until when, and when the next one is asked for, seconds of the steady clock."""

    certificate: Certificate
    ends: float
    renewed: float


class SignedCertificate:
    """The certificate that the cluster signed last, or what stands in for it; `run` asks for it and renews it.

    `now` is the time of day, which may be wrong and may be set; `steady` are seconds that nobody sets, a suspended
    machine's sleep included: the life of a certificate is counted by them.
    """

    def __init__(
        self,
        node: str,
        addresses: Sequence[str],
        signer: Signer,
        stand_in: ServingCertificate,
        *,
        now: Callable[[], datetime],
        steady: Callable[[], float],
        random: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._node = node
        self._addresses = tuple(addresses)
        self._signer = signer
        self._stand_in = stand_in
        self._now = now
        self._steady = steady
        self._random = random
        self._sleep = sleep
        self._held: _Held | None = None

    async def current(self) -> Certificate:
        """The signed one while it is valid."""
        if self._held is not None and self._steady() < self._held.ends:
            return self._held.certificate
        return await self._stand_in.current()

    async def run(self, renewed: Callable[[], Awaitable[None]]) -> None:
        """Ask, and ask again in time, for ever; `renewed` is told about every new certificate."""
        backoff = _FIRST_BACKOFF
        while True:
            try:
                held = await self._ask()
            except PeerError as error:
                _log.warning(
                    "no serving certificate from the cluster", error=str(error), retry_in=backoff.total_seconds()
                )
                await self._sleep(backoff.total_seconds())
                backoff = min(backoff * 2, _LONGEST_BACKOFF)
                continue
            backoff = _FIRST_BACKOFF
            self._held = held
            left = held.renewed - self._steady()
            _log.info("serves with a certificate signed by the cluster", renewed_in=round(left))
            await renewed()
            while (left := held.renewed - self._steady()) > 0:
                await self._sleep(min(left, _LONGEST_SLEEP))

    async def _ask(self) -> _Held:
        key = ec.generate_private_key(ec.SECP256R1())
        name = await self._signer.create(f"{self._node}-serving-", _SIGNER, _USAGES, self._request(key))
        _log.warning(
            "the serving certificate waits for its approval",
            approve=f"kubectl certificate approve {name}",
            addresses=list(self._addresses),
        )
        chain = await self._signer.result(name)
        return self._taken(chain, key)

    def _taken(self, chain: bytes, key: ec.EllipticCurvePrivateKey) -> _Held:
        """The moments count from the receipt: a signer dates back, which would have a short life renewed at once."""
        try:
            leaf = x509.load_pem_x509_certificates(chain)[0]
        except ValueError as error:
            raise UnusableCertificate(f"the cluster's signer sent no certificate: {error}") from error
        if leaf.public_key() != key.public_key():
            raise UnusableCertificate("the cluster's signer sent a certificate for another key")
        life = _life(leaf, self._now())
        if life <= 0:
            raise UnusableCertificate("the cluster's signer sent a certificate that has ended")
        received = self._steady()
        part = _EARLIEST + (_LATEST - _EARLIEST) * self._random()
        return _Held(Certificate(chain, private_key_pem(key)), received + life, received + life * part)

    def _request(self, key: ec.EllipticCurvePrivateKey) -> bytes:
        request = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(node_subject(self._node))
            .add_extension(alternatives(self._addresses), critical=False)
            .sign(key, hashes.SHA256())
        )
        return request.public_bytes(serialization.Encoding.PEM)


def _life(received: x509.Certificate, now: datetime) -> float:
    """The seconds that a certificate is still valid, as it says itself where our clock is wrong."""
    began, ends = received.not_valid_before_utc, received.not_valid_after_utc
    is_right = timedelta() <= now - began <= _DATED_BACK
    return (ends - (now if is_right else began)).total_seconds()


class UnusableCertificate(PeerError):
    """What came back cannot be served with."""
