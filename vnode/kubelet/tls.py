"""The TLS side of the server: what it serves with, and whom it believes, as one immutable value."""

import os
import ssl
from dataclasses import dataclass

import structlog

from vnode.errors import PeerError
from vnode.kubelet.certificate import Certificate, ServingCertificate
from vnode.kubelet.client_authority import ClientAuthority

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """Serving certificate and client authority (PEM, may be empty) at one moment."""

    certificate: Certificate
    client_authority: str

    def context(self) -> ssl.SSLContext:
        """A server's context: TLS 1.2 or newer; client certificates are verified where they are sent.

        Raises ssl.SSLError when certificate, key or authority are unusable.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(context, self.certificate)
        if self.client_authority:
            context.load_verify_locations(cadata=self.client_authority)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context


class TlsSource:
    """Puts the material together; `complete` tells whether the client authority could be read last time."""

    def __init__(self, certificate: ServingCertificate, client_authority: ClientAuthority) -> None:
        self._certificate = certificate
        self._client_authority = client_authority
        self._authority = ""
        self.complete = False

    async def current(self) -> TlsMaterial:
        """The material of this moment.

        Without an authority callers need a bearer token, and the API server's own requests get 401: it is
        asked for again at the next call. One that was read before stays in force. Raises OSError when the
        serving certificate cannot be read.
        """
        certificate = await self._certificate.current()
        try:
            self._authority = await self._client_authority.current()
            self.complete = True
        except (PeerError, OSError) as error:
            self.complete = False
            _log.warning("cannot read the cluster's client authority", error=str(error), kept=bool(self._authority))
        return TlsMaterial(certificate, self._authority)


def _load(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Load from memory: `ssl` takes only paths, and a key must not lie on a disk for that."""
    descriptor = os.memfd_create("vnode-serving-certificate", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(certificate.key.rstrip() + b"\n" + certificate.chain)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
