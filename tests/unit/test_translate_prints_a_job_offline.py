import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from vnode.cli import main

POLICY = "policy: {drivers: {raw_exec: {namespaces: ['*']}}}\n"
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {annotations: {nomad.hashinetes.io/driver: raw_exec, nomad.hashinetes.io/drivr: x}}
    spec:
      containers: [{name: app, image: nomad.local/binary, command: [/bin/true]}]
"""


def run(tmp_path: Path, manifest: str, *flags: str) -> tuple[int, str, str]:
    config = tmp_path / "vnode.yaml"
    config.write_text(POLICY)
    result = CliRunner().invoke(main, ["translate", "-f", "-", "--config", str(config), *flags], input=manifest)
    return result.exit_code, result.stdout, result.stderr


def test_a_workload_becomes_a_job_and_warnings(tmp_path: Path) -> None:
    code, out, err = run(tmp_path, DEPLOYMENT)
    job = json.loads(out)
    assert code == 0
    assert job["Name"] == "shop/web"
    assert job["TaskGroups"][0]["Tasks"][0]["Driver"] == "raw_exec"
    assert err.startswith("warning: metadata.annotations[nomad.hashinetes.io/drivr]")


def test_flags_take_part(tmp_path: Path) -> None:
    _, out, _ = run(tmp_path, DEPLOYMENT, "--node-pool", "edge", "--namespace-map", "k8s-{namespace}")
    job = json.loads(out)
    assert (job["NodePool"], job["Namespace"]) == ("edge", "k8s-shop")


def test_objects_of_the_cluster_are_assumed_with_the_keys_that_are_named(tmp_path: Path) -> None:
    env = "env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}], "
    volumes = (
        "      volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t}}, "
        "{configMap: {name: c, items: [{key: k, path: p}]}}]}}]\n"
    )
    mounts = "volumeMounts: [{name: v, mountPath: /v}], "
    code, out, err = run(tmp_path, DEPLOYMENT.replace("command:", f"{env}{mounts}command:") + volumes)
    assert (code, err.count("error")) == (0, 0)
    templates = json.loads(out)["TaskGroups"][0]["Tasks"][0]["Templates"]
    assert [each["DestPath"] for each in templates] == ["secrets/.vnode/private-env", "secrets/v/p", "secrets/v/t"]


STATEFUL_SET = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  template:
    spec:
      containers: [{name: app, image: reg.example.com/db, volumeMounts: [{name: data, mountPath: /data}]}]
      imagePullSecrets: [{name: key}]
  volumeClaimTemplates: [{metadata: {name: data}}]
"""


def test_claims_and_accounts_of_registries_are_assumed(tmp_path: Path) -> None:
    code, out, err = run(tmp_path, STATEFUL_SET, "--persistent-volumes")
    assert (code, err) == (0, "")
    group = json.loads(out)["TaskGroups"][0]
    assert group["Volumes"]["data"]["Source"] == "data-db-0"
    [task] = group["Tasks"]
    assert [mount["Destination"] for mount in task["VolumeMounts"]] == ["/data"]
    assert task["Config"]["auth"]["password"] == "${secret.pull.password}"
    code, _, err = run(tmp_path, STATEFUL_SET)
    assert (code, "persistent-volumes" in err) == (1, True)


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        ("kind: Service\nspec: {}\n", "expected a Pod or something with a Pod template, found Service"),
        ("kind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: a}, {image: b}]}\n", "error: "),
        (DEPLOYMENT.replace("raw_exec", "qemu"), "nomad.hashinetes.io/driver"),
        ("a: [", "is not YAML"),
    ],
)
def test_what_cannot_be_translated_is_a_sentence_and_a_failure(tmp_path: Path, manifest: str, sentence: str) -> None:
    code, out, err = run(tmp_path, manifest)
    assert code != 0
    assert out == ""
    assert sentence in err
    assert "Traceback" not in err
