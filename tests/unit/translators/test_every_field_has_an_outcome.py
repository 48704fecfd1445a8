import inspect
from pathlib import Path
from typing import Any

import pytest

from tests.unit.translators.pods import binary, container, pod, translation
from translators import support
from translators.errors import Refused, Waiting

#: What a real API server describes: tests/e2e/test_fields.py writes it and compares it.
FIELDS = Path(__file__).parent / "fields_of_kubernetes.txt"

TOKEN = {"name": "kube-api-access-abcde", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
MOUNT = {"name": "kube-api-access-abcde", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}


def test_the_table_covers_all_fields_of_kubernetes() -> None:
    paths = [row.path for row in support.rows()]
    assert sorted(paths) == FIELDS.read_text().split()


def test_the_documentation_is_the_table() -> None:
    root = Path(inspect.getfile(support)).parents[1]
    assert (root / "docs" / "supported.md").read_text() == support.markdown()


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (
            {"initContainers": [container("one", restartPolicy="Always", lifecycle={"stopSignal": "SIGUSR1"})]},
            "spec.initContainers[one].lifecycle.stopSignal",
        ),
        ({"initContainers": [container("one", restartPolicy="Never")]}, "spec.initContainers[one].restartPolicy"),
        ({"volumes": [{"name": "kube-api-access-x", "nfs": {"path": "/"}}]}, "spec.volumes[kube-api-access-x].nfs"),
        (
            {"volumes": [{"name": "all", "projected": {"sources": [{"podCertificate": {"path": "x"}}]}}]},
            "spec.volumes[all].projected.sources[].podCertificate",
        ),
        ({"dnsPolicy": "None"}, "spec.dnsConfig.nameservers"),
        ({"dnsConfig": {"nameservers": ["1.1.1.1"]}}, "spec.dnsConfig.nameservers"),
        ({"hostPID": True}, "spec.hostPID"),
        ({"hostUsers": False}, "spec.hostUsers"),
        ({"os": {"name": "windows"}}, "spec.os"),
        ({"securityContext": {"fsGroup": 0}}, "spec.securityContext.fsGroup"),
        (
            {"securityContext": {"sysctls": [{"name": "a", "value": "1"}]}},
            "spec.securityContext.sysctls",
        ),
        (
            {
                "resources": {"limits": {"cpu": "1"}},
                "initContainers": [container("side", restartPolicy="Always")],
            },
            "spec.resources",
        ),
    ],
)
def test_a_pod_that_would_run_otherwise_than_written_is_refused(spec: dict[str, Any], path: str) -> None:
    with pytest.raises(Refused) as refused:
        translation(pod(**spec))
    assert refused.value.finding.field == path


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"livenessProbe": {"exec": {}, "httpGet": {"port": 80, "host": "x"}}}, "livenessProbe.httpGet.host"),
        ({"lifecycle": {"preStop": {"tcpSocket": {"port": 1}}}}, "lifecycle.preStop.tcpSocket"),
        ({"lifecycle": {"postStart": {"httpGet": {"port": 1, "host": "x"}}}}, "lifecycle.postStart.httpGet.host"),
        ({"lifecycle": {"stopSignal": "SIGUSR1"}}, "lifecycle.stopSignal"),
        ({"envFrom": [{"newRef": {"name": "s"}}]}, "envFrom[0]"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/v", "subPathExpr": "$(A)"}]}, "volumeMounts[v].subPathExpr"),
        ({"restartPolicy": "Always"}, "restartPolicy"),
        ({"resources": {"claims": [{"name": "c"}]}}, "resources.claims"),
        ({"securityContext": {"procMount": "Unmasked"}}, "securityContext.procMount"),
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
