"""Scene 3: a Pod's object leaves the API when its processes have ended, not before and hardly after."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import BUSYBOX, container, pod, settings, stateful_set
from tests.e2e.namespace import LATER, SOON, Namespace, phase, terminated, waiting

_WATCH_SECONDS = 100
#: What a deletion may take beyond the end of the processes; the one bound on time that is promised.
_AFTER_THE_END_SECONDS = 3.0
_DRIVERS = ("raw_exec", "exec", "docker")
_ENDS_IN_A_SECOND = "trap 'sleep 1; exit 0' TERM; echo ready; while true; do sleep 0.1; done"
_IGNORES = "trap '' TERM; echo ready; while true; do sleep 0.1; done"


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """A folder of the host that raw_exec tasks write to."""
    return tmp_path


def test_it_is_gone_within_three_seconds_of_its_end(scene: Namespace, places: Path) -> None:
    ended = places / "ended"
    script = f"trap 'sleep 1; date +%s.%N >{ended}; exit 0' TERM; echo ready; while true; do sleep 0.1; done"
    scene.create(pod("quick", script, terminationGracePeriodSeconds=30))
    _wait_until_it_traps(scene, "quick")
    with _watched(scene, "quick") as deleted:
        asked = time.time()
        scene.delete("quick")
        gone = deleted.result()
    end = float(ended.read_text())
    assert asked + 1 < end < gone < end + _AFTER_THE_END_SECONDS
    assert gone < asked + 30
    scene.wait_event("quick", "Killing", "Stopping container main")


@pytest.mark.parametrize("driver", _DRIVERS)
def test_one_that_ends_before_its_grace_is_not_waited_for(scene: Namespace, driver: str) -> None:
    name = f"early-{driver.replace('_', '-')}"
    scene.create(pod(name, _ENDS_IN_A_SECOND, driver=driver, terminationGracePeriodSeconds=300))
    _wait_until_it_traps(scene, name)
    scene.delete(name)
    scene.wait_gone(name)


def test_an_image_says_itself_what_asks_it_to_end(bed: Bed, scene: Namespace) -> None:
    image = "example.com/ends-at-usr1:1"
    bed.docker.run("build", "--tag", image, "-", stdin=f"FROM {BUSYBOX}\nSTOPSIGNAL SIGUSR1\n".encode())
    script = "trap 'exit 0' USR1; echo ready; while true; do sleep 0.1; done"
    scene.create(pod("own-signal", container(script, image=image), driver="docker", terminationGracePeriodSeconds=300))
    _wait_until_it_traps(scene, "own-signal")
    scene.delete("own-signal")
    scene.wait_gone("own-signal")


@pytest.mark.parametrize("driver", _DRIVERS)
def test_one_that_ignores_sigterm_is_killed_at_the_end_of_its_grace(scene: Namespace, driver: str) -> None:
    name = f"deaf-{driver.replace('_', '-')}"
    scene.create(pod(name, _IGNORES, driver=driver, terminationGracePeriodSeconds=4))
    _wait_until_it_traps(scene, name)
    with _watched(scene, name) as deleted:
        asked = time.time()
        scene.delete(name)
        assert deleted.result() - asked >= 4


def test_a_shorter_grace_at_the_deletion_counts(scene: Namespace) -> None:
    scene.create(pod("shortened", _IGNORES, terminationGracePeriodSeconds=300))
    _wait_until_it_traps(scene, "shortened")
    with _watched(scene, "shortened") as deleted:
        asked = time.time()
        scene.delete("shortened", grace=2)
        assert deleted.result() - asked >= 2


def test_a_longer_deletion_can_still_be_shortened(scene: Namespace) -> None:
    scene.create(pod("impatient", _IGNORES, terminationGracePeriodSeconds=300))
    _wait_until_it_traps(scene, "impatient")
    scene.delete("impatient")
    scene.wait("impatient", "to be terminating", lambda found: "deletionTimestamp" in found["metadata"])
    scene.delete("impatient", grace=1)
    scene.wait_gone("impatient")


def test_a_pod_that_is_killed_tells_so_before_it_goes(scene: Namespace) -> None:
    manifest = pod("last-words", _IGNORES, driver="docker", terminationGracePeriodSeconds=1)
    manifest["metadata"]["finalizers"] = ["example.com/reader"]
    scene.create(manifest)
    _wait_until_it_traps(scene, "last-words")
    scene.delete("last-words")
    found = scene.wait_phase("last-words", "Failed")
    assert (terminated(found)["exitCode"], terminated(found)["reason"]) == (137, "Error")
    scene.kubectl("patch", "pod", "last-words", "--type=merge", '--patch={"metadata":{"finalizers":null}}')
    scene.wait_gone("last-words")


@pytest.mark.parametrize("script", [_IGNORES, _ENDS_IN_A_SECOND], ids=["deaf", "willing"])
def test_a_forced_deletion_leaves_nothing_in_nomad(namespace: Namespace, script: str) -> None:
    namespace.create(pod("forced", script, terminationGracePeriodSeconds=5))
    _wait_until_it_traps(namespace, "forced")
    namespace.kubectl("delete", "pod", "forced", "--grace-period=0", "--force")
    assert not namespace.holds("forced")
    namespace.wait_until_nomad_is_empty()


def test_a_stateful_sets_pod_runs_never_beside_one_of_its_name_that_was_forced(
    namespace: Namespace, places: Path
) -> None:
    """Its task ignores SIGTERM, so it runs on for its grace period when its object is gone."""
    alone = f"exec 9>>{places}/lock; flock -n 9 || echo two >>{places}/overlaps"
    namespace.create(stateful_set("one", f"{alone}; {_IGNORES}", 1, terminationGracePeriodSeconds=4))
    wait_until("the Pod of the StatefulSet", lambda: namespace.holds("one-0"), within=SOON)
    _wait_until_it_traps(namespace, "one-0")
    first = namespace.pod("one-0")
    namespace.kubectl("delete", "pod", "one-0", "--grace-period=0", "--force")
    namespace.wait_event("one-0", "WaitingForPredecessor", first["metadata"]["uid"])
    wait_until("the next Pod of the StatefulSet", lambda: namespace.holds("one-0"), within=SOON)
    assert namespace.wait_ready("one-0", within=LATER)["metadata"]["uid"] != first["metadata"]["uid"]
    assert not (places / "overlaps").exists()


def test_a_successor_waits_for_one_that_nobody_can_end(bed: Bed, namespace: Namespace) -> None:
    client = bed.nomad.clients["edge-1"]
    here = settings(constraints=f"${{node.unique.name}} = {client.name}")
    namespace.create(pod("one", "sleep 600", annotations=here))
    first = namespace.wait_ready("one")
    client.stop()
    try:
        namespace.kubectl("delete", "pod", "one", "--grace-period=0", "--force")
        namespace.create(pod("one", "exit 0", restart="Never"))
        namespace.wait_event("one", "WaitingForPredecessor", first["metadata"]["uid"])
        assert phase(namespace.pod("one")) == "Pending"
    finally:
        client.start()
        client.wait_ready()
    namespace.wait_phase("one", "Succeeded")


_PENDING = {
    "unplaceable": pod("unplaceable", "sleep 600", annotations=settings(constraints="${meta.rack} = nowhere")),
    "without-image": pod("without-image", container("sleep 600", image="127.0.0.1:1/no/where:1"), driver="docker"),
    "without-binary": pod("without-binary", container(command=["/no/such/program"])),
}


@pytest.mark.parametrize("name", _PENDING)
def test_a_pending_pod_leaves_at_once(namespace: Namespace, name: str) -> None:
    namespace.create(_PENDING[name])
    wait_until("its job in Nomad", namespace.nomad_jobs, within=SOON)
    namespace.wait(name, "to say why it waits", lambda found: waiting(found).get("message"))
    assert phase(namespace.pod(name)) == "Pending"
    namespace.delete(name)
    namespace.wait_gone(name)
    namespace.wait_until_nomad_is_empty()


def test_a_pod_that_is_deleted_right_after_its_creation_leaves(namespace: Namespace) -> None:
    namespace.create(*(pod(f"short-{number}", "sleep 600") for number in range(5)))
    for number in range(5):
        namespace.delete(f"short-{number}")
    for number in range(5):
        namespace.wait_gone(f"short-{number}")
    namespace.wait_until_nomad_is_empty()


def test_a_crash_looping_pod_leaves_at_once(namespace: Namespace) -> None:
    namespace.create(pod("crash", "exit 7"))
    namespace.wait("crash", "to crash-loop", lambda found: waiting(found).get("reason") == "CrashLoopBackOff")
    namespace.delete("crash")
    namespace.wait_gone("crash")
    namespace.wait_until_nomad_is_empty()


def test_a_deleted_namespace_takes_its_pods_along(bed: Bed, vnode: VnodeProcess, namespaces: Namespaces) -> None:
    vnode.child.must_live()
    with namespaces() as namespace:
        namespace.create(
            pod("runs", _ENDS_IN_A_SECOND, terminationGracePeriodSeconds=10),
            pod("waits", "sleep 600", annotations=settings(constraints="${meta.rack} = nowhere")),
            pod("container", container("sleep 600", image=BUSYBOX), driver="docker", terminationGracePeriodSeconds=1),
        )
        namespace.wait_ready("runs")
        namespace.wait_ready("container")
        bed.kubectl("delete", "namespace", namespace.name, within=90)
        assert namespace.name not in bed.kubectl("get", "namespaces", "--output=name").stdout
        namespace.wait_until_nomad_is_empty()
        # What follows at the end of every test expects a namespace.
        bed.kubectl("create", "namespace", namespace.name)


def _wait_until_it_traps(namespace: Namespace, pod_name: str) -> None:
    """Wait until the shell has set its trap, which it says."""
    namespace.wait_ready(pod_name)
    wait_until(f"the first line of {pod_name}", lambda: namespace.logs(pod_name) == "ready\n", within=SOON)


@contextmanager
def _watched(namespace: Namespace, pod_name: str) -> Iterator[Future[float]]:
    """The moment at which the API server tells watchers that the Pod is deleted, in seconds since the epoch."""
    path = f"/api/v1/namespaces/{namespace.name}/pods"
    query = f"?fieldSelector=metadata.name%3D{pod_name}&watch=true&timeoutSeconds={_WATCH_SECONDS}"

    def deleted() -> float:
        with namespace.bed.control_plane.stream(path + query) as lines:
            for line in lines:
                if json.loads(line)["type"] == "DELETED":
                    return time.time()
        raise AssertionError(f"{pod_name} was not deleted within {_WATCH_SECONDS} s")

    with ThreadPoolExecutor(1) as threads:
        yield threads.submit(deleted)
