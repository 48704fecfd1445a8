"""Serving certificates that the cluster signs: whoever approves them, as an administrator would."""

from tests.e2e.bed.bed import VNODE_USER, Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import Manifest
from tests.e2e.namespace import SOON

_REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


def approve(bed: Bed, node: str) -> None:
    """Wait for a request of vnode's that nobody has decided, and approve it."""

    def pending() -> Manifest | None:
        waiting = (each for each in bed.control_plane.api(_REQUESTS)["items"] if not each["status"])
        return next((each for each in waiting if each["metadata"]["name"].startswith(f"{node}-serving-")), None)

    found = wait_until(f"a certificate request of {node}", pending, within=SOON)
    if bed.profile == "secured":
        assert found["spec"]["username"] == VNODE_USER
    bed.kubectl("certificate", "approve", found["metadata"]["name"])
