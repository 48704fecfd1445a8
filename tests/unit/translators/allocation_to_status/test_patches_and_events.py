"""What is written and what is said, and that neither happens twice."""

from dataclasses import replace

import pytest

from tests.unit.translators.allocation_to_status.api_server import ApiServer
from tests.unit.translators.allocation_to_status.samples import (
    NOW,
    PENDING,
    RUNNING,
    UID,
    after,
    allocation,
    at,
    event,
    facts,
    pod,
    restarting,
    started,
    task,
    terminated,
)
from translators.allocation_to_status import EventNote, Facts, failed_status, pod_events, pod_status, status_patch
from translators.errors import Finding
from translators.records.allocations import AllocationMetric, Evaluation
from translators.records.pods import Container, EphemeralContainer

DONE = task("dead", started(2), terminated(5, 0))
CRASHED = task("pending", started(2), terminated(5, 1), restarting(5), restarts=1)
NO_IMAGE = task("pending", event("Driver Failure", driver_error="Failed to pull `web:1`: refused"), restarting(1))
UNPLACED = facts(evaluation=Evaluation(id="e", failed_tg_allocs={"pod": AllocationMetric()}))
PLACING_TEXT = "Nomad cannot place the Pod: No clients were eligible for evaluation"
PATH = "spec.containers{web}"


def follow(server: ApiServer, *history: Facts) -> tuple[EventNote, ...]:
    """Publish each state in turn and give the Events of the last one."""
    notes: tuple[EventNote, ...] = ()
    for state in history:
        desired = pod_status(server.pod, state, NOW)
        notes = pod_events(server.pod, desired)
        server.publish(desired)
    return notes


def test_a_patch_holds_the_uid_and_the_status_and_nothing_else() -> None:
    server = ApiServer(pod(generation=2))
    follow(server, facts(), UNPLACED, facts(allocation(web=RUNNING)), facts(allocation("pending", web=CRASHED)))
    assert all(set(body) == {"metadata", "status"} and body["metadata"] == {"uid": UID} for body in server.patches)
    statuses = [each for body in server.patches for each in body["status"].get("containerStatuses", [])]
    assert len(server.patches) == 4
    assert all("qosClass" not in body["status"] for body in server.patches)
    assert all("resources" not in status and status["image"] == "web:1" for status in statuses)


def test_a_container_added_to_a_running_pod_has_failed_and_says_what_to_do_instead() -> None:
    server = ApiServer(pod(ephemeral_containers=(EphemeralContainer(name="debugger", image="busybox"),)))
    follow(server, facts(allocation(web=RUNNING)), facts(allocation(web=RUNNING)))
    (status,) = server.status["ephemeralContainerStatuses"]
    assert (status["name"], status["image"]) == ("debugger", "busybox")
    assert status["state"]["terminated"]["exitCode"] == 128
    assert "kubectl exec" in status["state"]["terminated"]["message"]
    assert len(server.patches) == 1


def test_a_running_pod_as_the_api_reads_it() -> None:
    server = ApiServer(pod())
    follow(server, facts(allocation(web=RUNNING)))
    assert {name: server.status[name] for name in ("phase", "hostIPs", "podIP", "startTime")} == {
        "phase": "Running",
        "hostIPs": [{"ip": "10.0.0.5"}],
        "podIP": "10.0.0.5",
        "startTime": "2026-11-23T12:01:00Z",
    }
    assert server.status["containerStatuses"][0]["state"] == {"running": {"startedAt": "2026-11-23T12:00:02Z"}}


def test_conditions_of_others_are_neither_sent_nor_touched() -> None:
    foreign = {"type": "example.com/lb", "status": "True", "lastProbeTime": None, "observedGeneration": 7}
    server = ApiServer(pod(), {"conditions": [foreign]})
    follow(server, facts(), facts(allocation(web=RUNNING)))
    sent = {each["type"] for body in server.patches for each in body["status"].get("conditions", [])}
    assert "example.com/lb" not in sent
    assert foreign in server.status["conditions"]


