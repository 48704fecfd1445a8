"""What runs a Pod, and on which network: drivers by annotation, RuntimeClass and default; ports and podIP."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx2
import pytest
import yaml

from tests.e2e.bed.bed import REPOSITORY, Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest, container, pod, settings
from tests.e2e.namespace import SOON, Namespace, phase

_RUNTIME_CLASSES = {"nomad-raw-exec": "raw_exec", "nomad-exec": "exec", "nomad-docker": "docker"}
#: It stays for a moment: Nomad's collector may miss what a container says that ends at once (docs/logs.md).
_WHO = "id -un; ls -d /home /secrets 2>/dev/null; sleep 2"
#: What only one file system of the three has: the host's, the chroot's, the image's.
_SEES = {"raw_exec": "root\n/home\n", "exec": "nobody\n/secrets\n", "docker": "root\n/secrets\n"}
#: busybox as a web server that says who it is; the host of raw_exec has none on its path, but the bed has it.
_SERVE = "mkdir -p {root} && echo {word} >{root}/index.html && exec busybox httpd -f -p {port} -h {root}"


@pytest.fixture(scope="module")
def pods(vnode: VnodeProcess, namespaces: Namespaces) -> Iterator[Namespace]:
    """One Pod for each way of naming a driver, all at once."""
    vnode.child.must_live()
    with namespaces() as namespace:
        namespace.create(*(_named(driver) for driver in _SEES))
        namespace.create(*(_classed(name) for name in _RUNTIME_CLASSES))
        namespace.create(pod("unnamed", container(_WHO), driver="", restart="Never"))
        yield namespace


def _named(driver: str) -> Manifest:
    return pod(driver.replace("_", "-"), _WHO, driver=driver, restart="Never")


def _classed(name: str) -> Manifest:
    manifest = pod(name, _WHO, driver="", restart="Never", runtimeClassName=name)
    # Node and tolerations come with the RuntimeClass.
    del manifest["spec"]["nodeSelector"], manifest["spec"]["tolerations"]
    return manifest


@pytest.mark.parametrize("driver", _SEES)
def test_the_annotation_names_the_driver(pods: Namespace, driver: str) -> None:
    _ran(pods, driver.replace("_", "-"), driver)


@pytest.mark.parametrize("name", _RUNTIME_CLASSES)
def test_the_runtime_class_names_driver_node_and_tolerations(pods: Namespace, name: str) -> None:
    _ran(pods, name, _RUNTIME_CLASSES[name])


def test_the_default_is_docker(pods: Namespace) -> None:
    _ran(pods, "unnamed", "docker")


def _ran(namespace: Namespace, name: str, driver: str) -> None:
    namespace.wait_phase(name, "Succeeded")
    # Nomad takes docker's log over from the engine, and may still be at it when the container has ended.
    wait_until(f"the log of {name}", lambda: namespace.logs(name) == _SEES[driver], within=SOON)


def test_user_and_directory(scene: Namespace) -> None:
    placed = settings(user="nobody", work_dir="/usr")
    scene.create(pod("settings", "id -un; pwd", annotations=placed, restart="Never"))
    scene.wait_phase("settings", "Succeeded")
    assert scene.logs("settings") == "nobody\n/usr\n"


def test_one_container_may_have_a_driver_of_its_own(scene: Namespace) -> None:
    two = [container(_WHO, name=name) for name in ("plain", "caged")]
    own = {"nomad.hashinetes.io/driver.caged": "exec"}
    scene.create(pod("mixed", *two, annotations=own, restart="Never"))
    scene.wait_phase("mixed", "Succeeded")
    assert scene.logs("mixed", "--container=plain") == _SEES["raw_exec"]
    assert scene.logs("mixed", "--container=caged") == _SEES["exec"]


def test_a_static_port_is_reached_at_the_pods_address(bed: Bed, scene: Namespace) -> None:
    port = bed.free_port()
    scene.create(_web("static", port, port=port, ports="static"))
    found = scene.wait_ready("static")
    assert found["status"]["podIP"] == found["status"]["hostIP"] == _place(bed, scene, found)
    _answers(f"{found['status']['podIP']}:{port}", "static")


def test_a_service_leads_to_a_static_port(bed: Bed, scene: Namespace) -> None:
    port = bed.free_port()
    scene.create(_web("served", port, port=port, ports="static"))
    found = scene.wait_ready("served")
    scene.kubectl("expose", "pod", "served", f"--port={port}", "--selector=app=served")

    def addresses() -> list[str]:
        slices = json.loads(scene.kubectl("get", "endpointslices", "--output=json").stdout)["items"]
        return [address for each in slices for end in each["endpoints"] or () for address in end["addresses"]]

    wait_until("the Service's endpoint", lambda: addresses() == [found["status"]["podIP"]], within=SOON)


def test_a_dynamic_port_is_told_to_the_program_and_the_pod_has_no_address(bed: Bed, scene: Namespace) -> None:
    scene.create(_web("dynamic", "$NOMAD_PORT_http", ports="dynamic"))
    found = scene.wait_ready("dynamic")
    assert "podIP" not in found["status"]
    assert found["status"]["hostIP"] == _place(bed, scene, found)
    (port,) = _ports(bed, scene, found)
    assert port["Value"] != 8080
    _answers(f"{found['status']['hostIP']}:{port['Value']}", "dynamic")


def test_containers_in_a_bridge_share_localhost_and_ports_are_mapped(bed: Bed, scene: Namespace) -> None:
    web = container(_serve("bridge", 8080), name="web", ports=[{"name": "http", "containerPort": 8080}])
    ask = "until wget -q -O - http://127.0.0.1:8080/ 2>/dev/null; do sleep 0.2; done; sleep 600"
    scene.create(pod("bridge", web, container(ask, name="ask"), driver="docker", terminationGracePeriodSeconds=1))
    found = scene.wait_ready("bridge")
    wait_until("the answer by localhost", lambda: scene.logs("bridge", "-cask") == "bridge\n", within=SOON)
    # The cluster does not reach the addresses of Nomad's bridges, and the port is another one at the host's.
    assert "podIP" not in found["status"]
    (port,) = _ports(bed, scene, found)
    assert port["To"] == 8080
    _answers(f"{found['status']['hostIP']}:{port['Value']}", "bridge")


def test_a_static_port_of_a_bridge_is_the_same_at_the_hosts_address(bed: Bed, scene: Namespace) -> None:
    port = bed.free_port()
    scene.create(_web("published", port, port=port, driver="docker", ports="static"))
    found = scene.wait_ready("published")
    assert found["status"]["podIP"] == found["status"]["hostIP"]
    _answers(f"{found['status']['podIP']}:{port}", "published")


def test_docker_on_the_hosts_network(bed: Bed, scene: Namespace) -> None:
    port = bed.free_port()
    scene.create(_web("host", port, port=port, driver="docker", hostNetwork=True))
    found = scene.wait_ready("host")
    assert found["status"]["podIP"] == found["status"]["hostIP"]
    _answers(f"{found['status']['podIP']}:{port}", "host")


def test_addresses_of_bridges_are_published_where_the_cluster_reaches_them(
    bed: Bed, namespace: Namespace, vnode: VnodeProcess
) -> None:
    vnode.child.must_live()
    with bed.vnode("--routable-allocations", "--node-pool=all", node_name="routed"):
        try:
            namespace.create(_web("routed", 8080, driver="docker", node="routed", ports="dynamic"))
            found = namespace.wait_ready("routed")
            assert found["status"]["podIP"] != found["status"]["hostIP"]
            _answers(f"{found['status']['podIP']}:8080", "routed")
        finally:
            namespace.empty()
    bed.kubectl("delete", "node", "routed")


def test_the_admission_policy_asks_who_may_use_a_driver(bed: Bed, namespace: Namespace) -> None:
    """deploy/base/policy as it is: exec and raw_exec need a right of the Pod's ServiceAccount, docker needs none."""
    policy = REPOSITORY / "deploy" / "base" / "policy"
    allowance = list(yaml.safe_load_all((REPOSITORY / "deploy/examples/allow-raw-exec.yaml").read_text()))
    for manifest in allowance:
        manifest["metadata"]["namespace"] = namespace.name
        for subject in manifest.get("subjects", ()):
            subject["namespace"] = namespace.name
    bed.kubectl("apply", f"--kustomize={policy}")
    try:
        wait_until("the policy to be in force", partial(_is_denied, namespace), within=SOON)
        namespace.kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all(allowance))
        allowed = pod("allowed", "exit 0", restart="Never", serviceAccountName="ping")
        wait_until("the right to be in force", lambda: _is_created(namespace, allowed), within=SOON)
        namespace.create(pod("contained", "exit 0", driver="docker", restart="Never"))
        for name in ("allowed", "contained"):
            assert phase(namespace.wait_phase(name, "Succeeded", "Failed")) == "Succeeded"
        changed = namespace.kubectl(
            "annotate", "pod", "allowed", "nomad.hashinetes.io/driver=docker", "--overwrite", check=False
        )
        assert "can neither be changed nor added" in changed.stderr
    finally:
        bed.kubectl("delete", f"--filename={policy / 'admission.yaml'}")


