"""Volumes of files: every driver has them where it says, they follow their source, and subPath does not."""

import json

import pytest

from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import Manifest, container, pod, settings
from tests.e2e.namespace import SOON, Namespace, phase, waiting
from tests.e2e.objects import config_map, of_key, secret

_DRIVERS = ("raw_exec", "exec", "docker")
_SHOWS = """
cd $VNODE_MOUNT_CONF; echo conf:$PWD
for f in *; do echo "file $f $(stat -L -c %a $f) $(base64 -w0 $f)"; done
cd $VNODE_MOUNT_ALL; echo all:$PWD
for f in $(find . -type f | sort); do echo "file $f $(stat -L -c %a $f) $(base64 -w0 $f)"; done
echo shared > $VNODE_MOUNT_SCRATCH/word
while ! grep -q two $VNODE_MOUNT_CONF/word; do sleep 0.1; done
while ! grep -q changed $VNODE_MOUNT_ALL/labels; do sleep 0.1; done
echo updated; sleep 3600
"""
_READS = "while ! cat $VNODE_MOUNT_SCRATCH/word; do sleep 0.1; done; sleep 3600"


def _volumes() -> list[Manifest]:
    downward = {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}
    return [
        {"name": "conf", "configMap": {"name": "conf", "defaultMode": 0o640}},
        {
            "name": "all",
            "projected": {
                "sources": [
                    {"secret": {"name": "keys", "items": [{"key": "key", "path": "deep/key", "mode": 0o400}]}},
                    {"downwardAPI": downward},
                    {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}},
                    {"configMap": {"name": "nobody", "optional": True}},
                ]
            },
        },
        {"name": "scratch", "emptyDir": {}},
    ]


@pytest.mark.parametrize("driver", _DRIVERS)
def test_files_are_there_and_follow_their_source(namespace: Namespace, driver: str) -> None:
    content = bytes(range(256))
    namespace.create(
        config_map("conf", {"word": "one", "empty": ""}, binaryData={"bin": "AP/+"}),
        secret("keys", {"key": content, "not-mounted": "x"}),
    )
    mounts = [
        {"name": "conf", "mountPath": "/etc/conf"},
        {"name": "all", "mountPath": "/var/run/all"},
        {"name": "scratch", "mountPath": "/scratch"},
    ]
    namespace.create(
        pod(
            "files",
            container(_SHOWS, volumeMounts=mounts),
            container(_READS, name="reads", volumeMounts=mounts[2:]),
            driver=driver,
            volumes=_volumes(),
        ),
    )
    found = namespace.wait_ready("files")
    wait_until("its files", lambda: "labels" in namespace.logs("files", "-c", "main"), within=SOON)
    log = namespace.logs("files", "-c", "main")
    assert "file word 640 b25l" in log
    assert "file bin 640 AP/+" in log
    assert "file empty 640 \n" in log
    assert "file ./deep/key 400 " in log
    assert "file ./token 644 " in log
    wait_until("the shared directory", lambda: "shared" in namespace.logs("files", "-c", "reads"), within=SOON)
    namespace.kubectl("patch", "configmap", "conf", '--patch={"data":{"word":"two","added":"later"}}')
    namespace.kubectl("label", "pod", "files", "state=changed")
    wait_until("the changes", lambda: "updated" in namespace.logs("files", "-c", "main"), within=15)
    namespace.wait_event("files", "KeysChanged", "next start")
    assert namespace.pod("files")["status"]["containerStatuses"][0]["restartCount"] == 0
    assert found["metadata"]["uid"] == namespace.pod("files")["metadata"]["uid"]
    job = json.dumps(namespace.bed.nomad.api(f"/v1/job/vk-{found['metadata']['uid']}"))
    for _, value in [line.rsplit(" ", 1) for line in log.splitlines() if line.startswith("file ") and len(line) > 40]:
        assert value not in job
    variables = namespace.bed.nomad.api("/v1/vars?namespace=*")
    assert f"nomad/jobs/vk-{found['metadata']['uid']}" in {each["Path"] for each in variables}
    namespace.delete("files", grace=1)
    namespace.wait_gone("files")
    assert found["metadata"]["uid"] not in json.dumps(namespace.bed.nomad.api("/v1/vars?namespace=*"))


