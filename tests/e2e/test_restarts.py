"""Restarts: what restartPolicy makes of an end, what is told of it, and how controllers heal what was killed."""

import os
import signal

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import Manifest, container, deployment, pod, stateful_set
from tests.e2e.namespace import (
    LATER,
    SOON,
    Namespace,
    container_status,
    is_ready,
    last_terminated,
    phase,
    terminated,
    waiting,
)
from tests.e2e.recorder import recorded

_REASONS = {0: "Completed", 3: "Error"}


@pytest.mark.parametrize(
    ("policy", "code", "expected"),
    [("OnFailure", 0, "Succeeded"), ("Never", 0, "Succeeded"), ("Never", 3, "Failed")],
)
def test_an_end_that_is_final(scene: Namespace, policy: str, code: int, expected: str) -> None:
    name = f"ends-{policy.lower()}-{code}"
    scene.create(pod(name, f"echo over; exit {code}", restart=policy))
    found = scene.wait_phase(name, "Succeeded", "Failed")
    assert phase(found) == expected
    assert (terminated(found)["exitCode"], terminated(found)["reason"]) == (code, _REASONS[code])
    assert container_status(found)["restartCount"] == 0
    assert last_terminated(found) == {}
    assert scene.logs(name) == "over\n"


@pytest.mark.parametrize(("policy", "code"), [("Always", 0), ("Always", 3), ("OnFailure", 3)])
def test_an_end_that_is_followed_by_another_run(scene: Namespace, policy: str, code: int) -> None:
    name = f"again-{policy.lower()}-{code}"
    scene.create(pod(name, f"exit {code}", restart=policy))
    found = scene.wait(
        name,
        "to wait for its next run",
        lambda found: waiting(found).get("reason") == "CrashLoopBackOff",
        within=LATER,
    )
    before = container_status(found)["restartCount"]
    # The restart that it waits for is none yet: it is the number of the run that ended.
    assert container_status(found)["containerID"].partition("@")[0].endswith(f"/main/{before}")
    assert phase(found) == "Running"
    assert (last_terminated(found)["exitCode"], last_terminated(found)["reason"]) == (code, _REASONS[code])
    said = waiting(found)["message"]
    assert said.startswith("back-off ")
    assert f"restarting failed container=main pod={name}_{scene.name}({found['metadata']['uid']})" in said
    scene.wait_event(name, "BackOff", "Back-off restarting failed container main in pod")
    scene.wait(
        name, "to restart once more", lambda found: container_status(found)["restartCount"] > before, within=LATER
    )


def test_on_failure_ends_with_the_first_success(scene: Namespace) -> None:
    once = "test -e $NOMAD_TASK_DIR/tried && exit 0; touch $NOMAD_TASK_DIR/tried; exit 3"
    scene.create(pod("second-try", once, restart="OnFailure"))
    found = scene.wait_phase("second-try", "Succeeded", "Failed", within=LATER)
    assert phase(found) == "Succeeded"
    assert container_status(found)["restartCount"] == 1
    assert terminated(found)["exitCode"] == 0
    assert last_terminated(found)["exitCode"] == 3


def test_a_killed_process_of_a_deployment_comes_back_in_its_pod(scene: Namespace) -> None:
    scene.create(deployment("healed", "echo $$$$; exec sleep 3600", 1))
    before = _first_ready(scene, "healed")
    name = before["metadata"]["name"]
    logged = wait_until("its process id", lambda: scene.logs(name), within=SOON)
    os.kill(int(logged), signal.SIGKILL)
    found = scene.wait(
        name,
        "to run again",
        lambda found: is_ready(found) and container_status(found)["restartCount"] == 1,
        within=LATER,
    )
    assert found["metadata"]["uid"] == before["metadata"]["uid"]
    assert (last_terminated(found)["exitCode"], last_terminated(found)["reason"]) == (137, "Error")
    scene.kubectl("rollout", "status", "deployment/healed", "--timeout=60s")


