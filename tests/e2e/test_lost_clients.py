"""Clients that are lost, come back, are drained or taken away: nothing runs twice, and every Pod says what is known."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.nomad import Client
from tests.e2e.bed.nomad_configuration import CLIENT_MEMORY_MB
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest, container, deployment, pod, settings
from tests.e2e.namespace import LATER, SOON, Namespace, condition, container_status, is_ready, phase, terminated

_UNREACHABLE = "node.kubernetes.io/unreachable"
_PROVIDER = {"key": "virtual-kubelet.io/provider", "operator": "Exists"}
_IMPATIENT = {"key": _UNREACHABLE, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}
_RUNS = "exec sleep 3600"
_MUCH_MIB = CLIENT_MEMORY_MB * 2 // 5
_DOWNLOAD = b"ok\n"
_SUM_OF_THE_DOWNLOAD = hashlib.sha256(_DOWNLOAD).hexdigest()

pytestmark = pytest.mark.timeout(240, func_only=True)


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """A folder in which tasks count their runs."""
    return tmp_path


def _once(name: str, ran: Path, gate: Path) -> str:
    return f"echo run >>{ran}/{name}; until test -e {gate}; do sleep 0.1; done"


def _robbed(gate: Path) -> str:
    """Greets, ends when the gate is opened, and greets for ever when it runs again."""
    return f"echo $GREETING; test -e {gate} && exec sleep 3600; until test -e {gate}; do sleep 0.1; done; exit 3"


def _fails(name: str, ran: Path) -> str:
    return f"echo run >>{ran}/{name}; exit 3"


def _alone(script: str, ran: Path) -> str:
    """Tell when somebody else runs it at the same time."""
    return f"exec 9>>{ran}/lock; flock -n 9 || echo two >>{ran}/overlaps; {script}"


def _runs(ran: Path, name: str) -> int:
    file = ran / name
    return len(file.read_text().splitlines()) if file.exists() else 0


@contextmanager
def _held_download(bed: Bed) -> Iterator[tuple[str, threading.Event, threading.Event]]:
    """A download that does not end before it is let go: its address, whether it was asked for, and how to let it go."""
    asked, go = threading.Event(), threading.Event()

    class Held(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            go.wait(120)
            self.send_response(200)
            self.send_header("Content-Length", str(len(_DOWNLOAD)))
            self.end_headers()
            self.wfile.write(_DOWNLOAD)

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    address = (bed.node_address, bed.free_port())
    with http.server.ThreadingHTTPServer(address, Held) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield "http://{}:{}/data".format(*address), asked, go
        finally:
            go.set()
            server.shutdown()


def test_a_client_that_is_lost_and_comes_back(bed: Bed, namespace: Namespace, ran: Path) -> None:
    """What ran once runs on; what was only starting is not started elsewhere; a replicated Pod is replaced once."""
    lost, other = bed.nomad.clients["edge-1"], bed.nomad.clients["edge-0"]
    here = {"nomad.hashinetes.io/node-pool": "edge"}
    gate = ran / "gate"
    with _held_download(bed) as (address, asked, go):
        fetches = {**here, **settings(artifact=f"{address}?archive=false&checksum=sha256:{_SUM_OF_THE_DOWNLOAD}")}
        replicated = deployment("replicated", _RUNS, 1, terminationGracePeriodSeconds=1)
        template = replicated["spec"]["template"]
        template["metadata"]["annotations"] |= here
        template["spec"]["tolerations"] = [_PROVIDER, _IMPATIENT]
        parked = [container(_once("stays", ran, gate), name="stays"), container(_fails("parked", ran), name="ends")]
        with other.closed():
            namespace.create(
                pod("runs", _once("runs", ran, gate), restart="Never", annotations=here),
                pod("starts", _once("starts", ran, gate), restart="Never", annotations=fetches),
                pod("parked", *parked, restart="Never", annotations=here),
                pod("restarts", _alone(_fails("restarts", ran), ran), restart="OnFailure", annotations=here),
                replicated,
            )
            before = namespace.wait_ready("runs")
            first = namespace.wait("", "to be Ready", is_ready, app="replicated")
            namespace.wait("parked", "to have lost one container", lambda found: terminated(found, "ends"))
            namespace.wait_phase("parked", "Running")
            namespace.wait("restarts", "to restart", lambda found: container_status(found)["restartCount"] > 0)
            wait_until("the download of the second Pod", asked.is_set, within=SOON)
        with lost.away():
            for name in ("runs", "parked"):
                found = namespace.wait(name, "to be lost", _is_lost, within=LATER)
                assert phase(found) == "Running"
                namespace.wait_event(name, "NodeLost", lost.name)
            _wait_replaced(namespace, "replicated", first)
        after = namespace.wait("runs", "to run as before", lambda found: not _is_lost(found), within=LATER)
        assert container_status(after)["containerID"] == container_status(before)["containerID"]
        go.set()
        ended = namespace.wait_phase("starts", "Failed", "Succeeded", within=LATER)
        assert (phase(ended), ended["status"]["reason"]) == ("Failed", "NodeLost")
        # Back before anybody misses it.
        with lost.away():
            pass
        gate.touch()
        assert phase(namespace.wait_phase("runs", "Failed", "Succeeded", within=LATER)) == "Succeeded"
        namespace.wait_event("parked", "EndUnseen", "delete the Pod", within=LATER)
        namespace.delete("parked", grace=1)
        namespace.wait_gone("parked", within=LATER)
        namespace.wait_gone(first["metadata"]["name"], within=LATER)
        assert [is_ready(each) for each in namespace.pods("replicated")] == [True]
    assert [_runs(ran, name) for name in ("runs", "starts", "stays", "parked", "overlaps")] == [1, 0, 1, 1, 0]
    assert _runs(ran, "restarts") > 1


@contextmanager
def _something_important(bed: Bed, client: Client) -> Iterator[None]:
    """A job of somebody else that needs most of a client, and may drive others out."""
    path = "/v1/operator/scheduler/configuration"
    usual = bed.nomad.api(path)["SchedulerConfig"]
    task = {"Name": "main", "Driver": "mock_driver", "Config": {"run_for": "6h"}}
    task["Resources"] = {"CPU": 10, "MemoryMB": CLIENT_MEMORY_MB - 100}
    important = {
        "ID": "important",
        "Priority": 90,
        "Datacenters": ["*"],
        "NodePool": client.pool,
        "Constraints": [{"LTarget": "${node.unique.name}", "RTarget": client.name, "Operand": "="}],
        "TaskGroups": [{"Name": "main", "Tasks": [task]}],
    }
    bed.nomad.api(path, "PUT", {**usual, "PreemptionConfig": {"ServiceSchedulerEnabled": True}})
    try:
        bed.nomad.api("/v1/jobs", "PUT", {"Job": important})
        yield
    finally:
        bed.nomad.api("/v1/job/important?purge=true", "DELETE")
        bed.nomad.api(path, "PUT", usual)


@pytest.fixture
def joined(bed: Bed) -> Iterator[Client]:
    """A client of a scene's own."""
    with bed.nomad.joined("edge") as client:
        yield client


