"""Directories of the host: mounted where the policy says so, and nowhere else."""

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.conftest import shared_directory
from tests.e2e.manifests import Manifest, container, pod
from tests.e2e.namespace import SOON, Namespace


def _pod(name: str, path: str, script: str, *, driver: str = "docker", **mount: object) -> Manifest:
    main = container(script, volumeMounts=[{"name": "host", "mountPath": "/host", **mount}])
    return pod(name, main, driver=driver, restart="Never", volumes=[{"name": "host", "hostPath": {"path": path}}])


def test_pods_share_what_the_policy_allows_and_nothing_else(bed: Bed, namespace: Namespace) -> None:
    place = shared_directory(bed) / namespace.name
    # Nomad may lose what a docker container says in its last moments: docs/logs.md.
    reads = "cat /host/file && ! touch /host/other 2>/dev/null && echo read-only && sleep 2"
    namespace.create(_pod("docker", str(place), "echo from docker > /host/file"))
    namespace.wait_phase("docker", "Succeeded")
    namespace.create(
        _pod("raw", str(place), "cat $VNODE_MOUNT_HOST/file", driver="raw_exec"),
        _pod("reader", str(place), reads, readOnly=True),
        _pod("thief", "/etc", "cat /host/shadow"),
    )
    for name in ("raw", "reader"):
        namespace.wait_phase(name, "Succeeded", "Failed")
    wait_until("its log", lambda: namespace.logs("raw") == "from docker\n", within=SOON)
    wait_until("its log", lambda: namespace.logs("reader") == "from docker\nread-only\n", within=SOON)
    assert (place / "file").read_text() == "from docker\n"
    namespace.wait_event("thief", "PolicyDenied", "/etc", "policy.host_paths")