def test_a_deployment_replaces_a_pod_that_is_deleted(scene: Namespace) -> None:
    scene.create(deployment("replaced", "exec sleep 3600", 1, terminationGracePeriodSeconds=1))
    before = _first_ready(scene, "replaced")
    scene.delete(before["metadata"]["name"])

    def replaced() -> bool:
        uids = [each["metadata"]["uid"] for each in scene.pods("replaced") if is_ready(each)]
        return len(uids) == 1 and uids != [before["metadata"]["uid"]]

    wait_until("another Pod to be Ready", replaced, within=SOON)


def test_a_deployment_surges_and_has_never_fewer_than_it_wants(bed: Bed, scene: Namespace) -> None:
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    surging = deployment("surging", "exec sleep 3600", 2, terminationGracePeriodSeconds=1)
    surging["spec"]["strategy"] = strategy
    scene.create(surging)
    scene.kubectl("rollout", "status", "deployment/surging", "--timeout=60s")
    with recorded(bed, f"/apis/apps/v1/namespaces/{scene.name}/deployments") as (told,):
        scene.kubectl("set", "env", "deployment/surging", "CHANGED=yes")
        wait_until("the rollout", lambda: any(map(_is_rolled_out, told.of("surging"))), within=LATER)
        seen = [each["status"] for each in told.of("surging")]
    assert min(each.get("availableReplicas", 0) for each in seen) == 2
    assert max(each["replicas"] for each in seen) == 3


def test_a_stateful_set_starts_in_order_and_keeps_its_names(scene: Namespace) -> None:
    scene.create(stateful_set("ordered", "exec sleep 3600", 2, terminationGracePeriodSeconds=1))
    second = scene.wait_ready("ordered-1", within=LATER)
    first = scene.pod("ordered-0")
    assert is_ready(first)
    assert first["metadata"]["creationTimestamp"] <= second["metadata"]["creationTimestamp"]
    began = container_status(first)["state"]["running"]["startedAt"]
    assert began <= second["metadata"]["creationTimestamp"]
    scene.delete("ordered-0")

    def replaced() -> bool:
        found = scene.pod("ordered-0")
        return is_ready(found) and found["metadata"]["uid"] != first["metadata"]["uid"]

    wait_until("ordered-0 to come again", replaced, within=LATER)
    assert scene.pod("ordered-1")["metadata"]["uid"] == second["metadata"]["uid"]


def test_with_never_the_failure_of_one_container_leaves_the_other_alone(scene: Namespace) -> None:
    gate = "until test -e $NOMAD_ALLOC_DIR/go; do sleep 0.1; done; echo survived"
    scene.create(pod("two", container("exit 3", name="fails"), container(gate, name="lives"), restart="Never"))
    found = scene.wait("two", "to lose one container", lambda found: terminated(found, "fails"), within=LATER)
    assert terminated(found, "fails")["exitCode"] == 3
    assert phase(found) == "Running"
    scene.wait("two", "to keep the other", lambda found: "running" in container_status(found, "lives")["state"])
    (allocation,) = scene.allocations(found)
    _open_gate(scene, allocation["ID"], allocation["NodeName"])
    found = scene.wait_phase("two", "Succeeded", "Failed", within=LATER)
    assert phase(found) == "Failed"
    assert terminated(found, "lives")["exitCode"] == 0
    assert [container_status(found, name)["restartCount"] for name in ("fails", "lives")] == [0, 0]
    assert scene.logs("two", "--container=lives") == "survived\n"


def _is_rolled_out(found: Manifest) -> bool:
    status = found["status"]
    current = status["observedGeneration"] == found["metadata"]["generation"]
    return current and [status.get(each) for each in ("replicas", "updatedReplicas", "availableReplicas")] == [2, 2, 2]


def _first_ready(namespace: Namespace, app: str) -> Manifest:
    """The Pod that a controller has made, when it is Ready."""
    made = wait_until(f"a Pod of {app}", lambda: namespace.pods(app), within=SOON)
    return namespace.wait_ready(made[0]["metadata"]["name"])


def _open_gate(namespace: Namespace, allocation: str, client: str) -> None:
    """Let the container go on: it looks for a file in the folder that the tasks of an allocation share."""
    home = namespace.bed.nomad.clients[client].home
    (home / "data" / "alloc" / allocation / "alloc" / "go").touch()
