"""The histories of two Pods are equal where they differ by what was not seen, and by nothing else."""

from typing import Any

import pytest

from tests.e2e.histories import contradictions, history

_CREATING = {"state": {"waiting": {"reason": "ContainerCreating"}}}
_RUNS = {"state": {"running": {}}, "started": True, "ready": True, "containerID": "x://1"}
_RUNS_UNREADY = {**_RUNS, "ready": False}
_FIRST_END = {"exitCode": 3, "reason": "Error", "containerID": "x://1", "startedAt": "2026-01-01T00:00:00Z"}
_ENDED = {"state": {"terminated": _FIRST_END}, "containerID": "x://1"}
_RUNS_AGAIN = {**_RUNS, "lastState": {"terminated": _FIRST_END}, "restartCount": 1, "containerID": "x://2"}
_CANNOT = {"state": {"terminated": {"exitCode": 128, "reason": "StartError", "containerID": "x://1"}}}


def _versions(*statuses: tuple[str, dict[str, Any]], restart: str = "Never", **container: Any) -> list[dict[str, Any]]:
    spec = {"restartPolicy": restart, "containers": [{"name": "main", **container}]}
    return [
        {
            "metadata": {"name": "web", "resourceVersion": str(number)},
            "spec": spec,
            "status": {
                "phase": phase,
                "conditions": [{"type": "ContainersReady", "status": str(bool(found.get("ready")))}],
                **(
                    {"containerStatuses": [{"name": "main", "ready": False, "restartCount": 0, **found}]}
                    if found
                    else {}
                ),
            },
        }
        for number, (phase, found) in enumerate(statuses)
    ]


def _main(*statuses: tuple[str, dict[str, Any]], **container: Any) -> list[str]:
    found: list[str] = history(_versions(*statuses, **container), apart_from=frozenset())["containers"]["main"]
    return found


def test_a_run_that_nobody_saw_is_told_by_its_end() -> None:
    assert _main(("Pending", {}), ("Failed", _ENDED)) == _main(
        ("Pending", _CREATING), ("Running", _RUNS), ("Failed", _ENDED)
    )


def test_an_end_that_nobody_saw_is_told_by_the_next_run() -> None:
    seen = _main(("Running", _RUNS), ("Running", _ENDED), ("Running", _RUNS_AGAIN))
    assert _main(("Running", _RUNS), ("Running", _RUNS_AGAIN)) == seen
    assert [each[:4] for each in seen] == ["0: r", "0: {", "1: r"]


def test_what_could_not_be_created_has_not_run() -> None:
    assert not any("running" in each for each in _main(("Pending", _CREATING), ("Failed", _CANNOT)))


def test_what_is_probed_begins_unready() -> None:
    probed: dict[str, Any] = {"readinessProbe": {}}
    assert _main(("Running", _RUNS), **probed) == _main(("Running", _RUNS_UNREADY), ("Running", _RUNS), **probed)


def test_what_is_ready_had_started_up() -> None:
    before, started = {**_RUNS_UNREADY, "started": False}, ("Running", _RUNS_UNREADY)
    starting: dict[str, Any] = {"startupProbe": {}}
    seen = _main(("Running", before), started, ("Running", _RUNS), **starting)
    assert _main(("Running", before), ("Running", _RUNS), **starting) == seen
    assert seen == ["0: running", "0: running, started", "0: running, started, ready"]


def test_ready_and_unready_again_is_another_history() -> None:
    unready = ("Running", _RUNS_UNREADY)
    assert _main(("Running", _RUNS), unready) != _main(("Running", _RUNS), unready, ("Running", _RUNS))


@pytest.mark.parametrize(("found", "ran"), [(_ENDED, True), (_CANNOT, False)])
def test_a_pod_whose_containers_ran_was_running(found: dict[str, Any], ran: bool) -> None:  # noqa: FBT001 - a case
    phases = history(_versions(("Pending", {}), ("Failed", found)), apart_from=frozenset())["phases"]
    assert phases == (["Pending", "Running", "Failed"] if ran else ["Pending", "Failed"])


def test_what_is_said_again_counts_once_and_what_comes_back_counts_twice() -> None:
    seen = _main(("Running", _RUNS), ("Running", _RUNS), ("Running", _RUNS_UNREADY), ("Running", _RUNS))
    assert seen == ["0: running, started, ready", "0: running, started", "0: running, started, ready"]


def test_an_end_that_is_told_twice_was_one() -> None:
    versions = _versions(("Running", _RUNS), ("Failed", _ENDED), ("Failed", _ENDED))
    assert history(versions, apart_from=frozenset())["phases"] == ["Running", "Failed"]


@pytest.mark.parametrize(("found", "order"), [(_RUNS, ["False", "True", "False"]), (_CREATING, ["False"])])
def test_what_ran_had_a_sandbox_before(found: dict[str, Any], order: list[str]) -> None:
    versions = _versions(("Pending", found), ("Failed", found))
    versions[-1]["status"]["conditions"] = [{"type": "PodReadyToStartContainers", "status": "False"}]
    assert history(versions, apart_from=frozenset())["conditions"]["PodReadyToStartContainers"] == order


def test_a_true_history_has_no_contradiction() -> None:
    assert contradictions(_versions(("Pending", _CREATING), ("Running", _RUNS), ("Failed", _ENDED))) == []


@pytest.mark.parametrize(
    ("statuses", "why"),
    [
        ((("Running", _RUNS), ("Pending", {**_CREATING, "containerID": "x://1"})), "its phase went"),
        ((("Failed", _ENDED), ("Succeeded", _ENDED)), "its phase went"),
        ((("Running", _RUNS_AGAIN), ("Running", _RUNS)), "was restarted 1 times, and then 0"),
        ((("Running", _RUNS), ("Running", {})), "was restarted 0 times, and then None"),
        ((("Running", _ENDED), ("Running", _RUNS)), "had ended for good"),
        ((("Failed", _RUNS_UNREADY),), "has ended and runs"),
        ((("Running", {**_CREATING, "ready": True}),), "is ready and does not run"),
        ((("Pending", _RUNS),), "ContainersReady is True"),
    ],
)
def test_a_contradiction_is_found(statuses: tuple[tuple[str, dict[str, Any]], ...], why: str) -> None:
    found = contradictions(_versions(*statuses))
    assert any(why in each for each in found), found
