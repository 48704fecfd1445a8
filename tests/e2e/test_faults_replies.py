"""Replies that are lost after the effect, lists that lie, and answers that make no sense."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest, pod
from tests.e2e.namespace import LATER, SOON, Namespace, container_status, phase, terminated
from tests.faults.faults import Cut, Delayed, Extended, Fault, Garbled, Truncated
from tests.faults.plan import NONSENSE, Plan, calm, kubernetes_refusal, nomad_refusal
from tests.faults.routes import Kind, Peer, Route
from tests.faults.soak import Trial, judge, trial

_NODE = "misled"
_RUNS = "echo ran; exec sleep 3600"
_IGNORES = "trap '' TERM; echo ran; while true; do sleep 0.1; done"
#: Longer than what vnode takes for a line of either API.
_HUGE = b'{"type":"ADDED","padding":"' + b"x" * (70 * 2**20)
#: Streams included.
_FEW_CONNECTIONS = 8
_MANY = 20
_FLOOD = 60
_SLOW_SECONDS = 1.0
_MOST_MEMORY_KIB = 400 * 1024

pytestmark = pytest.mark.timeout(200, func_only=True)


@pytest.fixture(scope="module")
def at(bed: Bed) -> Iterator[Trial]:
    with trial(bed, _NODE) as found:
        found.vnode.start_and_wait()
        yield found
        judge(found, 0)


@pytest.fixture
def namespace(at: Trial, namespaces: Namespaces) -> Iterator[Namespace]:
    at.between.director.begin(calm)
    with namespaces() as created:
        yield created
        at.between.director.begin(calm)


def _own(name: str, script: str = _RUNS, **spec: Any) -> Manifest:
    found = pod(name, script, nodeName=_NODE, **spec)
    del found["spec"]["nodeSelector"]
    return found


def _losing(*names: str) -> Plan:
    """The first two replies of some routes are lost: libraries repeat once what HTTP calls idempotent."""
    return lambda route, number: Cut(after_effect=True) if route.name in names and number <= 2 else None


@pytest.mark.parametrize(
    ("routes", "script", "grace"),
    [
        (("PUT /v1/jobs", "PATCH pods/status", "POST events"), _RUNS, None),
        (("DELETE /v1/job", "DELETE pods", "DELETE /v1/job?purge"), _RUNS, None),
        (("PUT /v1/client/allocation/signal",), _IGNORES, 1),
    ],
)
def test_writes_whose_replies_are_lost_have_their_effect_once(
    at: Trial, namespace: Namespace, routes: tuple[str, ...], script: str, grace: int | None
) -> None:
    at.between.director.begin(_losing(*routes))
    namespace.create(_own("main", script))
    found = namespace.wait_ready("main")
    (allocation,) = namespace.allocations(found)
    assert container_status(found)["containerID"] == f"nomad://{allocation['ID']}/main/0"
    # An Event may be lost with the reply that it follows; it is never told twice.
    assert [event["count"] for event in namespace.events("main", "Started")] in ([], [1])
    namespace.delete("main", grace=grace)
    namespace.wait_gone("main")
    namespace.wait_until_nomad_is_empty()
    assert {route: at.between.director.hits(route) > 0 for route in routes} == dict.fromkeys(routes, True)


def test_a_node_and_a_lease_whose_replies_are_lost_are_there_once(at: Trial) -> None:
    routes = ("POST nodes", "PATCH nodes", "PATCH nodes/status", "POST leases", "PUT leases")
    at.between.director.begin(_losing(*routes))
    before = at.bed.control_plane.api(f"/api/v1/nodes/{_NODE}")["metadata"]["uid"]
    at.bed.kubectl("delete", "node", _NODE)

    def back() -> bool:
        node = at.bed.control_plane.api(f"/api/v1/nodes/{_NODE}")
        lease = at.bed.control_plane.api(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{_NODE}")
        ready = {each["type"]: each["status"] for each in node["status"]["conditions"]}["Ready"]
        uid = node["metadata"]["uid"]
        return bool(ready == "True" and uid != before and lease["metadata"]["ownerReferences"][0]["uid"] == uid)

    wait_until("the Node and its Lease to be back", back, within=SOON)
    assert at.between.director.hits("POST nodes") >= 1
    assert at.between.director.hits("POST leases") + at.between.director.hits("PUT leases") >= 1


def _no_pods(at: Trial) -> Plan:
    """The API server says, in its own words, that there is no Pod."""
    version = at.bed.control_plane.api("/api/v1/pods?limit=1")["metadata"]["resourceVersion"]
    empty = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": []}
    answer = Garbled(json.dumps(empty).encode())
    return lambda route, _: answer if route.name == "LIST pods" else None


def _no_jobs(_: Trial) -> Plan:
    return lambda route, _: Garbled(b"[]") if route.name in {"GET /v1/jobs", "GET /v1/allocations"} else None


def _refused(_: Trial) -> Plan:
    refusals = {Peer.KUBERNETES: kubernetes_refusal(500), Peer.NOMAD: nomad_refusal(500, "rpc error")}
    return lambda route, _: refusals[route.peer] if route.kind is Kind.LIST else None


def _truncated(_: Trial) -> Plan:
    return lambda route, _: Truncated(0.5) if route.kind is Kind.LIST else None


@pytest.mark.parametrize(
    ("lie", "noticed"),
    [
        # Who does not believe an empty list asks for what it lacks.
        (_no_pods, "GET pods"),
        (_no_jobs, "GET /v1/job"),
        (_refused, "GET /v1/allocations"),
        (_truncated, "GET /v1/allocations"),
    ],
)
def test_an_empty_or_failed_list_collects_nothing(
    at: Trial, namespace: Namespace, lie: Callable[[Trial], Plan], noticed: str
) -> None:
    director = at.between.director
    namespace.create(_own("always"), _own("never", restart="Never"))
    before = {name: namespace.wait_ready(name) for name in ("always", "never")}
    at.vnode.kill()
    director.begin(lie(at))
    at.vnode.start()
    wait_until(f"{noticed} to be asked twice", lambda: director.count(noticed) > 1, within=SOON)
    director.plan = calm
    namespace.create(_own("later"))
    namespace.wait_ready("later")
    assert director.count("DELETE /v1/job") == director.count("DELETE pods") == 0
    for name, seen in before.items():
        found = namespace.pod(name)
        assert phase(found) == "Running"
        assert container_status(found) == container_status(seen)
        (allocation,) = namespace.allocations(found)
        assert (allocation["ClientStatus"], allocation["DesiredStatus"]) == ("running", "run")
        namespace.delete(name, grace=1)
    for name in before:
        namespace.wait_gone(name)


def test_answers_that_make_no_sense_are_an_outage_and_end_nothing(at: Trial, namespace: Namespace) -> None:
    director, read = at.between.director, len(at.vnode.log)
    namespace.create(_own("main"))
    before = namespace.wait_ready("main")
    nonsense = (*NONSENSE, b"x" * 2**20)

    def plan(route: Route, number: int) -> Fault | None:
        # Without these two answers vnode would ask for nothing else.
        known = route.name in {"GET version", "GET namespaces"} and number > 2
        return None if known else Garbled(nonsense[(number + len(route.name)) % len(nonsense)])

    for restarted in (False, True):
        if restarted:
            at.vnode.kill()
        director.begin(plan)
        if restarted:
            at.vnode.start()
        at.between.cut_streams()
        wait_until("nonsense to be told", lambda: len(director.given) >= 2 * len(nonsense), within=SOON)
        at.must_run()
        director.begin(calm)
        namespace.create(_own(f"after-{restarted}".lower()))
        namespace.wait_ready(f"after-{restarted}".lower())
    found = namespace.pod("main")
    assert container_status(found)["containerID"] == container_status(before)["containerID"]
    assert container_status(found)["restartCount"] == 0
    lines = at.vnode.log[read:].splitlines()
    assert len(lines) < 300, "a storm of log lines"


def test_a_line_without_end_is_refused_within_bounds(at: Trial, namespace: Namespace) -> None:
    director = at.between.director
    director.begin(lambda route, number: Garbled(_HUGE) if route.kind is Kind.STREAM and number == 1 else None)
    at.between.cut_streams()
    streams = ("WATCH pods", "GET /v1/event/stream")
    wait_until(
        "both sides to be followed again", lambda: all(director.count(each) > 1 for each in streams), within=SOON
    )
    assert at.vnode.peak_memory < _MOST_MEMORY_KIB
    namespace.create(_own("main"))
    namespace.wait_ready("main")


def test_servers_that_take_few_connections_delay_and_lose_nothing(at: Trial, namespace: Namespace) -> None:
    """More is refused with 429, as by http_max_conns_per_client and by the API server's flow control."""
    director = at.between.director
    names = [f"many-{number}" for number in range(_MANY)]
    director.begin(calm, cap=_FEW_CONNECTIONS)
    namespace.create(*(_own(name, terminationGracePeriodSeconds=1) for name in names))
    for name in names:
        namespace.wait_ready(name, within=LATER)
    for name in names:
        namespace.delete(name)
    for name in names:
        namespace.wait_gone(name, within=LATER)
    namespace.wait_until_nomad_is_empty()
    print(f"{director.refused} requests were refused for want of connections")
    assert director.refused > 0


