"""The serving certificate of a virtual Node: files that are read again when they change, or self-signed.

One that the cluster signs is in signed_certificate.py.

An API server without `--kubelet-certificate-authority` (kubeadm's default) accepts any certificate; with it
the certificate must come from that authority and name the Node's address.
"""

import asyncio
import ipaddress
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_log = structlog.get_logger(__name__)

#: Characters of a Node's name that fit into a certificate's common name.
LONGEST_NAME = 64 - len("system:node:")

_LIFETIME = timedelta(days=365)
_RENEWED_BEFORE = timedelta(days=60)
_BACK_DATED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate chain and its private key, PEM."""

    chain: bytes
    key: bytes

    @property
    def ends(self) -> float:
        """When it is valid no more, seconds since the epoch; NaN where that cannot be read."""
        try:
            return x509.load_pem_x509_certificates(self.chain)[0].not_valid_after_utc.timestamp()
        except ValueError:
            return math.nan

    def __repr__(self) -> str:
        """Without the key, which must not reach a log."""
        return f"Certificate({len(self.chain)} bytes)"


class ServingCertificate(Protocol):
    """Where the certificate comes from; asked again and again, so that it can change."""

    async def current(self) -> Certificate:
        """The certificate to serve with from now on. Raises OSError when it cannot be read."""
        ...


class FileCertificate:
    """A certificate and key that somebody else renews, as kubelet's --tls-cert-file."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._paths = (certificate, key)

    async def current(self) -> Certificate:
        """What the files hold now."""
        chain, key = [await asyncio.to_thread(path.read_bytes) for path in self._paths]
        return Certificate(chain, key)


class SelfSignedCertificate:
    """A certificate that nobody vouches for; lives in memory only and renews itself."""

    def __init__(self, node: str, addresses: Sequence[str], now: Callable[[], datetime]) -> None:
        self._node = node
        self._addresses = tuple(addresses)
        self._now = now
        self._certificate: Certificate | None = None
        self._renew_at = now()

    async def current(self) -> Certificate:
        """The certificate, made at the first call and again 60 days before it expires."""
        if self._certificate is None or self._now() >= self._renew_at:
            _log.warning(
                "serving with a SELF-SIGNED certificate: callers cannot verify this Node. Let the cluster sign one "
                "(--server-tls-bootstrap), or set one signed by the authority that the API server trusts for kubelets "
                "(--kubelet-certificate, --kubelet-key)",
                node=self._node,
                addresses=list(self._addresses),
            )
            self._certificate = self_signed(self._node, self._addresses, self._now())
            self._renew_at = self._now() + _LIFETIME - _RENEWED_BEFORE
        return self._certificate


def self_signed(node: str, addresses: Sequence[str], now: datetime) -> Certificate:
    """A new P-256 certificate for `system:node:<node>` that is valid for the addresses, IPs or DNS names."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = node_subject(node[:LONGEST_NAME])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACK_DATED)
        .not_valid_after(now + _LIFETIME)
        .add_extension(alternatives(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Certificate(certificate.public_bytes(serialization.Encoding.PEM), private_key_pem(key))


def node_subject(node: str) -> x509.Name:
    """A Node's name in certificates, whose common name has 64 characters at most."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"system:node:{node}"),
        ]
    )


def alternatives(addresses: Sequence[str]) -> x509.SubjectAlternativeName:
    """The addresses, IPs or DNS names, that a certificate is for."""
    return x509.SubjectAlternativeName([_alternative(each) for each in addresses])


def private_key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A key as a server loads it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _alternative(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)
