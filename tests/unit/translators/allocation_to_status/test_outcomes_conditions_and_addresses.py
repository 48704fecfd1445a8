"""What has become of a Pod, whether it is ready, and where it is reached."""

from typing import Any

import pytest

from tests.unit.translators.allocation_to_status.samples import (
    NOW,
    PENDING,
    RUNNING,
    SECOND_ALLOCATION,
    after,
    allocation,
    allocation_of,
    at,
    event,
    facts,
    pod,
    restarting,
    started,
    stopped,
    task,
    terminated,
    with_status,
)
from translators.allocation_to_status import Facts, FailureKind, Stage, failed_status, outcome, pod_status
from translators.allocation_to_status.placement import message
from translators.errors import Finding
from translators.records.allocations import AllocationMetric, Evaluation, TaskState
from translators.records.pods import Pod, PodCondition, PodStatus, ReadinessGate

GIVES_UP = event("Not Restarting", 2, fails_task="true")
KILLED = task("dead", started(2), event("Killing", 8), terminated(9, 143), event("Killed", 9))
FULL = Evaluation(
    id="e",
    status="complete",
    blocked_eval="b",
    failed_tg_allocs={
        "pod": AllocationMetric(
            nodes_evaluated=3,
            nodes_filtered=1,
            nodes_exhausted=2,
            constraint_filtered={"missing drivers": 1},
            dimension_exhausted={"memory": 2},
        )
    },
)
FULL_TEXT = (
    'Nomad cannot place the Pod: Constraint "missing drivers": 1 client excluded by filter; '
    'Resources exhausted on 2 clients; Dimension "memory" exhausted on 2 clients'
)


def failed(kind: str, **details: str) -> TaskState:
    return task("dead", event(kind, 1, **details), GIVES_UP, failed=True)


def condition(status: PodStatus, kind: str) -> PodCondition:
    return next(each for each in status.conditions if each.type == kind)


LOST = "alloc is lost since its node is down"


@pytest.mark.parametrize(
    ("policy", "known", "stage"),
    [
        ("Always", facts(submitted=False), Stage.ABSENT),
        ("Always", facts(evaluation=FULL), Stage.PLACING),
        ("Always", facts(allocation("pending", web=PENDING)), Stage.STARTING),
        ("Always", facts(allocation(web=RUNNING)), Stage.RUNNING),
        (
            "Always",
            facts(allocation("pending", web=task("pending", started(2), terminated(5, 1), restarting(5)))),
            Stage.RESTARTING,
        ),
        ("Never", facts(allocation("complete", web=task("dead", started(2), terminated(5)))), Stage.FINISHED),
        (
            "Always",
            facts(allocation("failed", web=task("dead", started(2), terminated(5, 1), failed=True))),
            Stage.DEAD,
        ),
        (
            "Never",
            facts(allocation("failed", web=failed("Driver Failure", driver_error="could not be found"))),
            Stage.FINISHED,
        ),
        ("Always", facts(allocation("unknown", web=RUNNING)), Stage.CLIENT_LOST),
        ("Never", facts(allocation("unknown", web=RUNNING)), Stage.CLIENT_LOST),
        ("Never", facts(allocation_of({"web": RUNNING}, "lost", **stopped(LOST))), Stage.STOPPED_BY_OTHER),
        ("Never", facts(allocation_of({"web": PENDING}, "lost", **stopped(LOST))), Stage.STOPPED_BY_OTHER),
        ("Always", facts(allocation_of({"web": RUNNING}, "lost", **stopped(LOST))), Stage.PLACING),
        ("Never", facts(allocation_of({"web": KILLED}, "complete", **stopped())), Stage.STOPPED_BY_OTHER),
        (
            "Always",
            facts(allocation_of({"web": KILLED}, "complete", **stopped("alloc is being migrated", migrate=True))),
            Stage.PLACING,
        ),
    ],
)
def test_stages(policy: str, known: Facts, stage: Stage) -> None:
    assert outcome(pod(policy), known).stage is stage


@pytest.mark.parametrize(
    ("policy", "state", "kind", "permanent"),
    [
        (
            "Never",
            failed("Driver Failure", driver_error="Failed to pull `web:1`: Error: image web not found"),
            FailureKind.IMAGE,
            False,
        ),
        (
            "Always",
            failed("Failed Artifact Download", download_error="Checksums did not match for b.\nExpected: 1"),
            FailureKind.ARTIFACT,
            True,
        ),
        (
            "Always",
            failed("Failed Artifact Download", download_error="dial tcp: no route to host"),
            FailureKind.ARTIFACT,
            False,
        ),
        ("Always", failed("Driver Failure", driver_error='binary "x" could not be found'), FailureKind.COMMAND, False),
        ("Always", failed("Failed Validation", validation_error="unknown key"), FailureKind.CONFIG, True),
        ("Always", failed("Setup Failure", setup_error="no bridge"), FailureKind.SETUP, False),
    ],
)
def test_a_pod_that_never_started_says_why(
    policy: str,
    state: TaskState,
    kind: FailureKind,
    permanent: bool,  # noqa: FBT001 - a column of the table
) -> None:
    found = outcome(pod(policy), facts(allocation("failed", web=state)))
    assert (found.stage, found.kind, found.permanent) == (Stage.NEVER_STARTED, kind, permanent)
    assert found.message