def test_a_slow_api_server_gets_every_last_status_of_a_flood(at: Trial, namespace: Namespace) -> None:
    """More happens than it can be told of at the time; what it is told in the end is the truth."""
    director = at.between.director
    names = {f"flood-{number}": number % 2 for number in range(_FLOOD)}
    slow = Delayed(_SLOW_SECONDS)
    director.begin(lambda route, _: slow if (route.peer, route.kind) == (Peer.KUBERNETES, Kind.WRITE) else None)
    namespace.create(*(_own(name, f"exit {code}", restart="Never") for name, code in names.items()))
    for name, code in names.items():
        found = namespace.wait_phase(name, "Succeeded", "Failed", within=LATER)
        assert (phase(found), terminated(found)["exitCode"]) == ("Failed" if code else "Succeeded", code)
    patches = director.count("PATCH pods/status")
    print(f"{patches} status patches for {_FLOOD} Pods, at most {at.vnode.peak_memory // 1024} MiB")
    assert patches <= 3 * _FLOOD
    assert at.vnode.peak_memory < _MOST_MEMORY_KIB
    director.begin(calm)


def test_fields_that_nobody_knows_change_nothing(at: Trial, namespace: Namespace) -> None:
    """A newer server says more: here to every answer that is an object."""
    at.between.director.begin(lambda _route, _number: Extended())
    at.vnode.kill()
    at.vnode.start_and_wait()
    namespace.create(_own("main"))
    namespace.wait_ready("main")
    namespace.delete("main")
    namespace.wait_gone("main")
    namespace.wait_until_nomad_is_empty()
