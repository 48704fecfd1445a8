"""How often a container was started again, which run is shown, and how the one before it ended."""

from tests.unit.translators.allocation_to_status.samples import (
    ALLOCATION,
    NOW,
    PENDING,
    RUNNING,
    SECOND_ALLOCATION,
    YEARS,
    after,
    allocation,
    allocation_of,
    at,
    container,
    event,
    facts,
    pod,
    restarting,
    shown,
    started,
    stopped,
    task,
    terminated,
)
from translators.allocation_to_status import final_status, pod_status
from translators.allocation_to_status.timestamps import go_duration

AGAIN = task("running", started(2), terminated(5, 1), restarting(5), started(15), restarts=1)
MOVED = allocation_of(
    {"web": task("dead", started(2), terminated(9, 143), restarts=2)}, "complete", **stopped("x", migrate=True)
)


def test_a_second_run_remembers_the_first() -> None:
    status = container(pod_status(pod(), facts(allocation(web=AGAIN)), NOW))
    before = status.last_state.terminated
    assert before is not None
    assert (status.restart_count, status.container_id) == (1, f"nomad://{ALLOCATION}/web/1")
    assert (before.exit_code, before.finished_at, before.container_id) == (1, at(5), f"nomad://{ALLOCATION}/web/0")


def test_a_restart_is_counted_when_it_comes_and_not_while_it_is_waited_for() -> None:
    crashed = task("pending", started(2), terminated(5, 1), restarting(5), restarts=1)
    unseen = pod_status(pod(), facts(allocation("pending", web=crashed)), NOW)
    seen = after(pod(), facts(allocation(web=RUNNING)), facts(allocation("pending", web=crashed)))
    again = after(seen, facts(allocation(web=AGAIN)))
    assert [container(each).restart_count for each in (unseen, seen.status, again.status)] == [0, 0, 1]
    assert (shown(seen.status), container(seen.status).container_id) == (
        "CrashLoopBackOff",
        f"nomad://{ALLOCATION}/web/0",
    )


def test_waits_that_were_not_seen_are_made_up_for() -> None:
    seen = after(pod(), facts(allocation(web=AGAIN)))
    crashed = task("pending", started(35), terminated(40, 1), restarting(40), restarts=4)
    assert container(pod_status(seen, facts(allocation("pending", web=crashed)), NOW)).restart_count == 3


def test_another_allocation_is_counted_when_it_has_started() -> None:
    waits = pod_status(pod(), facts(MOVED, allocation_of({"web": PENDING}, "pending", id=SECOND_ALLOCATION)), NOW)
    assert container(waits).restart_count == 2


def test_starts_that_failed_after_an_end_are_no_restarts() -> None:
    crashed = task("pending", started(2), terminated(5, 1), restarting(5), restarts=1)
    seen = after(pod(), facts(allocation(web=RUNNING)), facts(allocation("pending", web=crashed)))
    failure = event("Driver Failure", 16, driver_error="Failed to pull `web:1`: refused")
    failing = task("pending", *crashed.events, failure, restarting(16), restarts=2)
    waits = after(seen, facts(allocation("pending", web=failing)))
    again = after(waits, facts(allocation(web=task("running", *failing.events, started(26), restarts=2))))
    once_more = task("running", started(26), terminated(30, 1), restarting(30), started(40), restarts=3)
    more = pod_status(again, facts(allocation(web=once_more)), NOW)
    assert [container(each).restart_count for each in (waits.status, again.status, more)] == [0, 1, 2]


def test_the_end_of_a_run_is_kept_when_nomad_has_forgotten_its_events() -> None:
    seen = after(pod(), facts(allocation(web=AGAIN)))
    forgotten = task("running", *(event("Signaling", 20) for _ in range(10)), restarts=1, started_at=15)
    status = pod_status(seen, facts(allocation(web=forgotten)), NOW)
    assert container(status) == container(seen.status)


def test_restarts_add_up_over_the_chain() -> None:
    placed = allocation_of({"web": RUNNING}, id=SECOND_ALLOCATION)
    assert container(pod_status(pod(), facts(MOVED, placed), NOW)).restart_count == 3


def test_restarts_never_become_fewer_and_go_on_from_there() -> None:
    seen = after(pod(), facts(MOVED, allocation_of({"web": RUNNING}, id=SECOND_ALLOCATION)))
    alone = facts(allocation_of({"web": AGAIN}, id=SECOND_ALLOCATION))
    assert container(pod_status(seen, alone, NOW)).restart_count == 4


