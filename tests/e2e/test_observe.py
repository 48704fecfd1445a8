"""`vnode run --observe` beside real servers: it sees and decides everything, and neither side is written to."""

import datetime as dt
from functools import partial

import pytest

from tests.e2e.bed import audit
from tests.e2e.bed.bed import VNODE_USER, Bed
from tests.e2e.bed.processes import Child, wait_until
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import pod
from tests.e2e.namespace import SOON, phase

_NODE = "unkept"


def test_it_says_what_it_would_do_and_does_nothing(bed: Bed, namespaces: Namespaces) -> None:
    if bed.profile != "secured":
        pytest.skip("its requests are told apart by its token")
    began = dt.datetime.now(dt.UTC)
    kubeconfig, token = bed.vnode_identity("observer")
    with namespaces() as namespace:
        with bed.vnode_child(f"--kubeconfig={kubeconfig}", "--node-pool=all", "--observe", node_name=_NODE) as observer:
            namespace.create(pod("never", "sleep 600", node=_NODE, nodeName=_NODE))
            uid = namespace.pod("never")["metadata"]["uid"]
            for words in ("would POST /api/v1/nodes", f"would register vk-{uid}"):
                wait_until(words, partial(_says, observer, words), within=SOON, of=[observer])
        assert phase(namespace.pod("never")) == "Pending"
        assert namespace.nomad_jobs() == []
        assert audit.writes(bed.audit_log, VNODE_USER, began, credential=audit.credential(token)) == []
        namespace.kubectl("delete", "pod", "never", "--grace-period=0", "--force")


def _says(observer: Child, words: str) -> bool:
    return words in observer.log.read_text()
