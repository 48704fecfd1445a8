"""Environment from objects: what a ConfigMap or Secret holds reaches the task to the byte, and nobody else."""

import base64
import json

import pytest

from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import container, pod
from tests.e2e.namespace import LATER, SOON, Namespace, container_status, phase, waiting
from tests.e2e.objects import config_map, of_field, of_key, secret

_PRINTS = "base64 -w0 /proc/$$$$/environ; echo; echo done; sleep 3600"
_DRIVERS = ("raw_exec", "exec", "docker")
_WORD = "$(MODE) ${HOME} {{ 1 }}\n\r\t\"'\\#é\u2028\x7f"


def _environment(scene: Namespace, name: str) -> dict[str, str]:
    wait_until("its environment", lambda: "done" in scene.logs(name), within=SOON)
    texts = base64.b64decode(scene.logs(name).split()[0]).decode().split("\0")
    return dict(each.split("=", 1) for each in texts if each)


@pytest.mark.parametrize("driver", _DRIVERS)
def test_every_source_reaches_the_task_and_no_value_the_job(scene: Namespace, driver: str) -> None:
    name = f"env-{driver.replace('_', '-')}"
    service = {"metadata": {"name": f"web-{name}"}, "spec": {"ports": [{"name": "http", "port": 80}]}}
    served = scene.bed.control_plane.api(f"/api/v1/namespaces/{scene.name}/services", "POST", service)
    memory = {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}
    scene.create(
        config_map(f"{name}-map", {"a.b": "from-a-map", "MODE": "map", "not-a-name": "x"}),
        secret(f"{name}-secret", {"MODE": "from-a-secret", "WORD": _WORD}),
        pod(
            name,
            container(
                command=["/bin/sh", "-c", _PRINTS.replace("sleep", "echo $1; sleep"), "-", "x$(KEY)$(ADDRESS)"],
                env=[
                    {"name": "PLAIN", "value": "$(P_WORD)|$(MODE)|$(NOT-THERE)"},
                    of_key("KEY", "secret", f"{name}-secret", "MODE"),
                    of_key("ABSENT", "configMap", f"{name}-map", "nothing", optional=True),
                    of_key("NOWHERE", "secret", "nobody", "nothing", optional=True),
                    of_field("HOST", "status.hostIP"),
                    of_field("ADDRESS", "status.podIP"),
                    {"name": "URL", "value": "http://$(HOST):80"},
                    {"name": "LIMIT", "valueFrom": memory},
                ],
                envFrom=[
                    {"configMapRef": {"name": f"{name}-map"}},
                    {"prefix": "P_", "secretRef": {"name": f"{name}-secret"}},
                    {"configMapRef": {"name": "nobody", "optional": True}},
                ],
            ),
            driver=driver,
        ),
    )
    ready = scene.wait_ready(name)
    found = _environment(scene, name)
    assert (found["a.b"], found["MODE"], found["P_MODE"]) == ("from-a-map", "map", "from-a-secret")
    assert found["P_WORD"] == _WORD
    assert found["PLAIN"] == f"{_WORD}|map|$(NOT-THERE)"
    assert found["LIMIT"] == "32"
    prefix = f"WEB_{name.upper().replace('-', '_')}"
    assert found[f"{prefix}_SERVICE_HOST"] == served["spec"]["clusterIP"]
    assert found[f"{prefix}_PORT_80_TCP"] == f"tcp://{served['spec']['clusterIP']}:80"
    assert found["HOST"] == ready["status"]["hostIP"]
    assert found["URL"] == f"http://{found['HOST']}:80"
    assert not {"ABSENT", "NOWHERE", "not-a-name"} & set(found)
    allocation = scene.bed.nomad.api(f"/v1/allocation/{scene.allocations(ready)[0]['ID']}")
    own = (allocation["NetworkStatus"] or {}).get("Address") if driver == "docker" else ready["status"]["podIP"]
    assert found["ADDRESS"] == own
    assert f"xfrom-a-secret{found['ADDRESS']}" in scene.logs(name)
    scene.wait_event(name, "InvalidEnvironmentVariableNames", "not-a-name")
    job = json.dumps(scene.bed.nomad.api(f"/v1/job/vk-{ready['metadata']['uid']}"))
    assert "from-a-" not in job


def test_a_pod_waits_for_its_objects_and_starts_by_itself(scene: Namespace) -> None:
    variable = of_key("WORD", "secret", "late", "word")
    scene.create(pod("waits", container(_PRINTS, env=[variable])))
    found = scene.wait("waits", "to wait", waiting)
    assert waiting(found) == {"reason": "CreateContainerConfigError", "message": 'secret "late" not found'}
    assert phase(found) == "Pending"
    event = scene.wait_event("waits", "Failed", 'Error: secret "late" not found')
    assert event["involvedObject"]["fieldPath"] == "spec.containers{main}"
    scene.create(secret("late", {"other": "x"}))
    missing = f"couldn't find key word in Secret {scene.name}/late"
    scene.wait_event("waits", "Failed", missing)
    scene.kubectl("patch", "secret", "late", '--patch={"stringData":{"word":"here at last"}}')
    scene.wait_ready("waits")
    assert _environment(scene, "waits")["WORD"] == "here at last"


def test_rights_that_lack_in_a_namespace_are_told_and_their_coming_is_enough(scene: Namespace) -> None:
    scene.create(secret("closed", {"word": "open"}))
    scene.kubectl("delete", "rolebinding", "vnode-workloads")
    try:
        scene.create(pod("denied", container(_PRINTS, env=[of_key("WORD", "secret", "closed", "word")])))
        scene.wait_event("denied", "Failed", "vnode may not read secrets", "vnode-workloads", within=LATER)
        assert not container_status(scene.pod("denied")).get("containerID")
    finally:
        scene.bind_workloads()
    scene.wait_ready("denied", within=LATER)