def test_a_parked_task_was_not_restarted() -> None:
    parked = task("pending", started(2), terminated(5, 3), restarting(5, YEARS), restarts=1)
    status = container(pod_status(pod("Never", containers=("web",)), facts(allocation("pending", web=parked)), NOW))
    assert (status.restart_count, status.container_id) == (0, f"nomad://{ALLOCATION}/web/0")


def test_a_parked_task_stays_ended_when_the_job_is_stopped() -> None:
    parked = task("dead", started(2), terminated(5, 3), restarting(5, YEARS), event("Killing", 9), restarts=1)
    placed = allocation_of({"web": parked}, "complete", **stopped())
    status = pod_status(pod("Never"), facts(placed), NOW)
    assert (status.phase, status.reason, shown(status)) == ("Failed", "", "Error:3")


def test_a_pod_that_never_restarts_is_told_by_the_allocation_that_ran() -> None:
    parked = task("pending", started(2), terminated(5, 3), restarting(5, YEARS), restarts=1)
    lost = allocation_of({"web": parked}, "lost", **stopped("alloc is lost since its node is down"))
    fenced = allocation_of({"web": PENDING}, "pending", id=SECOND_ALLOCATION)
    status = pod_status(pod("Never"), facts(lost, fenced), NOW)
    assert (status.phase, shown(status)) == ("Failed", "Error:3")


def test_a_purged_run_counts_as_one_whose_end_nobody_saw() -> None:
    running = after(pod(), facts(allocation(web=RUNNING)))
    again = pod_status(running, facts(allocation_of({"web": RUNNING}, id=SECOND_ALLOCATION)), NOW)
    before = container(again).last_state.terminated
    assert before is not None
    assert (before.reason, before.exit_code, container(again).restart_count) == ("ContainerStatusUnknown", 137, 1)


def test_nothing_is_made_up_while_nothing_is_known() -> None:
    running = after(pod(), facts(allocation(web=RUNNING)))
    status = pod_status(running, facts(submitted=False, host_ip=""), NOW)
    assert status.container_statuses == running.status.container_statuses


def test_the_log_position_of_a_run_stays_in_its_containerid() -> None:
    position = f"nomad://{ALLOCATION}/web/1@0.120,0.0"
    seen = after(pod(), facts(allocation(web=AGAIN), run_positions={"web": position}))
    crashed = task("pending", started(15), terminated(20, 1), restarting(20), restarts=2)
    status = container(pod_status(seen, facts(allocation("pending", web=crashed)), NOW))
    before = status.last_state.terminated
    assert before is not None
    assert (status.container_id, before.container_id) == (position, position)


def test_the_position_of_another_run_is_not_taken() -> None:
    status = pod_status(
        pod(), facts(allocation(web=RUNNING), run_positions={"web": f"nomad://{ALLOCATION}/web/7@0.1,0.1"}), NOW
    )
    assert container(status).container_id == f"nomad://{ALLOCATION}/web/0"


def test_a_deleted_pod_ends_with_what_its_containers_did() -> None:
    running = after(pod(), facts(allocation(web=RUNNING)))
    gone = final_status(running, facts(submitted=False), NOW)
    waiting = final_status(pod(), facts(allocation("complete", web=task("dead", event("Killing")))), NOW)
    graceful = final_status(running, facts(allocation("complete", web=task("dead", started(2), terminated(9)))), NOW)
    assert (gone.phase, shown(gone)) == ("Failed", "ContainerStatusUnknown:137")
    assert (waiting.phase, shown(waiting)) == ("Failed", "Error:137")
    assert (graceful.phase, shown(graceful)) == ("Succeeded", "Completed:0")


def test_a_deleted_pod_that_never_began_says_so_as_by_a_kubelet() -> None:
    """It becomes Failed when everything else of it is written; of its container nobody knows anything."""
    refused = task("pending", event("Driver Failure", driver_error="Failed to pull `web:1`: refused"))
    subject = after(pod(deleting=True), facts(allocation("pending", web=refused)))
    status = final_status(subject, facts(allocation("complete", web=task("dead", event("Killing")))), NOW)
    assert (status.phase, shown(status)) == ("Failed", "ContainerStatusUnknown:137")
    assert {each.reason for each in status.conditions if each.type in {"Ready", "ContainersReady"}} == {
        "ContainersNotReady"
    }


def test_durations_read_as_in_a_kubelet() -> None:
    assert [go_duration(seconds * 1_000_000_000) for seconds in (0, 10, 80, 300)] == ["0s", "10s", "1m20s", "5m0s"]
