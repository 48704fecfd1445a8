"""What containers leave to say about their end, by drivers; docker is compared with a kubelet in the corpus."""

from tests.e2e.manifests import Manifest, container, pod
from tests.e2e.namespace import LATER, Namespace, terminated

_FROM_LOG = {"terminationMessagePolicy": "FallbackToLogsOnError"}

PODS: dict[str, tuple[Manifest, str]] = {
    "exec-file": (
        pod(
            "exec-file",
            container("echo mine > /local/said; exit 3", terminationMessagePath="/local/said"),
            driver="exec",
            restart="Never",
        ),
        "mine\n",
    ),
    "raw-log": (
        pod("raw-log", container("echo err >&2; echo out; sleep 4; exit 3", **_FROM_LOG), restart="Never"),
        "out\nerr\n",
    ),
    "raw-default": (pod("raw-default", "exit 3", restart="Never"), ""),
}


def test_it_stands_in_the_status(scene: Namespace) -> None:
    scene.create(*(manifest for manifest, _ in PODS.values()))
    said = {name: terminated(scene.wait_phase(name, "Failed", within=LATER)).get("message", "") for name in PODS}
    assert said == {name: message for name, (_, message) in PODS.items()}


def test_a_deleted_pod_tells_it_before_it_leaves(scene: Namespace) -> None:
    script = "trap 'echo bye > /dev/termination-log; exit 7' TERM; while true; do sleep 0.1; done"
    manifest = pod("leaves", script, driver="docker")
    manifest["metadata"]["finalizers"] = ["example.com/holds"]
    scene.create(manifest)
    scene.wait_ready("leaves")
    scene.delete("leaves")
    try:
        found = scene.wait("leaves", "to have ended", terminated)
        assert (terminated(found)["exitCode"], terminated(found)["message"]) == (7, "bye\n")
    finally:
        scene.kubectl("patch", "pod", "leaves", "--type=merge", "--patch", '{"metadata":{"finalizers":null}}')
