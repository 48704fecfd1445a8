"""Statuses: of all that vnode has published in a whole run, the API server has rejected nothing.

Collected last, for the audit log of the whole run is read.
"""

import pytest

from tests.e2e.bed import audit
from tests.e2e.bed.bed import VNODE_USER, Bed
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import pod
from tests.e2e.namespace import SOON, Namespace

_PUBLISHES = audit.Right("patch", "", "pods/status")
_AGENT = "vnode/"


@pytest.fixture(autouse=True)
def _secured(bed: Bed) -> None:
    if bed.profile != "secured":
        pytest.skip("in the plain profile vnode has no name of its own")


def test_no_status_is_rejected(bed: Bed, namespace: Namespace) -> None:
    namespace.create(pod("main", "sleep 1", restart="Never"))
    namespace.wait_phase("main", "Succeeded")
    assert _PUBLISHES in audit.used(bed.audit_log, VNODE_USER, agent=_AGENT)
    assert audit.rejected(bed.audit_log, VNODE_USER, _PUBLISHES, agent=_AGENT) == []


def test_one_that_is_rejected_would_be_found(bed: Bed, namespace: Namespace) -> None:
    """As administrator, so that nothing of it is found by the test above."""
    namespace.create(pod("main", "sleep 1", restart="Never", schedulerName="nobody"))
    path = f"/api/v1/namespaces/{namespace.name}/pods/main/status"
    broken = {"status": {"podIP": "nowhere", "podIPs": [{"ip": "nowhere"}]}}
    kind = {"Content-Type": "application/strategic-merge-patch+json"}
    with pytest.raises(BedError, match="422"):
        bed.control_plane.api(path, "PATCH", broken, **kind)
    of_us = f"{namespace.name}/main: "
    wait_until(
        "the rejection in the audit log",
        lambda: any(each.startswith(of_us) for each in audit.rejected(bed.audit_log, "admin", _PUBLISHES)),
        within=SOON,
    )