def test_a_reason_that_no_longer_holds_is_cleared() -> None:
    server = ApiServer(pod())
    follow(server, facts(), facts(allocation(web=RUNNING)))
    ready = next(each for each in server.status["conditions"] if each["type"] == "Ready")
    assert ready == {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-23T12:01:00Z"}


def test_the_placement_condition_goes_away_when_the_pod_is_placed() -> None:
    server = ApiServer(pod())
    follow(server, UNPLACED, facts(allocation("pending", web=PENDING)))
    assert {"$patch": "delete", "type": "nomad.hashinetes.io/Placed"} in server.patches[-1]["status"]["conditions"]
    assert "nomad.hashinetes.io/Placed" not in {each["type"] for each in server.status["conditions"]}


def test_an_address_that_is_gone_is_removed() -> None:
    server = ApiServer(pod())
    follow(server, facts(allocation(web=RUNNING)), facts(allocation(web=RUNNING)))
    server.publish(pod_status(pod(), facts(), NOW))
    assert ("podIP" in server.status, "podIPs" in server.status) == (False, False)


def test_a_server_that_drops_the_observed_generation_is_not_written_to_for_ever() -> None:
    server = ApiServer(pod(generation=2))
    follow(server, facts(allocation(web=RUNNING)))
    assert server.status.pop("observedGeneration") == 2
    assert status_patch(server.pod, pod_status(server.pod, facts(allocation(web=RUNNING)), at(99))) is None


@pytest.mark.parametrize(("deleted", "written"), [(False, True), (True, False)])
def test_a_generation_alone_is_told_unless_it_is_that_of_the_deletion(*, deleted: bool, written: bool) -> None:
    server = ApiServer(pod(generation=1))
    follow(server, facts(allocation(web=RUNNING)))
    metadata = replace(server.pod.metadata, generation=2, deletion_timestamp=at(60) if deleted else None)
    newer = replace(server.pod, metadata=metadata)
    patch = status_patch(newer, pod_status(newer, facts(allocation(web=RUNNING)), at(99)))
    assert (patch is not None) is written


@pytest.mark.parametrize(
    ("history", "notes"),
    [
        ((facts(), facts(allocation(web=RUNNING))), [EventNote("Normal", "Started", "Container started", PATH)]),
        (
            (facts(), facts(allocation("complete", web=DONE))),
            [EventNote("Normal", "Started", "Container started", PATH)],
        ),
        (
            (facts(allocation(web=RUNNING)), facts(allocation("pending", web=CRASHED))),
            [
                EventNote(
                    "Warning", "BackOff", f"Back-off restarting failed container web in pod shop_prod({UID})", PATH
                )
            ],
        ),
        (
            (facts(), facts(allocation("pending", web=NO_IMAGE))),
            [
                EventNote("Warning", "Failed", 'Failed to pull image "web:1": Failed to pull `web:1`: refused', PATH),
                EventNote("Normal", "BackOff", 'Back-off pulling image "web:1"', PATH),
            ],
        ),
        ((facts(), UNPLACED), [EventNote("Warning", "Unschedulable", PLACING_TEXT)]),
        ((facts(), facts(allocation("pending", web=PENDING))), []),
        ((facts(allocation(web=RUNNING)), facts(allocation(web=RUNNING))), []),
    ],
)
def test_events(history: tuple[Facts, ...], notes: list[EventNote]) -> None:
    assert list(follow(ApiServer(pod()), *history)) == notes


@pytest.mark.parametrize(("deleting", "expected"), [(False, ["Killing"]), (True, [])])
def test_a_sidecar_is_told_of_that_is_stopped_when_all_others_have_ended(
    expected: list[str], *, deleting: bool
) -> None:
    sidecar = (Container(name="proxy", image="proxy:1", restart_policy="Always"),)
    subject = pod("Never", init=sidecar, deleting=deleting)
    before = after(subject, facts(allocation(proxy=RUNNING, web=DONE)))
    ended = task("dead", started(2), event("Killing", 6), terminated(7, 143))
    desired = pod_status(before, facts(allocation("complete", proxy=ended, web=DONE)), NOW)
    notes = pod_events(before, desired)
    assert [note.reason for note in notes] == expected
    assert all(note.field_path == "spec.initContainers{proxy}" for note in notes)


def test_a_refusal_is_one_event() -> None:
    desired = failed_status(pod(), Finding("UnsupportedField", "spec.hostPID", "no"), NOW)
    assert [note.reason for note in pod_events(pod(), desired)] == ["UnsupportedField"]


def test_a_lost_client_is_one_event() -> None:
    lost = facts(allocation("unknown", web=RUNNING))
    notes = follow(ApiServer(pod()), facts(allocation(web=RUNNING)), lost)
    assert [(note.type, note.reason) for note in notes] == [("Warning", "NodeLost")]
