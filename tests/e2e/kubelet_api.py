"""Calls to the kubelet API of vnode itself, past the API server: as whoever one likes."""

import re
import ssl

import httpx2

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.certificates import Pair
from tests.e2e.bed.vnode_process import VnodeProcess


def client(bed: Bed, vnode: VnodeProcess, *, pair: Pair | None = None, token: str = "") -> httpx2.Client:
    """A caller with this client certificate, or this bearer token, or nothing at all; close it."""
    context = ssl.create_default_context(cafile=str(bed.control_plane.authority.certificate))
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    address, port = vnode.kubelet_address
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.Client(
        base_url=f"https://{address}:{port}", verify=context, headers=headers, trust_env=False, timeout=30
    )


def metric(api: httpx2.Client, name: str) -> float:
    """The value of a metric without labels."""
    found = re.search(rf"^{name} (\S+)$", api.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0
