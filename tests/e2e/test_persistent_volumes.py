"""Claims: their volumes are made, kept as long as they are, and removed after them; what cannot be served waits."""

from typing import Any

import pytest

from tests.e2e.bed import csi
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import Manifest, claiming, container, pod, stateful_set, volume_claim
from tests.e2e.namespace import LATER, SOON, Namespace, phase

_VOLUMES = "/api/v1/persistentvolumes"
_REMEMBERS = "echo $HOSTNAME >> /data/log; echo kept $(wc -l < /data/log); sleep 3600"

pytestmark = pytest.mark.timeout(300, func_only=True)


def _mounting(script: str) -> Manifest:
    return container(script, volumeMounts=[{"name": "data", "mountPath": "/data"}])


def _said(namespace: Namespace, name: str, text: str) -> None:
    wait_until(f"{text} in the log of {name}", lambda: namespace.logs(name) == text, within=SOON)


def _volume(bed: Bed, namespace: Namespace, claim: str) -> Manifest:
    path = f"/api/v1/namespaces/{namespace.name}/persistentvolumeclaims/{claim}"
    name = bed.control_plane.api(path)["spec"]["volumeName"]
    return dict(bed.control_plane.api(f"{_VOLUMES}/{name}"))


def _persistent_volume(namespace: Namespace, claim: str, **source: Any) -> Manifest:
    """A volume that an administrator made for a claim."""
    own = {
        "capacity": {"storage": "64Mi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "claimRef": {"namespace": namespace.name, "name": claim},
    }
    metadata = {"name": f"{namespace.name}-{claim}"}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": {**own, **source}}


def _host_volumes(bed: Bed) -> dict[str, dict[str, Any]]:
    return {each["Name"]: each for each in bed.nomad.api("/v1/volumes?type=host&namespace=*") or ()}


def test_what_a_stateful_pod_wrote_outlives_it_and_goes_with_its_claim(bed: Bed, namespace: Namespace) -> None:
    template = volume_claim("data")
    made = stateful_set("db", "", 1, driver="docker", terminationGracePeriodSeconds=1)
    made["spec"]["template"]["spec"]["containers"] = [_mounting(_REMEMBERS)]
    made["spec"]["volumeClaimTemplates"] = [{"metadata": template["metadata"], "spec": template["spec"]}]
    namespace.apply(made)
    first = namespace.wait_ready("db-0", within=LATER)
    _said(namespace, "db-0", "kept 1\n")
    # Nothing was tried before its volume was known to the scheduler.
    assert not namespace.events("db-0", "Unschedulable")
    volume = _volume(bed, namespace, "data-db-0")
    name = volume["metadata"]["name"]
    assert _host_volumes(bed)[name]["ID"] == volume["spec"]["csi"]["volumeAttributes"]["id"]
    [before] = namespace.allocations(first)
    namespace.delete("db-0")
    again = namespace.wait(
        "db-0", "to be another one that is Ready",
        lambda found: found["metadata"]["uid"] != first["metadata"]["uid"] and phase(found) == "Running", within=LATER,
    )  # fmt: skip
    _said(namespace, "db-0", "kept 2\n")
    [after] = namespace.allocations(again)
    assert before["NodeID"] == after["NodeID"] == volume["spec"]["csi"]["volumeAttributes"]["client"]
    # exec, which runs as nobody, beside docker on the same client.
    reader = pod("reader", _mounting("wc -l < /data/log; : > /data/mine"), driver="exec", restart="Never",
                 volumes=[claiming("data-db-0")])  # fmt: skip
    namespace.create(reader)
    namespace.wait_phase("reader", "Succeeded", within=LATER)
    _said(namespace, "reader", "2\n")
    namespace.delete("reader")
    # A claim that is in use waits for its Pods, and its data with it.
    namespace.kubectl("delete", "pvc", "data-db-0", "--wait=false")
    assert name in _host_volumes(bed)
    namespace.kubectl("scale", "statefulset", "db", "--replicas=0")
    wait_until("its volume to leave Nomad", lambda: name not in _host_volumes(bed), within=LATER)
    left = f"{_VOLUMES}?fieldSelector=metadata.name%3D{name}"
    wait_until("and Kubernetes", lambda: not bed.control_plane.api(left)["items"], within=SOON)


def test_a_claim_that_cannot_be_served_says_why_and_its_pod_starts_when_it_can(bed: Bed, namespace: Namespace) -> None:
    """Bound to the Node by name, for the scheduler would not let such Pods come."""
    name = f"pvc-{namespace.name}-by-hand"
    foreign = _persistent_volume(namespace, "foreign", nfs={"server": "192.0.2.1", "path": "/"})
    mine = _persistent_volume(
        namespace, "mine", csi={"driver": "host-volume.nomad.hashinetes.io", "volumeHandle": name}
    )
    try:
        bed.control_plane.api(_VOLUMES, "POST", foreign)
        for claim in ("foreign", "mine"):
            namespace.create(pod(claim, _mounting("echo here; sleep 3600"), driver="docker", volumes=[claiming(claim)],
                                 nodeName="nomad"))  # fmt: skip
        namespace.wait_event("mine", "FailedMount", 'persistentvolumeclaim "mine" not found')
        namespace.apply(volume_claim("foreign", storageClassName="", volumeName=foreign["metadata"]["name"]))
        namespace.wait_event("foreign", "FailedMount", "is no volume of Nomad", "host-volume.nomad.hashinetes.io")
        namespace.apply(volume_claim("shared", "ReadWriteMany"))
        namespace.create(pod("shared", _mounting("true"), driver="docker", volumes=[claiming("shared")]))
        namespace.wait_event("shared", "ProvisioningFailed", "spec.accessModes", "ReadWriteOnce")
        assert not namespace.nomad_jobs()
        volume = {"Name": name, "PluginID": "mkdir", "Namespace": "default"}
        bed.nomad.api("/v1/volume/host/create", "PUT", {"Volume": volume})
        bed.control_plane.api(_VOLUMES, "POST", mine)
        namespace.apply(volume_claim("mine", storageClassName="", volumeName=mine["metadata"]["name"]))
        namespace.wait_ready("mine", within=LATER)
        assert namespace.logs("mine") == "here\n"
    finally:
        namespace.empty()
        namespace.kubectl("delete", "pvc", "--all")
        bed.kubectl("delete", "pv", "--ignore-not-found", *(each["metadata"]["name"] for each in (foreign, mine)))
    # It is not ours: nobody removes it but whoever made it.
    bed.nomad.api(f"/v1/volume/host/{_host_volumes(bed)[name]['ID']}/delete", "DELETE")


def test_a_csi_volume_keeps_what_pods_wrote(bed: Bed, namespace: Namespace) -> None:
    name = f"{namespace.name}-disk"
    source = {"driver": "csi-volume.nomad.hashinetes.io", "volumeHandle": name}
    made = _persistent_volume(namespace, "disk", csi=source)
    with csi.plugin(bed, bed.nomad.clients["default-0"]) as plugin, plugin.volume(name) as directory:
        try:
            bed.control_plane.api(_VOLUMES, "POST", made)
            namespace.apply(volume_claim("disk", storageClassName="", volumeName=made["metadata"]["name"]))
            for writer, driver in (("first", "docker"), ("second", "exec")):
                script = f"echo {writer} >> /data/log; cat /data/log; sleep 2"
                namespace.create(
                    pod(writer, _mounting(script), driver=driver, restart="Never", volumes=[claiming("disk")])
                )
                namespace.wait_phase(writer, "Succeeded", "Failed", within=LATER)
            _said(namespace, "first", "first\n")
            _said(namespace, "second", "first\nsecond\n")
            assert (directory / "log").read_text() == "first\nsecond\n"
        finally:
            namespace.empty()
            namespace.kubectl("delete", "pvc", "--all")
            bed.kubectl("delete", "pv", made["metadata"]["name"], "--ignore-not-found")