@pytest.mark.parametrize(
    ("policy", "end", "reason"),
    [
        ("Always", stopped("alloc not needed due to job update"), "NomadJobStopped"),
        ("Always", {**stopped("Preempted by alloc ID x"), "desired_status": "evict"}, "Preempted"),
        ("OnFailure", stopped("alloc is being migrated", migrate=True), "NodeDrained"),
    ],
)
def test_an_end_from_outside_fails_the_pod(policy: str, end: dict[str, Any], reason: str) -> None:
    ended = facts(allocation_of({"web": KILLED}, "complete", **end))
    status = pod_status(pod(policy), ended, NOW)
    assert (status.phase, status.reason) == ("Failed", reason)
    assert pod_status(pod(policy, deleting=True), ended, NOW).reason == ""


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ({**stopped("Preempted by alloc ID x"), "desired_status": "evict"}, "Preempted"),
        (stopped("alloc is being migrated", migrate=True), "NodeDrained"),
        (stopped(LOST), "NodeLost"),
        (stopped("alloc not needed due to job update"), None),
    ],
)
def test_an_end_for_want_of_a_place_is_a_disruption_as_jobs_read_it(end: dict[str, Any], reason: str | None) -> None:
    """What somebody stopped by hand is none."""
    ended = facts(allocation_of({"web": KILLED}, "lost" if reason == "NodeLost" else "complete", **end))
    subject = pod("Never")
    status = pod_status(subject, ended, NOW)
    found = [(each.status, each.reason) for each in status.conditions if each.type == "DisruptionTarget"]
    assert found == ([] if reason is None else [("True", reason)])
    assert pod_status(with_status(subject, status), ended, at(300)) == status


def test_an_end_that_somebody_asked_for_is_told_with_its_reason_or_not_yet() -> None:
    """A task's end is told before its allocation's; in between nobody knows whether it will be started again."""
    running = after(pod("Never"), facts(allocation(web=RUNNING)))
    asked = stopped("alloc is being migrated", migrate=True)
    ended = task("running", started(2), event("Killing", 8), terminated(9, 143))
    status = pod_status(running, facts(allocation_of({"web": ended}, "running", **asked)), at(90))
    assert status.phase == "Running"
    over = pod_status(with_status(running, status), facts(allocation_of({"web": KILLED}, "complete", **asked)), at(91))
    assert (over.phase, over.reason) == ("Failed", "NodeDrained")


def test_a_client_that_is_gone_fails_a_pod_that_runs_once_with_its_runs_unknown() -> None:
    running = after(pod("Never"), facts(allocation(web=RUNNING)))
    status = pod_status(running, facts(allocation_of({"web": RUNNING}, "lost", **stopped(LOST))), at(90))
    ended = status.container_statuses[0].state.terminated
    assert (status.phase, status.reason) == ("Failed", "NodeLost")
    assert ended is not None
    assert (ended.reason, ended.exit_code) == ("ContainerStatusUnknown", 137)


def test_a_lost_client_takes_readiness_and_nothing_else() -> None:
    running = after(pod("Never"), facts(allocation(web=RUNNING)))
    status = pod_status(running, facts(allocation("unknown", web=RUNNING)), at(90))
    ready = condition(status, "Ready")
    assert (status.phase, ready.status, ready.reason) == ("Running", "False", "NodeLost")
    back = pod_status(with_status(running, status), facts(allocation(web=RUNNING)), at(120))
    assert (condition(back, "Ready").status, condition(back, "Ready").last_transition_time) == ("True", at(120))


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    waiting = after(pod(), facts())
    status = pod_status(waiting, facts(evaluation=FULL), at(300))
    assert condition(status, "Ready").last_transition_time == NOW
    assert condition(status, "nomad.hashinetes.io/Placed").last_transition_time == at(300)


@pytest.mark.parametrize(("gate", "ready"), [(None, "False"), ("False", "False"), ("True", "True")])
def test_readiness_gates_hold_readiness_back(gate: str | None, ready: str) -> None:
    held = PodStatus(conditions=(PodCondition(type="example.com/lb", status=gate),) if gate else ())
    subject = pod(status=held, readiness_gates=(ReadinessGate(condition_type="example.com/lb"),))
    status = pod_status(subject, facts(allocation(web=RUNNING)), NOW)
    assert condition(status, "Ready").status == ready
    assert condition(status, "ContainersReady").status == "True"


