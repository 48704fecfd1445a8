import inspect
from pathlib import Path
from typing import Any

import pytest

from tests.unit.translators.pods import binary, container, pod, translation
from translators import support
from translators.errors import Refused, Waiting

#: kubernetes/api v0.36 core/v1 types.go, in the order of the source.
POD_SPEC = (
    "volumes",
    "initContainers",
    "containers",
    "ephemeralContainers",
    "restartPolicy",
    "terminationGracePeriodSeconds",
    "activeDeadlineSeconds",
    "dnsPolicy",
    "nodeSelector",
    "serviceAccountName",
    "serviceAccount",
    "automountServiceAccountToken",
    "nodeName",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "shareProcessNamespace",
    "securityContext",
    "imagePullSecrets",
    "hostname",
    "subdomain",
    "affinity",
    "schedulerName",
    "tolerations",
    "hostAliases",
    "priorityClassName",
    "priority",
    "dnsConfig",
    "readinessGates",
    "runtimeClassName",
    "enableServiceLinks",
    "preemptionPolicy",
    "overhead",
    "topologySpreadConstraints",
    "setHostnameAsFQDN",
    "os",
    "hostUsers",
    "schedulingGates",
    "resourceClaims",
    "resources",
    "hostnameOverride",
    "schedulingGroup",
)
CONTAINER = (
    "name",
    "image",
    "command",
    "args",
    "workingDir",
    "ports",
    "envFrom",
    "env",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    "volumeMounts",
    "volumeDevices",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "imagePullPolicy",
    "securityContext",
    "stdin",
    "stdinOnce",
    "tty",
)
POD_SECURITY = (
    "seLinuxOptions",
    "windowsOptions",
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "fsGroup",
    "sysctls",
    "fsGroupChangePolicy",
    "seccompProfile",
    "appArmorProfile",
    "seLinuxChangePolicy",
)
SECURITY = (
    "capabilities",
    "privileged",
    "seLinuxOptions",
    "windowsOptions",
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
    "readOnlyRootFilesystem",
    "allowPrivilegeEscalation",
    "procMount",
    "seccompProfile",
    "appArmorProfile",
)

VOLUME = (
    "hostPath",
    "emptyDir",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "persistentVolumeClaim",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "downwardAPI",
    "fc",
    "azureFile",
    "configMap",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "projected",
    "portworxVolume",
    "scaleIO",
    "storageos",
    "csi",
    "ephemeral",
    "image",
)
PROJECTION = ("secret", "downwardAPI", "configMap", "serviceAccountToken", "clusterTrustBundle", "podCertificate")
MOUNTS = ("name", "readOnly", "recursiveReadOnly", "mountPath", "subPath", "mountPropagation", "subPathExpr")