def _is_denied(namespace: Namespace) -> bool:
    """Whether a raw_exec Pod is refused by the policy; one that is created too early is taken away."""
    tried = json.dumps(pod("denied", "exit 0", restart="Never"))
    done = namespace.kubectl("create", "--filename=-", stdin=tried, check=False)
    if done.returncode:
        return "ServiceAccount default may not use one of the Nomad drivers [raw_exec]" in done.stderr
    namespace.kubectl("delete", "pod", "denied", "--grace-period=0", "--force")
    return False


def _is_created(namespace: Namespace, manifest: Manifest) -> bool:
    return namespace.kubectl("create", "--filename=-", stdin=json.dumps(manifest), check=False).returncode == 0


def _web(
    name: str, listens: int | str, *, port: int = 8080, driver: str = "raw_exec", ports: str = "", **spec: Any
) -> Manifest:
    """A Pod that serves its own name."""
    web = container(_serve(name, listens), ports=[{"name": "http", "containerPort": port}])
    own = settings(ports=ports)
    return pod(name, web, driver=driver, annotations=own, terminationGracePeriodSeconds=1, **spec)


def _serve(word: str, port: int | str) -> str:
    return _SERVE.format(root="$NOMAD_TASK_DIR/www", word=word, port=port)


def _answers(address: str, word: str) -> None:
    def ask() -> bool:
        return httpx2.get(f"http://{address}/", trust_env=False, timeout=2).text == f"{word}\n"

    wait_until(f"{word} at {address}", ask, within=SOON)


def _place(bed: Bed, namespace: Namespace, found: Manifest) -> str:
    """The address of the client that runs a Pod."""
    return bed.nomad.clients[namespace.allocations(found)[-1]["NodeName"]].address


def _ports(bed: Bed, namespace: Namespace, found: Manifest) -> list[dict[str, int]]:
    allocation = bed.nomad.api(f"/v1/allocation/{namespace.allocations(found)[-1]['ID']}")
    return list(allocation["AllocatedResources"]["Shared"]["Ports"])
