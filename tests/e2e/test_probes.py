"""Probes of every kind, on every driver that has what they ask: Ready, restarts and Events as by a kubelet."""

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.binaries import binary
from tests.e2e.manifests import Manifest, container, deployment, pod
from tests.e2e.namespace import (
    LATER,
    SOON,
    Namespace,
    condition,
    container_status,
    is_ready,
    last_terminated,
    phase,
    terminated,
)

_SERVES = "mkdir -p /www/cgi-bin; echo ok > /www/{file}; exec httpd -f -p 8080 -h /www"
_OFTEN = {"periodSeconds": 1, "timeoutSeconds": 5}


def _docker(name: str, script: str, **probes: Manifest) -> Manifest:
    own = {f"{kind}Probe": {**_OFTEN, **probe} for kind, probe in probes.items()}
    return pod(name, {**container(script), **own}, driver="docker", terminationGracePeriodSeconds=1)


def _sh(scene: Namespace, name: str, script: str) -> None:
    scene.kubectl("exec", name, "--", "sh", "-c", script)


def test_readiness_over_http_follows_the_program(scene: Namespace) -> None:
    ready = {"httpGet": {"path": "/ready", "port": 8080, "httpHeaders": [{"name": "X-A", "value": "b"}]}}
    scene.create(_docker("web", _SERVES.format(file="there"), readiness={**ready, "failureThreshold": 2}))
    scene.wait_event("web", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404", within=LATER)
    found = scene.wait("web", "to have started", lambda found: container_status(found).get("started"))
    assert not container_status(found)["ready"]
    assert not is_ready(found)
    assert condition(found, "Ready")["reason"] == "ContainersNotReady"
    assert condition(found, "ContainersReady")["message"] == "containers with unready status: [main]"
    _sh(scene, "web", "echo ok > /www/ready")
    scene.wait_ready("web")
    _sh(scene, "web", "rm /www/ready")
    found = scene.wait("web", "to be Ready no more", lambda found: not is_ready(found))
    assert container_status(found)["restartCount"] == 0


def test_a_startup_probe_comes_first_and_a_failed_liveness_probe_ends_the_run(scene: Namespace) -> None:
    script = f"sleep 2; {_SERVES.format(file='alive')}"
    scene.create(
        _docker(
            "guarded",
            script,
            startup={"tcpSocket": {"port": 8080}, "failureThreshold": 100},
            liveness={"exec": {"command": ["test", "-e", "/www/alive"]}, "failureThreshold": 2},
        )
    )
    scene.wait_event("guarded", "Unhealthy", "Startup probe failed: dial tcp", "connection refused", within=LATER)
    scene.wait_ready("guarded", within=LATER)
    assert scene.events("guarded", "Killing") == []
    _sh(scene, "guarded", "rm /www/alive")
    scene.wait_event("guarded", "Unhealthy", "Liveness probe failed: ")
    killing = scene.wait_event("guarded", "Killing", "Container main failed liveness probe, will be restarted")
    assert killing["involvedObject"]["fieldPath"] == "spec.containers{main}"
    found = scene.wait(
        "guarded",
        "to be up again",
        lambda found: container_status(found)["restartCount"] == 1 and is_ready(found),
        within=LATER,
    )
    assert last_terminated(found)["exitCode"] == 137


def test_a_pod_that_runs_once_ends_with_its_failed_probe(scene: Namespace) -> None:
    says = {"command": ["/bin/sh", "-c", "echo not well; exit 3"]}
    fails = {**_OFTEN, "exec": says, "failureThreshold": 1, "initialDelaySeconds": 2}
    script = "trap 'exit 7' TERM; while true; do sleep 0.1; done"
    scene.create(pod("once", container(script, livenessProbe=fails), driver="docker", restart="Never"))
    found = scene.wait_phase("once", "Succeeded", "Failed", within=LATER)
    assert phase(found) == "Failed"
    assert (terminated(found)["exitCode"], container_status(found)["restartCount"]) == (7, 0)
    scene.wait_event("once", "Unhealthy", "Liveness probe failed: not well")
    scene.wait_event("once", "Killing", "Stopping container main")


def test_a_rollout_waits_for_readiness(scene: Namespace) -> None:
    ready = {**_OFTEN, "exec": {"command": ["/bin/sh", "-c", "test -e $NOMAD_TASK_DIR/go"]}}
    manifest = deployment("rolled", "exec sleep 3600", 1, terminationGracePeriodSeconds=1)
    manifest["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = ready
    scene.create(manifest)
    found = scene.wait("", "to run", lambda found: phase(found) == "Running", app="rolled")
    name = found["metadata"]["name"]
    scene.wait_event(name, "Unhealthy", "Readiness probe failed")
    assert scene.kubectl("rollout", "status", "deployment/rolled", "--timeout=1s", check=False).returncode != 0
    scene.kubectl("exec", name, "--", "/bin/sh", "-c", "touch $NOMAD_TASK_DIR/go")
    scene.kubectl("rollout", "status", "deployment/rolled", f"--timeout={SOON:.0f}s")


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        ({"httpGet": {"port": "web"}}, "no port named 'web'"),
        ({"tcpSocket": {"port": 80, "host": "10.0.0.1"}}, "a probe asks the Pod itself"),
    ],
)
def test_a_probe_that_cannot_be_asked_is_refused(scene: Namespace, probe: Manifest, words: str) -> None:
    name = f"refused-{'http' if 'httpGet' in probe else 'tcp'}"
    scene.create(pod(name, container("sleep 1", readinessProbe=probe)))
    found = scene.wait_phase(name, "Failed")
    assert words in found["status"]["message"]
    assert "readinessProbe" in found["status"]["message"]


def test_a_service_of_grpc_tells_its_health(bed: Bed, scene: Namespace) -> None:
    """etcd has the health service of gRPC, for the whole and for nothing else."""
    client, peer = bed.free_port(), bed.free_port()
    here = f"--listen-client-urls=http://0.0.0.0:{client} --advertise-client-urls=http://127.0.0.1:{client}"
    peers = f"--listen-peer-urls=http://127.0.0.1:{peer} --initial-advertise-peer-urls=http://127.0.0.1:{peer}"
    etcd = f"exec {binary('etcd')} --data-dir=$NOMAD_TASK_DIR/data {here} {peers}"
    cluster = f"--initial-cluster=default=http://127.0.0.1:{peer}"
    healthy = {**_OFTEN, "grpc": {"port": client}}
    scene.create(pod("etcd", {**container(f"{etcd} {cluster}"), "readinessProbe": healthy}))
    scene.wait_ready("etcd", within=LATER)
    nothing = {**_OFTEN, "grpc": {"port": client, "service": "nothing"}}
    scene.create(pod("asks", {**container("exec sleep 3600"), "readinessProbe": nothing}))
    scene.wait_event("asks", "Unhealthy", "rpc error: code = NotFound desc = unknown service", within=LATER)
