"""Volumes of files: every driver has them where it says, they follow their source, and subPath does not."""

import json

import pytest

from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import Manifest, container, pod
from tests.e2e.namespace import SOON, Namespace, phase, waiting
from tests.e2e.objects import config_map, secret

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
