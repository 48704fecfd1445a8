"""What a Pod shows for every state that Nomad shows."""

import pytest

from tests.unit.translators.allocation_to_status.samples import (
    ALLOCATION,
    NOW,
    PENDING,
    RUNNING,
    SECOND,
    SECOND_ALLOCATION,
    UID,
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
from translators.records.allocations import TaskState
from translators.records.pods import Container

PULL = event("Driver Failure", 1, driver_error="Failed to pull `web:1`: connection refused")
NOT_FOUND = event("Driver Failure", 1, driver_error="Failed to pull `web:1`: Error: image library/web:1 not found")
NO_BINARY = event(
    "Driver Failure", 1, driver_error='failed to launch command with executor: binary "nope" could not be found'
)
NO_COMMAND = event("Driver Failure", 1, driver_error="Failed to start container 0a1: OCI runtime create failed: exec")
NO_CONTAINER = event("Driver Failure", 1, driver_error="failed to create container: bind source path does not exist")
BAD_CONTAINER = event("Driver Failure", 1, driver_error='Failed to create container configuration for image "web:1"')
BAD_NAME = event("Driver Failure", 1, driver_error="Failed to parse repository: invalid reference format")
INVALID = event("Failed Validation", 1, validation_error="failed to parse config: unknown key")
NO_ARTIFACT = event("Failed Artifact Download", 1, download_error='failed to download artifact "http://a/b": 503')
NO_NETWORK = event("Setup Failure", 1, setup_error="failed to setup alloc: no bridge")
TEMPLATE = event("Task hook failed", 1, message="template: render failed")
NO_LOGIN = event(
    "Killing", 1, 'Vault: failed to derive vault token: Code: 400. Errors:\n\n* role "x" could not be found'
)
GIVES_UP = event("Not Restarting", 1.1, restart_reason="Policy allows no restarts", fails_task="true")
DONE = task("dead", started(2), terminated(5))
FAILED = task("dead", started(2), terminated(5, 3), GIVES_UP, failed=True)


@pytest.mark.parametrize(
    ("policy", "client_status", "state", "phase", "container_state"),
    [
        ("Always", "pending", PENDING, "Pending", "ContainerCreating"),
        ("Always", "pending", task("pending", event("Downloading Artifacts")), "Pending", "ContainerCreating"),
        ("Always", "pending", task("pending", PULL), "Pending", "ErrImagePull"),
        ("Always", "pending", task("pending", PULL, restarting(1), restarts=1), "Pending", "ImagePullBackOff"),
        ("Never", "failed", task("dead", NOT_FOUND, GIVES_UP, failed=True), "Pending", "ImagePullBackOff"),
        ("Always", "pending", task("pending", BAD_NAME), "Pending", "InvalidImageName"),
        ("Always", "pending", task("pending", NO_BINARY), "Pending", "RunContainerError"),
        ("Always", "failed", task("dead", NO_BINARY, GIVES_UP, failed=True), "Pending", "RunContainerError"),
        ("OnFailure", "failed", task("dead", NO_COMMAND, GIVES_UP, failed=True), "Pending", "RunContainerError"),
        ("Never", "failed", task("dead", NO_BINARY, GIVES_UP, failed=True), "Failed", "StartError:128"),
        ("Always", "pending", task("pending", NO_CONTAINER), "Pending", "CreateContainerError"),
        ("Always", "pending", task("pending", BAD_CONTAINER), "Pending", "CreateContainerConfigError"),
        ("Always", "failed", task("dead", INVALID, GIVES_UP), "Pending", "CreateContainerConfigError"),
        ("Always", "pending", task("pending", TEMPLATE), "Pending", "CreateContainerConfigError"),
        (
            "Always",
            "failed",
            task("dead", NO_LOGIN, event("Killed"), failed=True),
            "Pending",
            "CreateContainerConfigError",
        ),
        (
            "Never",
            "failed",
            task("dead", NO_LOGIN, event("Killed"), failed=True),
            "Pending",
            "CreateContainerConfigError",
        ),
        ("Always", "pending", task("pending", NO_ARTIFACT, restarting(1)), "Pending", "ImagePullBackOff"),
        ("Always", "failed", task("dead", NO_NETWORK, failed=True), "Pending", "CreateContainerError"),
        ("Always", "running", RUNNING, "Running", "Running"),
        ("Never", "running", task("running", started(2), terminated(5, 3)), "Failed", "Error:3"),
        (
            "Always",
            "pending",
            task("pending", started(2), terminated(5, 1), restarting(5), restarts=1),
            "Running",
            "CrashLoopBackOff",
        ),
        (
            "Always",
            "pending",
            task("pending", started(2), terminated(5), restarting(5), restarts=1),
            "Running",
            "CrashLoopBackOff",
        ),
        (
            "Always",
            "pending",
            task("pending", started(2), terminated(5), restarting(5, 0), restarts=1),
            "Running",
            "ContainerCreating",
        ),
        ("Never", "complete", DONE, "Succeeded", "Completed:0"),
        ("OnFailure", "complete", DONE, "Succeeded", "Completed:0"),
        ("Always", "complete", DONE, "Running", "Completed:0"),
        ("Never", "failed", FAILED, "Failed", "Error:3"),
        ("OnFailure", "failed", FAILED, "Running", "Error:3"),
        (
            "Never",
            "pending",
            task("pending", started(2), terminated(5, 3), restarting(5, YEARS), restarts=1),
            "Failed",
            "Error:3",
        ),
        (
            "Never",
            "failed",
            task("dead", started(2), event("Terminated", 5, exit_code="137", oom_killed="true"), failed=True),
            "Failed",
            "OOMKilled:137",
        ),
        (
            "Never",
            "failed",
            task("dead", started(2), terminated(5, -1, exit_message="executor: error waiting on process")),
            "Failed",
            "ContainerStatusUnknown:137",
        ),
        ("Never", "failed", task("dead", started_at=2, failed=True), "Failed", "ContainerStatusUnknown:137"),
        ("Never", "pending", task("dead", event("Killing"), event("Killed")), "Pending", "ContainerCreating"),
    ],
)
def test_one_container(policy: str, client_status: str, state: TaskState, phase: str, container_state: str) -> None:
    status = pod_status(pod(policy), facts(allocation(client_status, web=state)), NOW)
    assert (status.phase, shown(status)) == (phase, container_state)


def test_a_pod_that_is_not_placed_yet_waits() -> None:
    status = pod_status(pod(), facts(), NOW)
    assert (status.phase, shown(status), status.start_time) == ("Pending", "ContainerCreating", NOW)


def test_a_back_off_says_how_long_it_really_takes() -> None:
    state = task("pending", started(2), terminated(5, 1), restarting(5, 80 * SECOND), restarts=1)
    waiting = container(pod_status(pod(), facts(allocation("pending", web=state)), NOW)).state.waiting
    assert waiting is not None
    assert waiting.message == f"back-off 1m20s restarting failed container=web pod=shop_prod({UID})"


def test_an_image_back_off_names_the_image_and_the_cause() -> None:
    state = task("pending", PULL, restarting(1), restarts=1)
    waiting = container(pod_status(pod(), facts(allocation("pending", web=state)), NOW)).state.waiting
    assert waiting is not None
    assert waiting.message == (
        'Back-off pulling image "web:1": ErrImagePull: Failed to pull `web:1`: connection refused'
    )


def test_credentials_in_an_address_are_not_repeated() -> None:
    failure = event(
        "Failed Artifact Download", download_error='failed to download artifact "https://me:pw@host/b": 401'
    )
    waiting = container(
        pod_status(pod(), facts(allocation("pending", web=task("pending", failure))), NOW)
    ).state.waiting
    assert waiting is not None
    assert waiting.message == 'failed to download artifact "https://host/b": 401'


def test_an_ended_run_tells_when_it_ran_in_whole_seconds() -> None:
    ended = container(pod_status(pod("Never"), facts(allocation("failed", web=FAILED)), NOW)).state.terminated
    assert ended is not None
    assert (ended.started_at, ended.finished_at) == (at(2), at(5))
    assert ended.container_id == f"nomad://{ALLOCATION}/web/0"


def test_a_failing_sibling_is_named_by_the_container_that_it_took_along() -> None:
    text = 'Task\'s sibling "db" failed'
    state = task("dead", started(2), event("Sibling Task Failed", 3, text), event("Killing", 3), terminated(5, 143))
    status = pod_status(pod("Never", containers=("web", "db")), facts(allocation("failed", web=state, db=FAILED)), NOW)
    ended = container(status).state.terminated
    assert ended is not None
    assert (status.phase, ended.exit_code, ended.message) == ("Failed", 143, text)


@pytest.mark.parametrize(
    ("states", "phase"),
    [
        (("running", "running"), "Running"),
        (("running", "pending"), "Pending"),
        (("running", "parked"), "Running"),
        (("parked", "done"), "Failed"),
        (("done", "done"), "Succeeded"),
    ],
)
def test_two_containers_that_never_restart(states: tuple[str, str], phase: str) -> None:
    known = {
        "running": RUNNING,
        "pending": PENDING,
        "parked": task("pending", started(2), terminated(5, 3), restarting(5, YEARS), restarts=1),
        "done": DONE,
    }
    placed = allocation_of({"web": known[states[0]], "db": known[states[1]]})
    assert pod_status(pod("Never", containers=("web", "db")), facts(placed), NOW).phase == phase


def test_a_failed_start_ends_the_siblings_that_never_restart() -> None:
    broken = task("dead", NO_BINARY, GIVES_UP, failed=True)
    waiting = task("dead", event("Sibling Task Failed", text="sibling"), event("Killing"), event("Killed"))
    status = pod_status(
        pod("Never", containers=("web", "db")), facts(allocation("failed", web=broken, db=waiting)), NOW
    )
    assert (status.phase, shown(status), shown(status, "db")) == ("Failed", "StartError:128", "Error:137")


def test_a_running_pod_never_becomes_pending_again() -> None:
    running = after(pod(), facts(allocation(web=RUNNING)))
    replaced = allocation_of({"web": PENDING}, "pending", id=SECOND_ALLOCATION)
    moved = allocation_of(
        {"web": task("dead", started(2), terminated(9, 143))}, "complete", **stopped("x", migrate=True)
    )
    status = pod_status(running, facts(moved, replaced), NOW)
    assert (status.phase, shown(status)) == ("Running", "ContainerCreating")
    assert container(status).last_state.terminated is not None


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
def test_a_terminal_phase_is_final(policy: str) -> None:
    ended = after(pod("Never"), facts(allocation("failed", web=FAILED)))
    restarted = ended.__class__(metadata=ended.metadata, spec=pod(policy).spec, status=ended.status)
    assert pod_status(restarted, facts(allocation(web=RUNNING)), NOW) is ended.status


def test_a_container_that_may_not_run_again_is_never_shown_running_again() -> None:
    containers = ("web", "db")
    one_ended = after(pod("OnFailure", containers=containers), facts(allocation(web=DONE, db=RUNNING)))
    status = pod_status(one_ended, facts(allocation_of({"web": RUNNING, "db": RUNNING}, id=SECOND_ALLOCATION)), NOW)
    assert (shown(status), shown(status, "db")) == ("Completed:0", "Running")


def test_a_failed_attempt_is_shown_until_the_next_one_ends() -> None:
    failing = after(pod(), facts(allocation("failed", web=task("dead", NOT_FOUND, GIVES_UP, failed=True))))
    again = allocation_of({"web": PENDING}, "pending", id=SECOND_ALLOCATION)
    assert shown(pod_status(failing, facts(again), NOW)) == "ImagePullBackOff"


class TestInitContainers:
    INIT = (Container(name="setup", image="setup:1"),)

    @pytest.mark.parametrize(
        ("setup", "web", "phase", "shows"),
        [
            (PENDING, PENDING, "Pending", ("PodInitializing", "PodInitializing")),
            (RUNNING, PENDING, "Pending", ("Running", "PodInitializing")),
            (DONE, PENDING, "Pending", ("Completed:0", "PodInitializing")),
            (DONE, RUNNING, "Running", ("Completed:0", "Running")),
        ],
    )
    def test_come_first(self, setup: TaskState, web: TaskState, phase: str, shows: tuple[str, str]) -> None:
        status = pod_status(pod("Always", init=self.INIT), facts(allocation(setup=setup, web=web)), NOW)
        assert (status.phase, (shown(status, "setup"), shown(status))) == (phase, shows)

    def test_fail_the_pod_that_never_restarts(self) -> None:
        never_ran = task("dead", event("Sibling Task Failed"), event("Killing"))
        status = pod_status(pod("Never", init=self.INIT), facts(allocation("failed", setup=FAILED, web=never_ran)), NOW)
        assert (status.phase, shown(status, "setup")) == ("Failed", "Error:3")
        assert shown(status) == "PodInitializing"

    def test_that_stay_let_the_pod_end_without_them(self) -> None:
        sidecar = (Container(name="proxy", image="proxy:1", restart_policy="Always"),)
        subject = pod("Never", init=sidecar)
        still_up = pod_status(subject, facts(allocation(proxy=RUNNING, web=DONE)), NOW)
        ended = task("dead", started(2), event("Main Tasks Dead", 6), event("Killing", 6), terminated(7, 143))
        over = pod_status(subject, facts(allocation("complete", proxy=ended, web=DONE)), NOW)
        assert (still_up.phase, over.phase) == ("Running", "Succeeded")

    @pytest.mark.parametrize(
        ("policy", "setup", "ended", "ready"),
        [
            ("", RUNNING, "ContainerStatusUnknown:137", False),
            ("", DONE, "Completed:0", True),
            ("Always", RUNNING, "ContainerStatusUnknown:137", False),
        ],
    )
    def test_end_with_a_pod_whose_job_is_gone(self, policy: str, setup: TaskState, ended: str, *, ready: bool) -> None:
        first = (Container(name="setup", image="setup:1", restart_policy=policy),)
        seen = after(pod("Always", init=first), facts(allocation(setup=setup, web=PENDING)))
        over = final_status(seen, facts(submitted=False), NOW)
        assert (over.phase, shown(over, "setup")) == ("Failed", ended)
        assert over.init_container_statuses[0].ready is ready