def test_a_client_that_is_drained_preempted_on_and_then_taken_away(
    bed: Bed, namespace: Namespace, joined: Client, ran: Path
) -> None:
    here = {"nomad.hashinetes.io/node-pool": "edge", **settings(affinities=f"${{node.unique.name}} = {joined.name}")}
    only = settings(constraints=f"${{node.unique.name}} = {joined.name}")
    gate = ran / "gate"
    namespace.create(
        pod("moves", _RUNS, annotations=here),
        pod("fails", _once("fails", ran, gate), restart="OnFailure", annotations=here),
        pod("once", _once("once", ran, gate), restart="Never", annotations=here),
    )
    for name in ("moves", "fails", "once"):
        namespace.wait_ready(name)
    joined.drain(deadline=1)
    for name in ("fails", "once"):
        found = namespace.wait_phase(name, "Failed", within=LATER)
        assert found["status"]["reason"] == "NodeDrained"
        assert condition(found, "DisruptionTarget")["status"] == "True"
    moved = namespace.wait(
        "moves",
        "to run elsewhere",
        lambda found: is_ready(found) and container_status(found)["restartCount"] == 1,
        within=LATER,
    )
    joined.undrain()
    wait_until("jobs that are not placed again", lambda: _all_stopped(namespace, "fails", "once"), within=SOON)
    large = {"limits": {"memory": f"{_MUCH_MIB}Mi"}}
    namespace.create(
        pod("yields", container(_RUNS, resources=large), annotations=here),
        pod("loses", container(_once("loses", ran, gate), resources=large), restart="Never", annotations=only),
    )
    for name in ("yields", "loses"):
        assert namespace.allocations(namespace.wait_ready(name))[0]["NodeName"] == joined.name
    with _something_important(bed, joined):
        lost = namespace.wait_phase("loses", "Failed", within=LATER)
        assert lost["status"]["reason"] == "Preempted"
        namespace.wait(
            "yields",
            "to run elsewhere",
            lambda found: is_ready(found) and container_status(found)["restartCount"] == 1,
            within=LATER,
        )
        wait_until("a job that is not placed again", lambda: _all_stopped(namespace, "loses"), within=SOON)
    namespace.create(
        pod("gone", _once("gone", ran, gate), restart="Never", annotations=only),
        pod("again", _RUNS, annotations=here),
    )
    namespace.wait_ready("gone")
    before = namespace.wait_ready("again")
    joined.remove()
    found = namespace.wait_phase("gone", "Failed", within=LATER)
    assert (found["status"]["reason"], terminated(found)["reason"]) == ("NodeLost", "ContainerStatusUnknown")
    if namespace.allocations(before)[0]["NodeName"] == joined.name:
        namespace.wait(
            "again",
            "to run elsewhere",
            lambda found: is_ready(found) and container_status(found)["restartCount"] == 1,
            within=LATER,
        )
    assert namespace.pod("moves")["metadata"]["uid"] == moved["metadata"]["uid"]
    assert [_runs(ran, name) for name in ("fails", "once", "loses", "gone")] == [1, 1, 1, 1]


