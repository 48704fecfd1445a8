"""A Secret of 1 MiB, the largest that Kubernetes keeps, reaches its Pod where an administrator lets it."""

import hashlib
import secrets

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import container, pod
from tests.e2e.namespace import LATER, Namespace
from tests.e2e.objects import secret

_LARGE = "large"
_SHOWS = "while true; do sha256sum < /big/k; sleep 0.5; done"
_LIMITS = {"limits": {"memory": "64Mi"}}

pytestmark = pytest.mark.timeout(300, func_only=True)


def _shown(namespace: Namespace, content: str) -> None:
    digest = hashlib.sha256(content.encode()).hexdigest()
    wait_until("the whole Secret", lambda: digest in namespace.logs("big", "--tail=1"), within=LATER)


def test_a_mebibyte_reaches_a_pod_and_follows_its_source(bed: Bed, namespaces: Namespaces) -> None:
    if bed.profile != "secured":
        pytest.skip("without ACLs Nomad has no policies")
    file = bed.directory / "policy-token"
    file.write_text(str(bed.nomad.management_token))
    # Hexadecimal digits, which the search for leaks knows again.
    before, after = (secrets.token_hex(2**19) for _ in range(2))
    flags = ("--node-pool=all", f"--nomad-policy-token-file={file}")
    with bed.vnode(*flags, node_name=_LARGE), namespaces() as namespace:
        mounted = container(_SHOWS, volumeMounts=[{"name": "big", "mountPath": "/big"}], resources=_LIMITS)
        volume = {"name": "big", "secret": {"secretName": "big"}}
        namespace.create(
            secret("big", {"k": before}), pod("big", mounted, driver="docker", node=_LARGE, volumes=[volume])
        )
        found = namespace.wait_ready("big", within=LATER)
        _shown(namespace, before)
        path = f"/api/v1/namespaces/{namespace.name}/secrets/big"
        bed.control_plane.api(path, "PUT", secret("big", {"k": after}))
        _shown(namespace, after)
        namespace.empty()
        job = f"vk-{found['metadata']['uid']}"
        assert not bed.nomad.api(f"/v1/vars?namespace=*&prefix=nomad/jobs/{job}")
        assert job not in [policy["Name"] for policy in bed.nomad.api("/v1/acl/policies")]
    bed.kubectl("delete", "node", _LARGE)
