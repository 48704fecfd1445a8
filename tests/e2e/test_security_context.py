"""Security contexts, looked at from inside of the task: docker does what they say, or the Pod is refused."""

import pytest

from tests.e2e.bed.processes import wait_until
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest, container, pod, settings
from tests.e2e.namespace import LATER, SOON, Namespace, waiting

#: What the kernel says of a process, and what it lets it do.
_LOOKS = """
id -u; id -g; id -G
grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status
touch /here 2>&1
grep -E 'db.local' /etc/hosts
echo done
exec sleep 3600
"""
#: linux/capability.h: what a container has that may do anything, and no other.
_CAP_SYS_ADMIN = 21
_RESTRICTED: Manifest = {
    "runAsNonRoot": True,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def _whole(text: str) -> str:
    return text if text.endswith("done\n") else ""


def test_docker_confines_what_the_restricted_profile_wants_confined(scene: Namespace) -> None:
    shared: Manifest = {"runAsUser": 1000, "runAsGroup": 2000, "supplementalGroups": [3000]}
    aliases = [{"ip": "10.9.8.7", "hostnames": ["db.local"]}]
    confined = container(_LOOKS, securityContext=_RESTRICTED)
    beside = container("id -u; exec sleep 3600", name="beside", securityContext={"runAsUser": 1001})
    own: Manifest = {"securityContext": shared, "hostAliases": aliases, "terminationGracePeriodSeconds": 1}
    scene.create(pod("confined", confined, beside, driver="docker", **own))
    scene.wait_ready("confined", within=LATER)
    text = wait_until("its log", lambda: _whole(scene.logs("confined", "--container=main")), within=SOON)
    said = text.replace("\t", " ").splitlines()
    assert said[:3] == ["1000", "2000", "2000 3000"]
    assert "CapEff: 0000000000000000" in said
    assert "NoNewPrivs: 1" in said
    assert "Seccomp: 2" in said
    assert any("Read-only file system" in line for line in said)
    assert any(line.split() == ["10.9.8.7", "db.local"] for line in said)
    wait_until("the other's log", lambda: scene.logs("confined", "--container=beside") == "1001\n", within=SOON)


def test_capabilities_that_are_added_are_there(scene: Namespace) -> None:
    own = {"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}
    looks = "grep CapEff /proc/self/status; exec sleep 3600"
    scene.create(
        pod("chowner", container(looks, securityContext=own), driver="docker", terminationGracePeriodSeconds=1)
    )
    scene.wait_ready("chowner", within=LATER)
    said = wait_until("its log", lambda: scene.logs("chowner"), within=SOON)
    assert said.split() == ["CapEff:", "0000000000000001"]


def test_root_is_refused_where_it_is_forbidden(scene: Namespace) -> None:
    scene.create(pod("unknown", container("id", securityContext={"runAsNonRoot": True}), driver="docker"))
    found = scene.wait_phase("unknown", "Failed")
    assert "set runAsUser to a number other than 0" in found["status"]["message"]


@pytest.mark.parametrize(
    ("refused", "field"),
    [
        ({"securityContext": {"fsGroup": 2000}}, "spec.securityContext.fsGroup"),
        ({"shareProcessNamespace": True}, "spec.shareProcessNamespace"),
    ],
)
def test_what_nomad_cannot_do_is_refused(scene: Namespace, refused: Manifest, field: str) -> None:
    name = field.rpartition(".")[2].lower()
    scene.create(pod(name, "id", driver="docker", **refused))
    scene.wait_phase(name, "Failed")
    scene.wait_event(name, "PodFeatureUnsupported", field)


def test_the_resolver_and_the_kernel_are_what_the_pod_says(scene: Namespace) -> None:
    """A container of its own network gets them from docker, those that share one from Nomad."""
    config = {"nameservers": ["10.9.8.7"], "searches": ["corp.example"], "options": [{"name": "ndots", "value": "2"}]}
    sysctls = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}]
    looks = "cat /etc/resolv.conf /proc/sys/net/ipv4/ip_unprivileged_port_start; exec sleep 3600"
    own: Manifest = {"dnsPolicy": "None", "dnsConfig": config, "terminationGracePeriodSeconds": 1}
    alone = pod("resolves", looks, driver="docker", securityContext={"sysctls": sysctls}, **own)
    scene.create(alone, pod("resolve", looks, container("exec sleep 3600", name="beside"), driver="docker", **own))
    for name in ("resolves", "resolve"):
        scene.wait_ready(name, within=LATER)
        said = scene.logs(name, "--container=main").splitlines()
        assert {"nameserver 10.9.8.7", "search corp.example", "options ndots:2"} <= set(said), said
    assert scene.logs("resolves").splitlines()[-1] == "80"


def test_privileges_are_given_where_the_policy_gives_them_only(scene: Namespace) -> None:
    scene.create(pod("owner", container("id", securityContext={"privileged": True}), driver="docker"))
    found = scene.wait_phase("owner", "Failed")
    assert "policy.drivers.docker.privileged" in found["status"]["message"]


def test_privileges_that_are_given_are_there(namespaces: Namespaces) -> None:
    """Both vnode and the client have to allow them; a client that does not is heard."""
    looks = "grep -E '^(CapEff|Seccomp):' /proc/self/status; exec sleep 3600"
    owns = container(looks, securityContext={"privileged": True})

    def there(client: str) -> Manifest:
        here = settings(constraints=f"${{node.unique.name}} = {client}")
        return pod(f"on-{client}", owns, driver="docker", annotations=here, terminationGracePeriodSeconds=1)

    with namespaces("scene-owners") as scene:
        scene.create(there("edge-0"), there("default-0"))
        scene.wait_ready("on-edge-0", within=LATER)
        said = wait_until("its log", lambda: scene.logs("on-edge-0").split(), within=SOON)
        capabilities = int(said[said.index("CapEff:") + 1], 16)
        assert capabilities & 1 << _CAP_SYS_ADMIN, said
        assert said[said.index("Seccomp:") + 1] == "0"
        scene.wait(
            "on-default-0",
            "to say that its client forbids it",
            lambda found: "privileged mode is disabled" in waiting(found).get("message", ""),
        )