def test_a_drain_of_the_virtual_node_keeps_disruption_budgets(
    bed: Bed, vnode: VnodeProcess, namespaces: Namespaces
) -> None:
    vnode.child.must_live()
    with bed.vnode("--node-pool=all", node_name="drained") as own, namespaces() as namespace:
        own.child.must_live()
        both = deployment("both", _RUNS, 2, node="drained", terminationGracePeriodSeconds=1)
        namespace.create(both)
        wait_until("both Pods", lambda: sum(map(is_ready, namespace.pods("both"))) == 2, within=SOON)
        namespace.kubectl("create", "poddisruptionbudget", "one", "--selector=app=both", "--min-available=1")
        drain = ("drain", "drained", "--ignore-daemonsets", "--pod-selector=app=both")
        refused = bed.kubectl(*drain, "--timeout=8s", check=False)
        assert "disruption budget" in refused.stderr
        assert sum(map(is_ready, namespace.pods("both"))) == 1
        namespace.kubectl("delete", "poddisruptionbudget", "one")
        bed.kubectl(*drain, "--timeout=40s")
        assert not [each for each in namespace.pods("both") if each["spec"].get("nodeName")]
        namespace.empty()
    bed.kubectl("delete", "node", "drained")


def test_what_somebody_does_to_a_job_by_hand(bed: Bed, namespace: Namespace, ran: Path) -> None:
    gate = ran / "gate"
    namespace.create(
        pod("stopped", _RUNS, terminationGracePeriodSeconds=1),
        pod("purged", f"echo run >>{ran}/purged; {_RUNS}", terminationGracePeriodSeconds=1),
        pod("once", _once("once", ran, gate), restart="Never", terminationGracePeriodSeconds=1),
        pod("overwritten", _RUNS, terminationGracePeriodSeconds=1),
    )
    found = {name: namespace.wait_ready(name) for name in ("stopped", "purged", "once", "overwritten")}
    for name, purge in (("stopped", "false"), ("purged", "true"), ("once", "true")):
        bed.nomad.api(f"/v1/job/vk-{found[name]['metadata']['uid']}?purge={purge}", "DELETE")
    status = {"status": {"phase": "Pending", "containerStatuses": None}}
    namespace.kubectl(
        "patch", "pod", "overwritten", "--subresource=status", "--type=merge", f"--patch={json.dumps(status)}"
    )
    assert namespace.wait_phase("stopped", "Failed")["status"]["reason"] == "NomadJobStopped"
    once = namespace.wait_phase("once", "Failed")
    assert (terminated(once)["reason"], terminated(once)["exitCode"]) == ("ContainerStatusUnknown", 137)
    for name in ("once", "purged"):
        namespace.wait_event(name, "NomadJobMissing", "not by Kubernetes")
    namespace.wait(
        "purged",
        "to run again",
        lambda each: is_ready(each) and container_status(each)["restartCount"] == 1,
        within=LATER,
    )
    namespace.wait_ready("overwritten")
    namespace.wait_event("overwritten", "StatusOverwritten", "'kubectl-patch'")
    assert [_runs(ran, name) for name in ("once", "purged")] == [1, 2]