def test_what_a_kubelet_fixes_at_the_start_is_fixed_here(scene: Namespace) -> None:
    """A part of a volume, a variable, an immutable object; and files of the user that runs the program."""
    script = """
    touch /whole/new 2>/dev/null || echo read-only
    grep -o ' /scratch tmpfs .*size=1024k' /proc/mounts | cut -d' ' -f2,3
    echo $(id -u) $(stat -L -c '%u %a' /keys/key) $(cat /keys/key) $(cat /fixed/word) $(cat /about/name)
    while ! grep -q two /whole/word; do sleep 0.1; done
    echo $(cat /part) $WORD; sleep 3600
    """
    mounts = [
        {"name": "conf", "mountPath": "/whole"},
        {"name": "conf", "mountPath": "/part", "subPath": "word"},
        {"name": "keys", "mountPath": "/keys", "readOnly": True},
        {"name": "fixed", "mountPath": "/fixed"},
        {"name": "about", "mountPath": "/about"},
        {"name": "memory", "mountPath": "/scratch"},
    ]
    memory = {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    volumes: list[Manifest] = [
        {"name": "conf", "configMap": {"name": "changes"}},
        {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}},
        {"name": "fixed", "configMap": {"name": "immutable"}},
        {"name": "about", "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        memory,
    ]
    main = container(script, env=[of_key("WORD", "configMap", "changes", "word")], volumeMounts=mounts)
    limited = container("sleep 3600", volumeMounts=[{"name": "memory", "mountPath": "/scratch"}])
    scene.create(
        config_map("changes", {"word": "one"}),
        config_map("immutable", {"word": "for-ever"}, immutable=True),
        secret("keys", {"key": "of-its-user"}),
        pod("fixed", main, driver="docker", annotations=settings("docker", user="65534"), volumes=volumes),
        pod("unlimited", limited, volumes=[memory]),
    )
    scene.wait_ready("fixed")
    wait_until("what it has", lambda: "for-ever" in scene.logs("fixed"), within=SOON)
    scene.kubectl("patch", "configmap", "changes", '--patch={"data":{"word":"two"}}')
    wait_until("the change", lambda: len(scene.logs("fixed").splitlines()) > 3, within=SOON)
    assert scene.logs("fixed").splitlines() == [
        "read-only",
        "/scratch tmpfs",
        "65534 65534 400 of-its-user for-ever fixed",
        "one one",
    ]
    scene.wait_event("unlimited", "LimitNotEnforced", "spec.volumes[memory].emptyDir.sizeLimit")
    scene.wait_event("unlimited", "FieldIgnored", "spec.volumes[memory].emptyDir.medium")


def test_a_volume_waits_for_its_object(scene: Namespace) -> None:
    mount = {"name": "conf", "mountPath": "/etc/conf"}
    volume = {"name": "conf", "configMap": {"name": "late", "items": [{"key": "k", "path": "k"}]}}
    script = "cat $VNODE_MOUNT_CONF/k; sleep 3600"
    scene.create(pod("waits", container(script, volumeMounts=[mount]), volumes=[volume]))
    scene.wait_event("waits", "FailedMount", 'MountVolume.SetUp failed for volume "conf" : configmap "late" not found')
    found = scene.pod("waits")
    assert (phase(found), waiting(found)["reason"]) == ("Pending", "ContainerCreating")
    scene.create(config_map("late", {"other": ""}))
    scene.wait_event("waits", "FailedMount", "configmap references non-existent config key: k")
    scene.kubectl("patch", "configmap", "late", '--patch={"data":{"k":"here"}}')
    scene.wait_ready("waits")
    wait_until("its content", lambda: scene.logs("waits") == "here", within=SOON)


def test_what_nomad_cannot_give_is_refused_by_name(scene: Namespace) -> None:
    mount = {"name": "v", "mountPath": "/v"}
    of_file = {"name": "WORD", "valueFrom": {"fileKeyRef": {"volumeName": "v", "path": "env", "key": "WORD"}}}
    refused: dict[str, tuple[str, Manifest, list[Manifest]]] = {
        "file-key": ("spec.containers[main].env[WORD].valueFrom", {"emptyDir": {}}, [of_file]),
        "nfs": ("spec.volumes[v].nfs", {"nfs": {"server": "192.0.2.1", "path": "/"}}, []),
        "inline": ("spec.volumes[v].csi", {"csi": {"driver": "secrets-store.csi.k8s.io"}}, []),
    }
    for name, (_, source, env) in refused.items():
        main = container("sleep 3600", env=env, volumeMounts=[mount])
        scene.create(pod(name, main, volumes=[{"name": "v", **source}]))
    for name, (path, _, _) in refused.items():
        scene.wait_event(name, "PodFeatureUnsupported", path)
        scene.wait_phase(name, "Failed")