def test_placement_failures_are_told_with_their_numbers() -> None:
    status = pod_status(pod(), facts(evaluation=FULL), NOW)
    waiting = status.container_statuses[0].state.waiting
    assert waiting is not None
    assert (message(FULL), waiting.message) == (FULL_TEXT, FULL_TEXT)
    assert condition(status, "nomad.hashinetes.io/Placed").reason == "Unschedulable"


@pytest.mark.parametrize(
    ("evaluation", "text"),
    [
        (None, ""),
        (Evaluation(id="e", status="complete"), ""),
        (
            Evaluation(id="e", failed_tg_allocs={"pod": AllocationMetric(node_pool="gpu")}),
            # Nomad counts the pool after it has filtered by datacenter, and does not say which of the two was empty.
            'Nomad cannot place the Pod: No clients are available in node pool "gpu" in the datacenters asked for',
        ),
        (
            Evaluation(id="e", failed_tg_allocs={"pod": AllocationMetric(nodes_available={"dc1": 0})}),
            (
                "Nomad cannot place the Pod: No clients were eligible for evaluation; "
                'No clients are available in datacenter "dc1"'
            ),
        ),
        (
            Evaluation(id="e", status="failed", status_description="maximum attempts reached (5)"),
            "Nomad cannot place the Pod: maximum attempts reached (5)",
        ),
    ],
)
def test_placement_texts(evaluation: Evaluation | None, text: str) -> None:
    assert message(evaluation) == text


@pytest.mark.parametrize(
    ("mode", "address", "more", "spec", "pod_ip"),
    [
        ("host", "", {}, {}, "10.0.0.5"),
        ("bridge", "172.26.64.3", {"reached_at": "allocation"}, {}, "172.26.64.3"),
        ("bridge", "172.26.64.3", {"reached_at": "host"}, {}, "10.0.0.5"),
        ("bridge", "172.26.64.3", {"reached_at": ""}, {}, ""),
        ("bridge", "", {"reached_at": "allocation"}, {}, ""),
        ("host", "", {"reached_at": ""}, {}, ""),
        ("host", "", {"reached_at": ""}, {"host_network": True}, "10.0.0.5"),
        ("host", "", {"host_ip": "127.0.0.1"}, {}, ""),
        ("host", "", {"host_ip": "169.254.1.1"}, {}, ""),
        ("host", "", {"host_ip": "client-1.example.com"}, {}, ""),
        ("bridge", "224.0.0.1", {"reached_at": "allocation"}, {}, ""),
        ("bridge", "0.0.0.0", {"reached_at": "allocation"}, {}, ""),  # noqa: S104 - an address, not a bind
    ],
)
def test_pod_addresses(mode: str, address: str, more: dict[str, object], spec: dict[str, object], pod_ip: str) -> None:
    placed = allocation_of({"web": RUNNING}, mode=mode, address=address)
    status = pod_status(pod(**spec), facts(placed, **more), NOW)  # type: ignore[arg-type]
    assert (status.pod_ip, [each.ip for each in status.pod_ips]) == (pod_ip, [pod_ip] if pod_ip else [])


def test_a_pod_ip_stays_while_its_allocation_lives() -> None:
    running = after(pod(), facts(allocation(web=RUNNING)))
    assert pod_status(running, facts(allocation(web=RUNNING), host_ip="10.9.9.9"), NOW).pod_ip == "10.0.0.5"
    moved = allocation_of({"web": PENDING}, "pending", id=SECOND_ALLOCATION, mode="bridge")
    assert pod_status(running, facts(moved, reached_at="allocation"), NOW).pod_ip == ""


@pytest.mark.parametrize(("generation", "observed"), [(0, None), (3, 3)])
def test_only_a_numbered_generation_is_echoed(generation: int, observed: int | None) -> None:
    assert pod_status(pod(generation=generation), facts(), NOW).observed_generation == observed


def test_a_refused_pod_waits_or_fails_with_the_field_that_is_wrong() -> None:
    finding = Finding(reason="UnsupportedField", field="spec.hostPID", message="is not possible here")
    waits = pod_status(pod(), Facts(refusal=finding), NOW)
    fails = failed_status(pod(), finding, NOW)
    assert (waits.phase, condition(waits, "nomad.hashinetes.io/Placed").reason) == ("Pending", "UnsupportedField")
    assert (fails.phase, fails.reason) == ("Failed", "UnsupportedField")
    assert fails.message == "Pod was rejected: spec.hostPID: is not possible here"
    ended: Pod = with_status(pod(), fails)
    assert pod_status(ended, Facts(), NOW) is ended.status
