"""Over a whole run, no secret is anywhere but with its task.

Collected last. What was told is kept while the tests run: what vnode wrote to Kubernetes by the audit log, what there
was in Nomad by its event stream, and vnode's own logs. Secrets are those that tests created, and every token of a
ServiceAccount, which is known by its form.
"""

import json

import pytest

from tests.e2e import kubelet_api
from tests.e2e.bed.bed import VNODE_USER, Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.canaries import leaks, tokens
from tests.e2e.manifests import container, pod
from tests.e2e.namespace import SOON, Namespace
from tests.e2e.objects import of_key, secret

_WORD = "canary-of-the-run-41be77"
_METRICS = "/metrics"

pytestmark = pytest.mark.timeout(300, func_only=True)


def test_no_secret_of_the_whole_run_is_anywhere_but_with_its_task(
    bed: Bed, vnode: VnodeProcess, namespace: Namespace
) -> None:
    word, source = of_key("WORD", "secret", "word", "word"), {"serviceAccountToken": {"path": "t", "audience": "vault"}}
    main = container("sleep 3600", env=[word], volumeMounts=[{"name": "t", "mountPath": "/t"}])
    volumes = [{"name": "t", "projected": {"sources": [source]}}]
    namespace.create(secret("word", {"word": _WORD}), pod("canary", main, volumes=volumes))
    uid = namespace.wait_ready("canary")["metadata"]["uid"]
    seen = bed.logs / "witness.log"
    wait_until("the witness to see a job", lambda: f"vk-{uid}" in seen.read_text(errors="replace"), within=SOON)
    texts = {str(file): file.read_text(errors="replace") for file in (seen, *bed.logs.glob("vnode-*.log"))}
    texts["what vnode wrote to Kubernetes"] = "\n".join(_written(bed))
    with kubelet_api.client(bed, vnode) as api:
        texts |= {path: api.get(path).text for path in (_METRICS, "/pods", "/configz")}
    assert _WORD in bed.secrets
    assert leaks(texts, bed.secrets) == []
    assert {place: found for place, text in texts.items() if (found := tokens(text))} == {}
    if bed.profile == "secured":
        assert uid in texts["what vnode wrote to Kubernetes"]


def _written(bed: Bed) -> list[str]:
    """The bodies of vnode's requests, as the API server got them."""
    lines = (line for line in bed.audit_log.read_text().splitlines() if '"requestObject"' in line)
    events = map(json.loads, lines)
    return [json.dumps(event["requestObject"]) for event in events if event["user"].get("username") == VNODE_USER]
