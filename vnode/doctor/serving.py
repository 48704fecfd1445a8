"""Whether an API server would believe the serving certificate of the kubelet API.

The judge is a handshake in memory: a client that trusts the cluster's authorities calls the Node's address, as the API
server would. Whether the API server verifies at all cannot be asked of it.
"""

import ssl
from collections.abc import Sequence
from pathlib import Path

from vnode.doctor import tls
from vnode.doctor.findings import Finding, fine, skipped, trouble
from vnode.doctor.problems import Problem
from vnode.doctor.tls import TlsTrouble

CHECKED = "serving certificate"


def examine(certificate: Path | None, key: Path | None, address: str, authorities: Sequence[str] | None) -> Finding:
    """Judge the files.

    `authorities` are certificates in PEM, of all authorities of the cluster that are known; None when the cluster
    could not be asked.
    """
    if certificate is None and key is None:
        return trouble(Problem.SERVING_SELF_SIGNED, CHECKED, "none is set, vnode signs its own")
    if certificate is None or key is None:
        missing = "--kubelet-certificate" if certificate is None else "--kubelet-key"
        return trouble(Problem.SERVING_FILES, CHECKED, f"{missing} is not set")
    try:
        served = _server(certificate, key)
        own = certificate.read_text()
    except ssl.SSLError as error:
        return trouble(Problem.SERVING_FILES, CHECKED, f"{certificate} with {key}: {tls.said(error)}")
    except (OSError, ValueError) as error:
        return trouble(Problem.SERVING_FILES, CHECKED, f"{certificate} with {key}: {_reason(error)}")
    return _judged(certificate, served, own, address, authorities)


def _judged(
    certificate: Path, served: ssl.SSLContext, own: str, address: str, authorities: Sequence[str] | None
) -> Finding:
    # Trusting the certificate itself leaves its time and its names.
    error = _refusal(served, own, address)
    if error is not None:
        problem = {TlsTrouble.TIME: Problem.SERVING_EXPIRED, TlsTrouble.NAME: Problem.SERVING_NAME}.get(
            tls.judge(error), Problem.SERVING_UNTRUSTED
        )
        return trouble(problem, CHECKED, f"{certificate}: {tls.said(error)}", address=address)
    if authorities is None:
        return skipped(f"authority of the {CHECKED}", "for Kubernetes could not be asked for its authorities")
    if not authorities:
        return trouble(Problem.SERVING_UNTRUSTED, CHECKED, f"{certificate}: no authority of the cluster is known here")
    refusals = [_refusal(served, authority, address) for authority in authorities]
    if None in refusals:
        return fine(CHECKED, f"{certificate} is for {address} and signed by an authority of the cluster")
    words = next(tls.said(refusal) for refusal in refusals if refusal)
    return trouble(Problem.SERVING_UNTRUSTED, CHECKED, f"{certificate}: {words}")


def _server(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Without a password OpenSSL would ask for one on the terminal.
    context.load_cert_chain(certificate, key, password=lambda: "")
    return context


def _refusal(served: ssl.SSLContext, authority: str, address: str) -> ssl.SSLError | None:
    """Why a client that trusts only `authority` would refuse the server; None when it would not."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # As Go does: whatever is in the pool is an anchor, and extensions that it does not ask for may be missing.
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        trusting.load_verify_locations(cadata=authority)
        _handshake(served, trusting, address)
    except ssl.SSLError as error:
        return error
    return None


def _handshake(served: ssl.SSLContext, trusting: ssl.SSLContext, address: str) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname=address)
    server = served.wrap_bio(to_server, to_client, server_side=True)
    while True:
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            # It has what the client said, and answers as far as it gets.
            _answer(server)
        else:
            return


def _answer(server: ssl.SSLObject) -> None:
    try:
        server.do_handshake()
    except ssl.SSLWantReadError:
        return


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "not text in PEM"
