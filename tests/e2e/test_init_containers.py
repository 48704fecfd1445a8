"""Init containers and sidecars: before the others, again when they fail, and beside them, as by a kubelet."""

from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import Manifest, container, pod
from tests.e2e.namespace import LATER, SOON, Namespace, condition, phase, terminated

_SHARED: Manifest = {"volumeMounts": [{"name": "work", "mountPath": "/work"}]}
_VOLUMES = [{"name": "work", "emptyDir": {}}]


def _init(found: Manifest) -> Manifest:
    """The status of the only init container, once there is one."""
    return dict(next(iter(found["status"].get("initContainerStatuses", ())), {"state": {}}))


def test_an_init_container_hands_its_work_over(scene: Namespace) -> None:
    setup = container("sleep 2; echo made > /work/it", name="setup", **_SHARED)
    web = container("cat /work/it; exec sleep 3600", **_SHARED)
    own: Manifest = {"initContainers": [setup], "volumes": _VOLUMES, "terminationGracePeriodSeconds": 1}
    scene.create(pod("handed", web, driver="docker", **own))
    found = scene.wait("handed", "to initialize", lambda found: "running" in _init(found)["state"], within=LATER)
    assert phase(found) == "Pending"
    assert condition(found, "Initialized")["reason"] == "ContainersNotInitialized"
    assert found["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"
    found = scene.wait_ready("handed", within=LATER)
    assert (_init(found)["ready"], _init(found)["state"]["terminated"]["reason"]) == (True, "Completed")
    assert condition(found, "Initialized")["status"] == "True"
    wait_until("its log", lambda: scene.logs("handed") == "made\n", within=SOON)

    def are_told() -> bool:
        paths = sorted(each["involvedObject"]["fieldPath"] for each in scene.events("handed", "Started"))
        return paths == ["spec.containers{main}", "spec.initContainers{setup}"]

    wait_until("both to be told of", are_told, within=SOON)


def test_an_init_container_that_fails_ends_a_pod_that_runs_once(scene: Namespace) -> None:
    fails = container("echo no; exit 3", name="setup")
    scene.create(pod("unready", "echo never", restart="Never", initContainers=[fails]))
    found = scene.wait_phase("unready", "Succeeded", "Failed", within=LATER)
    assert phase(found) == "Failed"
    assert _init(found)["state"]["terminated"]["exitCode"] == 3
    assert found["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"
    assert scene.logs("unready", "--container=setup") == "no\n"


def test_an_init_container_that_fails_is_tried_again(scene: Namespace) -> None:
    script = "test -e $NOMAD_TASK_DIR/tried && exit 0; touch $NOMAD_TASK_DIR/tried; exit 3"
    scene.create(pod("patient", "echo over", restart="OnFailure", initContainers=[container(script, name="setup")]))
    found = scene.wait(
        "patient", "to back off", lambda found: _init(found)["state"].get("waiting", {}).get("reason"), within=LATER
    )
    found = scene.wait_phase("patient", "Succeeded", "Failed", within=LATER)
    assert phase(found) == "Succeeded"
    assert _init(found)["restartCount"] == 1
    assert terminated(found)["exitCode"] == 0


def test_a_sidecar_runs_beside_and_does_not_keep_the_pod_alive(scene: Namespace) -> None:
    serves = "mkdir /www; echo hi > /www/x; exec httpd -f -p 8080 -h /www"
    sidecar = container(serves, name="proxy", restartPolicy="Always")
    # Nomad may lose what a docker container says in its last moments: docs/logs.md.
    asks = "until wget -qO- http://127.0.0.1:8080/x; do sleep 0.2; done; sleep 2"
    own: Manifest = {"initContainers": [sidecar], "terminationGracePeriodSeconds": 1}
    scene.create(pod("beside", container(asks), driver="docker", restart="Never", **own))
    found = scene.wait_phase("beside", "Succeeded", "Failed", within=LATER)
    assert phase(found) == "Succeeded"
    assert "hi" in scene.logs("beside", "--container=main")
    assert "terminated" in _init(found)["state"]


def test_init_containers_take_turns(scene: Namespace) -> None:
    writes = (
        "test \"$(cat /work/log 2>/dev/null | tr -d '\\n')\" = '{before}' || exit 9; sleep 1; echo {name} >> /work/log"
    )
    names = ("a", "b", "c")
    ordered = [
        container(writes.format(name=name, before="".join(names[:index])), name=name, **_SHARED)
        for index, name in enumerate(names)
    ]
    serves = container("echo s >> /work/log; exec sleep 3600", name="s", restartPolicy="Always", **_SHARED)
    last = container("echo d >> /work/log", name="d", **_SHARED)
    web = container("sleep 1; tr -d '\\n' < /work/log; echo; sleep 1", **_SHARED)
    own: Manifest = {"initContainers": [*ordered, serves, last], "volumes": _VOLUMES, "restart": "Never"}
    scene.create(pod("ordered", web, driver="docker", terminationGracePeriodSeconds=1, **own))
    found = scene.wait_phase("ordered", "Succeeded", "Failed", within=LATER)
    assert phase(found) == "Succeeded"
    assert scene.logs("ordered", "--container=main") == "abcsd\n"
    assert [each["restartCount"] for each in found["status"]["initContainerStatuses"]] == [0, 0, 0, 0, 0]
    left = scene.bed.nomad.api("/v1/vars?namespace=*&prefix=nomad/jobs/vk-" + found["metadata"]["uid"])
    assert left == []
