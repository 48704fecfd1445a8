"""What deploy/ installs, as kubectl renders it: an installation by default has no more rights than it needs."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from translators.pod_to_job.claims import HOST_VOLUME

DEPLOY = Path(__file__).parents[3] / "deploy"
ROOTS = ("base/vnode", "base/policy", "overlays/external-nomad")
EXAMPLES = sorted(path.name for path in (DEPLOY / "examples").glob("*.yaml"))
#: What vnode may write; a right that is not here has to be argued for in docs/security.md.
WRITES = {
    ("nodes", "create"),
    ("nodes", "patch"),
    ("nodes/status", "patch"),
    ("pods", "delete"),
    ("pods/status", "patch"),
    ("events", "create"),
    ("events", "patch"),
    ("leases", "create"),
    ("leases", "update"),
    ("tokenreviews", "create"),
    ("subjectaccessreviews", "create"),
}
READS = {"get", "list", "watch"}

Manifest = dict[str, Any]


@cache
def render(root: str) -> tuple[Manifest, ...]:
    return rendered(DEPLOY / root)


def rendered(folder: Path) -> tuple[Manifest, ...]:
    kubectl = shutil.which("kubectl")
    assert kubectl, "kubectl is not on PATH: these tests look at what `kubectl kustomize` renders; install kubectl"
    command = [kubectl, "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own manifests
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def everything() -> Iterator[Manifest]:
    for root in ROOTS:
        yield from render(root)


def of_kind(root: str, *kinds: str) -> list[Manifest]:
    found = [manifest for manifest in render(root) if manifest["kind"] in kinds]
    assert found, f"{root} has no {kinds}"
    return found


def only(root: str, kind: str, name: str) -> Manifest:
    (found,) = (manifest for manifest in of_kind(root, kind) if manifest["metadata"]["name"] == name)
    return found


def rules_of(account: str) -> list[Manifest]:
    """The rules that the bindings of the overlay grant to a ServiceAccount of namespace vnode."""
    root = "overlays/external-nomad"
    roles = {(role["kind"], role["metadata"]["name"]): role for role in of_kind(root, "Role", "ClusterRole")}
    bindings = of_kind(root, "RoleBinding", "ClusterRoleBinding")
    granted = [
        (binding["roleRef"]["kind"], binding["roleRef"]["name"])
        for binding in bindings
        for subject in binding["subjects"]
        if (subject["kind"], subject["name"], subject.get("namespace")) == ("ServiceAccount", account, "vnode")
    ]
    return [rule for role in granted if role in roles for rule in roles[role]["rules"]]


@pytest.fixture(params=("base/vnode", "overlays/external-nomad"))
def root(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pod(root: str) -> Manifest:
    spec: Manifest = only(root, "Deployment", "vnode")["spec"]["template"]["spec"]
    return spec


@pytest.fixture
def container(pod: Manifest) -> Manifest:
    (found,) = pod["containers"]
    return dict(found)


class TestRights:
    def test_nobody_becomes_cluster_admin(self) -> None:
        bound = [item["roleRef"]["name"] for item in everything() if item["kind"].endswith("RoleBinding")]
        # The one role that is not ours reads one ConfigMap, with the CA of the API server's clients.
        assert set(bound) == {
            "vnode",
            "vnode-leases",
            "vnode-leader-election",
            "extension-apiserver-authentication-reader",
        }

    def test_no_rule_has_a_wildcard(self) -> None:
        rules = [rule for item in everything() if item["kind"].endswith("Role") for rule in item["rules"]]
        wildcards = [rule for rule in rules if any("*" in values for values in rule.values())]
        assert rules
        assert wildcards == []

    def test_vnode_writes_what_it_owns_and_nothing_else(self) -> None:
        rules = rules_of("vnode")
        given = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
        assert {(resource, verb) for resource, verb in given if verb not in READS} == WRITES

    def test_vnode_cannot_read_secrets(self) -> None:
        assert "secrets" not in {resource for rule in rules_of("vnode") for resource in rule["resources"]}

    def test_rights_are_granted_to_vnode_alone(self) -> None:
        subjects = [subject for item in everything() for subject in item.get("subjects", ())]
        assert subjects
        assert all(subject == {"kind": "ServiceAccount", "name": "vnode", "namespace": "vnode"} for subject in subjects)


def _with_component(name: str, directory: Path) -> tuple[Manifest, ...]:
    """What an overlay installs that names a component."""
    deploy = Path(os.path.relpath(DEPLOY, directory))
    overlay = {
        "resources": [str(deploy / "base" / "vnode")],
        "components": [str(deploy / "components" / name)],
    }
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    return rendered(directory)


def _environment(installed: tuple[Manifest, ...]) -> dict[str, str | None]:
    (deployment,) = (item for item in installed if item["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value") for each in container["env"]}


class TestServerTlsBootstrap:
    @pytest.fixture
    def installed(self, tmp_path: Path) -> tuple[Manifest, ...]:
        return _with_component("server-tls-bootstrap", tmp_path)

    def test_it_sets_the_flag(self, installed: tuple[Manifest, ...]) -> None:
        names = _environment(installed)
        assert names["VNODE_SERVER_TLS_BOOTSTRAP"] == "true"
        assert "VNODE_NODE_ADDRESS" in names

    def test_it_lets_vnode_ask_and_not_approve(self, installed: tuple[Manifest, ...]) -> None:
        (role,) = (item for item in installed if item["metadata"]["name"] == "vnode-server-tls-bootstrap"
                   and item["kind"] == "ClusterRole")  # fmt: skip
        assert role["rules"] == [
            {
                "apiGroups": ["certificates.k8s.io"],
                "resources": ["certificatesigningrequests"],
                "verbs": ["create", "list", "watch"],
            }
        ]


class TestPersistentVolumes:
    @pytest.fixture
    def installed(self, tmp_path: Path) -> tuple[Manifest, ...]:
        return _with_component("persistent-volumes", tmp_path)

    def test_it_sets_the_flag(self, installed: tuple[Manifest, ...]) -> None:
        names = _environment(installed)
        assert names["VNODE_PERSISTENT_VOLUMES"] == "true"

    def test_it_writes_volumes_and_no_claims(self, installed: tuple[Manifest, ...]) -> None:
        (role,) = (item for item in installed if item["metadata"]["name"] == "vnode-persistent-volumes"
                   and item["kind"] == "ClusterRole")  # fmt: skip
        given = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
        written = {(resource, verb) for resource, verb in given if verb not in READS}
        assert written == {("persistentvolumes", "create"), ("persistentvolumes", "delete")}

    def test_its_class_is_served_for_nodes_of_ours_once_one_is_chosen(self, installed: tuple[Manifest, ...]) -> None:
        (kind,) = (item for item in installed if item["kind"] == "StorageClass")
        assert kind["provisioner"] == HOST_VOLUME
        assert kind["volumeBindingMode"] == "WaitForFirstConsumer"
        [[label]] = [term["matchLabelExpressions"] for term in kind["allowedTopologies"]]
        assert label == {"key": "type", "values": ["virtual-kubelet"]}


class TestDeployment:
    def test_its_namespace_enforces_the_restricted_profile(self, root: str) -> None:
        labels = only(root, "Namespace", "vnode")["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"

    def test_it_meets_that_profile(self, pod: Manifest, container: Manifest) -> None:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}

    def test_it_writes_to_memory_only(self, pod: Manifest, container: Manifest) -> None:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        writable = {mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert [volumes[name].get("emptyDir", {}).get("medium") for name in writable] == ["Memory"]

    def test_it_touches_nothing_of_its_host(self, pod: Manifest, container: Manifest) -> None:
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
        assert not [port for port in container["ports"] if "hostPort" in port]

    def test_its_image_is_pinned(self, container: Manifest) -> None:
        assert re.search(r"@sha256:[0-9a-f]{64}$|:\d+\.\d+\.\d+$", container["image"])

    def test_its_image_is_of_no_registry_that_a_stranger_can_fill(self) -> None:
        (container,) = only("base/vnode", "Deployment", "vnode")["spec"]["template"]["spec"]["containers"]
        # example.com is reserved (RFC 2606): until somebody names a registry, there is nothing to pull.
        assert container["image"].startswith("registry.example.com/")

    def test_of_two_one_looks_after_the_node(self, root: str, container: Manifest) -> None:
        """At an upgrade two run at once: they hold an election, each by a name of its own."""
        assert "--leader-elect" in container["args"]
        names = {entry["name"]: entry["valueFrom"] for entry in container["env"]}
        assert names["VNODE_LEADER_IDENTITY"] == {"fieldRef": {"fieldPath": "metadata.name"}}
        strategy = only(root, "Deployment", "vnode")["spec"]["strategy"]
        assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}

    def test_it_never_lands_on_a_virtual_node(self, pod: Manifest) -> None:
        node = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        (term,) = node["nodeSelectorTerms"]
        assert term["matchExpressions"] == [{"key": "type", "operator": "NotIn", "values": ["virtual-kubelet"]}]

    def test_it_is_probed_and_bounded(self, container: Manifest) -> None:
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= container.keys()
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]

    def test_no_secret_stands_in_the_manifests(self) -> None:
        assert [item for item in everything() if item["kind"] == "Secret"] == []
        configuration = [item["data"]["config.yaml"] for item in everything() if item["kind"] == "ConfigMap"]
        assert configuration
        assert not [text for text in configuration if "nomad-token" in yaml.safe_load(text)]

    def test_changed_settings_roll_it(self, root: str, pod: Manifest) -> None:
        (configuration,) = of_kind(root, "ConfigMap")
        (mounted,) = (volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume)
        assert mounted == configuration["metadata"]["name"] != "vnode"


class TestHighAvailability:
    @pytest.fixture
    def site(self, tmp_path: Path) -> Iterator[str]:
        """An overlay that names the component, as its comment says."""
        folder = Path(os.path.relpath(DEPLOY, tmp_path))
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [str(folder / "base/vnode")],
            "components": [str(folder / "components/high-availability")],
        }
        (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(content))
        yield str(tmp_path)
        render.cache_clear()

    def test_a_second_replica_stands_by_on_another_machine(self, site: str) -> None:
        spec = only(site, "Deployment", "vnode")["spec"]
        assert spec["replicas"] == 2
        affinity = spec["template"]["spec"]["affinity"]
        (apart,) = affinity["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        assert apart["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
        assert "nodeAffinity" in affinity

    def test_a_drain_leaves_one(self, site: str) -> None:
        budget = only(site, "PodDisruptionBudget", "vnode")["spec"]
        labels = only(site, "Deployment", "vnode")["spec"]["template"]["metadata"]["labels"]
        assert budget["maxUnavailable"] == 1
        assert budget["selector"]["matchLabels"].items() <= labels.items()


class TestNetwork:
    def test_the_kubelet_api_is_the_only_way_in(self, root: str) -> None:
        policy = only(root, "NetworkPolicy", "vnode")["spec"]
        assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
        assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == [10250]

    def test_a_site_says_from_where_and_to_where(self) -> None:
        policy = only("overlays/external-nomad", "NetworkPolicy", "vnode")["spec"]
        assert all(rule["from"] for rule in policy["ingress"])
        assert all(rule["to"] for rule in policy["egress"])
        assert "0.0.0.0/0" not in str(policy)

    def test_nomad_is_spoken_to_with_tls_and_a_token(self) -> None:
        (configuration,) = of_kind("overlays/external-nomad", "ConfigMap")
        settings = yaml.safe_load(configuration["data"]["config.yaml"])
        assert all(address.startswith("https://") for address in settings["nomad-address"])
        assert {"nomad-ca-cert", "nomad-client-cert", "nomad-client-key", "nomad-token-file"} <= settings.keys()


class TestPolicy:
    def test_admission_fails_closed_on_every_way_to_write_a_pod(self) -> None:
        spec = only("base/policy", "ValidatingAdmissionPolicy", "nomad-driver-use")["spec"]
        (rule,) = spec["matchConstraints"]["resourceRules"]
        assert spec["failurePolicy"] == "Fail"
        assert set(rule["resources"]) == {"pods", "pods/status", "pods/ephemeralcontainers", "pods/resize"}

    def test_admission_denies(self) -> None:
        binding = only("base/policy", "ValidatingAdmissionPolicyBinding", "nomad-driver-use")
        assert binding["spec"] == {"policyName": "nomad-driver-use", "validationActions": ["Deny"]}

    @pytest.mark.parametrize("driver", ["docker", "exec", "raw-exec"])
    def test_a_runtime_class_leads_to_the_virtual_node(self, driver: str) -> None:
        runtime = only("base/policy", "RuntimeClass", f"nomad-{driver}")
        assert runtime["handler"] == driver
        assert runtime["scheduling"]["nodeSelector"] == {"type": "virtual-kubelet"}

    @pytest.mark.parametrize("driver", ["docker", "exec", "raw-exec"])
    def test_an_outage_of_vnode_evicts_no_pod_of_a_runtime_class(self, driver: str) -> None:
        tolerations = only("base/policy", "RuntimeClass", f"nomad-{driver}")["scheduling"]["tolerations"]
        unreachable = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"}
        assert unreachable in tolerations

    def test_a_right_is_for_one_driver(self) -> None:
        names = [rule["resourceNames"] for role in of_kind("base/policy", "ClusterRole") for rule in role["rules"]]
        assert sorted(names) == [["exec"], ["raw_exec"]]


@pytest.mark.parametrize("example", EXAMPLES)
class TestExamples:
    def templates(self, example: str) -> list[Manifest]:
        documents = yaml.safe_load_all((DEPLOY / "examples" / example).read_text())
        workloads = [item for item in documents if item["kind"] in {"Pod", "Deployment", "Job"}]
        return [item if item["kind"] == "Pod" else item["spec"]["template"] for item in workloads]

    def test_they_ask_for_no_token(self, example: str) -> None:
        assert all(template["spec"]["automountServiceAccountToken"] is False for template in self.templates(example))

    def test_their_images_are_pinned(self, example: str) -> None:
        images = [container["image"] for template in self.templates(example) for container in
                  template["spec"]["containers"]]  # fmt: skip
        assert all(image == "nomad.local/binary" or re.search(r":\d", image) for image in images)

    def test_what_they_download_has_a_checksum(self, example: str) -> None:
        for template in self.templates(example):
            annotations = template["metadata"].get("annotations", {})
            lines = annotations.get("nomad.hashinetes.io/artifact", "").split()
            assert all(re.search(r"[?&]checksum=sha256:[0-9a-f]{64}$", line) for line in lines)