def test_what_somebody_registers_anew_or_deletes_in_nomad(bed: Bed, namespace: Namespace, ran: Path) -> None:
    """A Pod that runs once is not started again; what runs otherwise is said not to be what the Pod says."""
    gate = ran / "gate"
    given = {"name": "GREETING", "valueFrom": {"secretKeyRef": {"name": "given", "key": "greeting"}}}
    namespace.kubectl("create", "secret", "generic", "given", "--from-literal=greeting=hello")
    namespace.create(
        pod("changed", f"echo run >>{ran}/changed; {_RUNS}", terminationGracePeriodSeconds=1),
        pod("once", _once("once", ran, gate), restart="Never", terminationGracePeriodSeconds=1),
        pod("robbed", container(_robbed(gate), env=[given]), terminationGracePeriodSeconds=1),
    )
    before = {name: namespace.wait_ready(name) for name in ("changed", "once", "robbed")}
    for name in ("changed", "once"):
        job = bed.nomad.api(f"/v1/job/vk-{before[name]['metadata']['uid']}")
        job["TaskGroups"][0]["Tasks"][0]["Env"] = {"ADDED": "by hand"}
        bed.nomad.api("/v1/jobs", "PUT", {"Job": job})
    (robbed,) = namespace.allocations(before["robbed"])
    bed.nomad.api(f"/v1/var/nomad/jobs/{robbed['JobID']}", "DELETE")
    assert namespace.wait_phase("once", "Failed")["status"]["reason"] == "NomadJobChanged"
    namespace.wait(
        "changed", "to run again", lambda each: is_ready(each) and container_status(each)["restartCount"] == 1
    )
    for name in ("changed", "once"):
        namespace.wait_event(name, "NomadJobChanged", "not by Kubernetes")
    assert [_runs(ran, name) for name in ("changed", "once")] == [2, 1]
    assert namespace.pod("robbed")["status"] == before["robbed"]["status"]
    # Its agent is restarted, and would not notice its end without the variable.
    with bed.nomad.clients[robbed["NodeName"]].away():
        pass
    namespace.wait_event("robbed", "NomadVariableMissing", "not by Kubernetes", within=LATER)
    gate.touch()
    namespace.wait(
        "robbed",
        "to be restarted",
        lambda each: is_ready(each) and container_status(each)["restartCount"] == 1,
        within=LATER,
    )
    wait_until("its greeting", lambda: namespace.logs("robbed") == "hello\n", within=SOON)


def _is_lost(found: Manifest) -> bool:
    ready = condition(found, "Ready")
    return (ready.get("status"), ready.get("reason")) == ("False", "NodeLost")


def _wait_replaced(namespace: Namespace, app: str, first: Manifest) -> None:
    """Wait until the first Pod is deleted as by an eviction, and another one is Ready."""

    def replaced() -> bool:
        old = [each for each in namespace.pods(app) if each["metadata"]["uid"] == first["metadata"]["uid"]]
        new = [each for each in namespace.pods(app) if each["metadata"]["uid"] != first["metadata"]["uid"]]
        evicted = [condition(each, "DisruptionTarget").get("reason") for each in old]
        return (
            evicted == ["NodeLost"] and "deletionTimestamp" in old[0]["metadata"] and list(map(is_ready, new)) == [True]
        )

    wait_until(f"the Pod of {app} to be replaced", replaced, within=LATER)


def _all_stopped(namespace: Namespace, *pods: str) -> bool:
    jobs = {job["Name"]: job for job in namespace.nomad_jobs()}
    return all(jobs[f"{namespace.name}/{name}"]["Stop"] for name in pods)