TOKEN = {"name": "kube-api-access-abcde", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
MOUNT = {"name": "kube-api-access-abcde", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}


def test_the_table_covers_all_fields_of_kubernetes_1_36() -> None:
    expected = {
        *(f"spec.{name}" for name in POD_SPEC),
        *(f"spec.securityContext.{name}" for name in POD_SECURITY),
        *(f"spec.containers[].{name}" for name in CONTAINER),
        *(f"spec.containers[].securityContext.{name}" for name in SECURITY),
        "spec.containers[].resources.claims",
        *(f"spec.volumes[].{name}" for name in ("name", *VOLUME)),
        *(f"spec.volumes[].projected.sources[].{name}" for name in PROJECTION),
        *(f"spec.containers[].volumeMounts[].{name}" for name in MOUNTS),
    }
    paths = [row.path for row in support.rows()]
    assert set(paths) == expected
    assert len(paths) == len(expected)


def test_the_documentation_is_the_table() -> None:
    root = Path(inspect.getfile(support)).parents[1]
    assert (root / "docs" / "supported.md").read_text() == support.markdown()


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"initContainers": [container("init")]}, "spec.initContainers"),
        ({"volumes": [{"name": "data", "hostPath": {"path": "/"}}]}, "spec.volumes[data].hostPath"),
        ({"volumes": [{"name": "kube-api-access-x", "nfs": {"path": "/"}}]}, "spec.volumes[kube-api-access-x].nfs"),
        (
            {"volumes": [{"name": "all", "projected": {"sources": [{"podCertificate": {"path": "x"}}]}}]},
            "spec.volumes[all].projected.sources[].podCertificate",
        ),
        ({"activeDeadlineSeconds": 5}, "spec.activeDeadlineSeconds"),
        ({"hostAliases": [{"ip": "1.2.3.4"}]}, "spec.hostAliases"),
        ({"dnsPolicy": "None"}, "spec.dnsPolicy"),
        ({"dnsConfig": {"nameservers": ["1.1.1.1"]}}, "spec.dnsConfig"),
        ({"hostPID": True}, "spec.hostPID"),
        ({"hostUsers": False}, "spec.hostUsers"),
        ({"os": {"name": "windows"}}, "spec.os"),
        ({"imagePullSecrets": [{"name": "s"}]}, "spec.imagePullSecrets"),
        ({"securityContext": {"runAsUser": 0}}, "spec.securityContext.runAsUser"),
        ({"securityContext": {"runAsNonRoot": True}}, "spec.securityContext.runAsNonRoot"),
        ({"resources": {"limits": {"cpu": "1"}}}, "spec.resources"),
    ],
)
def test_a_pod_that_would_run_otherwise_than_written_is_refused(spec: dict[str, Any], path: str) -> None:
    with pytest.raises(Refused) as refused:
        translation(pod(**spec))
    assert refused.value.finding.field == path


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"livenessProbe": {"exec": {}}}, "livenessProbe"),
        ({"lifecycle": {"preStop": {}}}, "lifecycle"),
        ({"envFrom": [{"newRef": {"name": "s"}}]}, "envFrom[0]"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/v", "subPathExpr": "$(A)"}]}, "volumeMounts[v].subPathExpr"),
        ({"restartPolicy": "Always"}, "restartPolicy"),
        ({"resources": {"claims": [{"name": "c"}]}}, "resources.claims"),
        ({"securityContext": {"readOnlyRootFilesystem": True}}, "securityContext.readOnlyRootFilesystem"),
        ({"securityContext": {"allowPrivilegeEscalation": False}}, "securityContext.allowPrivilegeEscalation"),
        ({"securityContext": {"capabilities": {"drop": ["ALL"]}}}, "securityContext.capabilities"),
        ({"securityContext": {"privileged": True}}, "securityContext.privileged"),
    ],
)
def test_a_container_that_would_run_otherwise_than_written_is_refused(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(Refused) as refused:
        translation(pod(container(**fields)))
    assert refused.value.finding.field == f"spec.containers[web].{path}"


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"securityContext": {"runAsNonRoot": False, "supplementalGroups": [], "fsGroupChangePolicy": "Always"}},
        {"hostUsers": True, "hostPID": False, "shareProcessNamespace": False, "os": {"name": "linux"}},
        {"dnsConfig": {}, "volumes": [], "initContainers": None, "imagePullSecrets": []},
        {"nodeSelector": {"type": "virtual-kubelet"}, "affinity": {"nodeAffinity": {}}, "subdomain": "db"},
        {"readinessGates": [{"conditionType": "a/b"}], "dnsPolicy": "Default", "newest": False},
    ],
)
def test_defaults_and_matters_of_others_pass_silently(spec: dict[str, Any]) -> None:
    assert translation(pod(**spec)).warnings == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"securityContext": {}},
        {"securityContext": {"privileged": False, "allowPrivilegeEscalation": True, "procMount": "Default"}},
        {"securityContext": {"capabilities": {"add": []}, "runAsNonRoot": False, "readOnlyRootFilesystem": False}},
        {"tty": False, "stdin": False, "lifecycle": {}, "resizePolicy": [{"resourceName": "cpu"}]},
        {"imagePullPolicy": "Always"},
    ],
)
def test_settings_of_a_container_that_change_nothing_pass_silently(fields: dict[str, Any]) -> None:
    assert translation(pod(container(**fields))).warnings == ()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"tty": True}, "tty"),
        ({"imagePullPolicy": "Never"}, "imagePullPolicy"),
        ({"terminationMessagePolicy": "FallbackToLogsOnError"}, "terminationMessagePolicy"),
        ({"terminationMessagePath": "/tmp/m"}, "terminationMessagePath"),
        ({"newest": {"a": 1}}, "newest"),
    ],
)
def test_what_has_no_effect_is_warned_about(fields: dict[str, Any], path: str) -> None:
    [finding] = translation(pod(container(**fields))).warnings
    assert finding.field == f"spec.containers[web].{path}"


def test_credentials_of_registries_matter_only_where_an_image_is_pulled() -> None:
    subject = pod(binary(), annotations={"driver": "raw_exec"}, imagePullSecrets=[{"name": "s"}])
    assert translation(subject).warnings == ()


@pytest.mark.parametrize("driver", ["docker", "exec", "mock_driver"])
def test_the_injected_token_is_waited_for_where_it_is_delivered(driver: str) -> None:
    subject = pod(binary(volumeMounts=[MOUNT]), annotations={"driver": driver}, volumes=[TOKEN])
    with pytest.raises(Waiting):
        translation(subject)


def test_nobody_puts_the_injected_token_onto_a_host() -> None:
    subject = pod(binary(volumeMounts=[MOUNT]), annotations={"driver": "raw_exec"}, volumes=[TOKEN])
    assert translation(subject).items == {}


@pytest.mark.parametrize(("driver", "count"), [("docker", 0), ("raw_exec", 1)])
def test_a_host_name_is_honoured_or_warned_about(driver: str, count: int) -> None:
    subject = pod(binary(), annotations={"driver": driver}, hostname="db-0")
    assert [one.field for one in translation(subject).warnings] == ["spec.hostname"] * count
