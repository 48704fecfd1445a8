from dataclasses import replace

import pytest

from tests.unit.view.objects import Notified, allocation, evaluation, pod, stub, view
from translators.records.allocations import Client
from translators.records.pods import PodStatus, PodUid
from vnode.view.view import View

U1 = PodUid("u1")


def test_allocations_come_oldest_first() -> None:
    seen = view()
    seen.jobs.apply_job(stub("u1"))
    seen.jobs.apply_allocation(allocation("u1", "b", created=9))
    seen.jobs.apply_allocation(allocation("u1", "a", created=5))
    assert [found.id for found in seen.observation(U1).allocations] == ["a", "b"]


def test_an_older_state_of_an_allocation_is_nothing_new() -> None:
    notified = Notified()
    seen = view(notified)
    seen.jobs.apply_job(stub("u1"))
    seen.jobs.apply_allocation(allocation("u1", "a", status="running", index=7))
    notified.take()
    seen.jobs.apply_allocation(allocation("u1", "a", status="pending", index=6))
    assert notified.take() == set()
    assert seen.observation(U1).allocations[0].client_status == "running"


def test_an_allocation_may_overtake_its_registration() -> None:
    seen = view()
    seen.pods.apply(pod("u1"))
    seen.jobs.apply_allocation(allocation("u1", "a"))
    assert len(seen.observation(U1).allocations) == 1


def test_allocations_of_unknown_jobs_are_not_kept() -> None:
    seen = view()
    seen.jobs.apply_allocation(allocation("stranger", "a"))
    assert seen.observation(PodUid("stranger")).allocations == ()


@pytest.mark.parametrize("foreign", [stub("u1", node="other"), stub("u1", cluster="c2")], ids=["node", "cluster"])
def test_jobs_of_other_nodes_and_clusters_are_not_ours(foreign: object) -> None:
    seen = view()
    seen.jobs.replace("default", [foreign], [], since=seen.jobs.mark())  # type: ignore[list-item]
    assert seen.observation(U1).job is None


def test_a_list_without_a_job_means_that_it_is_gone() -> None:
    notified = Notified()
    seen = view(notified)
    seen.jobs.apply_job(stub("u1"))
    notified.take()
    seen.jobs.replace("default", [], [], since=seen.jobs.mark())
    assert seen.observation(U1).job is None
    assert notified.take() == {"u1"}


def test_a_list_says_nothing_about_another_namespace() -> None:
    seen = view()
    seen.jobs.apply_job(stub("u1", namespace="k8s-team"))
    seen.jobs.replace("default", [], [], since=seen.jobs.mark())
    assert seen.observation(U1).job is not None


def test_a_job_registered_after_the_list_was_asked_for_survives_it() -> None:
    seen = view()
    seen.jobs.apply_job(stub("u1"))
    asked = seen.jobs.mark()
    job = seen.observation(U1).job
    assert job is not None
    seen.jobs.fold(job)
    seen.jobs.replace("default", [], [], since=asked)
    assert seen.observation(U1).job is not None


def test_a_stop_is_resolved_when_its_evaluation_is_finished() -> None:
    seen = view()
    seen.jobs.apply_job(stub("u1", stop=True))
    seen.jobs.apply_evaluation(evaluation("u1", trigger="job-deregister", status="pending", index=2))
    assert not seen.observation(U1).is_over
    seen.jobs.apply_evaluation(evaluation("u1", trigger="job-deregister", status="complete", index=3))
    assert seen.observation(U1).is_over


def test_the_end_of_a_removal_says_nothing_of_the_job_that_was_registered_in_its_place() -> None:
    """Its line may come after the answer to the registration, which Nomad applied later."""
    seen = view()
    seen.jobs.apply_job(stub("u1", index=181))
    seen.jobs.apply_evaluation(evaluation("u1", trigger="job-deregister", status="complete", index=180))
    job = seen.observation(U1).job
    assert job is not None
    assert (job.stopped, job.resolved) == (False, False)


def test_only_the_end_of_a_stop_is_worth_a_look() -> None:
    notified = Notified()
    seen = view(notified)
    seen.jobs.apply_job(stub("u1", stop=True))
    notified.take()
    seen.jobs.apply_evaluation(evaluation("u1", trigger="job-deregister", status="pending", index=2))
    assert notified.take() == set()
    seen.jobs.apply_evaluation(evaluation("u1", trigger="job-deregister", status="complete", index=3))
    assert notified.take() == {"u1"}


def test_a_stop_is_resolved_beside_the_blocked_evaluation_that_it_cancels() -> None:
    """Nomad finishes the one and cancels the other at the same index."""
    seen = view()
    seen.jobs.apply_job(stub("u1", stop=True))
    seen.jobs.apply_evaluation(evaluation("u1", trigger="queued-allocs", status="canceled", index=32, name="e1"))
    seen.jobs.apply_evaluation(evaluation("u1", trigger="job-deregister", status="complete", index=32, name="e2"))
    assert seen.observation(U1).is_over


@pytest.mark.parametrize(
    ("status", "over"),
    [("pending", False), ("running", False), ("unknown", False), ("complete", True), ("failed", True), ("lost", True)],
)
def test_a_pod_is_over_when_all_its_allocations_have_ended(status: str, *, over: bool) -> None:
    seen = view()
    seen.jobs.apply_job(stub("u1"))
    seen.jobs.apply_allocation(allocation("u1", "old", status="complete"))
    seen.jobs.apply_allocation(allocation("u1", "new", status=status, created=2))
    assert seen.observation(U1).is_over is over


def test_a_job_that_was_never_placed_is_not_over() -> None:
    seen = view()
    seen.jobs.apply_job(stub("u1"))
    assert not seen.observation(U1).is_over


def test_an_older_read_of_a_job_does_not_unstop_it() -> None:
    seen = view()
    seen.jobs.apply_job(stub("u1", stop=True, index=5))
    seen.jobs.apply_job(stub("u1", stop=False, index=4))
    job = seen.observation(U1).job
    assert job is not None
    assert job.stopped


def test_reading_one_job_anew_finds_it_gone() -> None:
    seen = view()
    seen.jobs.apply_job(stub("u1"))
    seen.jobs.replace_one(U1, None, [], [])
    assert seen.observation(U1).job is None


def test_reading_a_stopped_job_without_evaluations_resolves_it() -> None:
    seen = view()
    seen.jobs.replace_one(U1, stub("u1", stop=True), [], [])
    assert seen.observation(U1).is_over


def test_what_a_list_lacks_is_not_confirmed_until_nomad_was_asked_for_that_very_job() -> None:
    seen = view()
    seen.jobs.apply_job(stub("u1"))
    seen.jobs.replace("default", [], [], since=seen.jobs.mark())
    assert not seen.observation(U1).confirmed
    seen.jobs.replace_one(U1, None, [], [])
    assert seen.observation(U1).confirmed


def test_a_later_list_that_lacks_a_job_takes_its_confirmation_away() -> None:
    seen = view()
    seen.jobs.replace_one(U1, stub("u1"), [], [])
    assert seen.observation(U1).confirmed
    seen.jobs.replace("default", [], [], since=seen.jobs.mark())
    assert not seen.observation(U1).confirmed


def test_forgetting_a_job_forgets_that_it_was_confirmed() -> None:
    seen = view()
    seen.jobs.replace_one(U1, None, [], [])
    seen.forget(U1)
    assert not seen.observation(U1).confirmed


def test_a_list_counts_though_it_shows_an_older_state() -> None:
    """Nomad was restored from a snapshot: indexes go back, and what happened since did not happen."""
    seen = view()
    seen.jobs.replace("default", [stub("u1", index=9)], [], since=seen.jobs.mark())
    seen.jobs.apply_allocation(allocation("u1", "a", status="complete", index=9), read_at=1.0)
    seen.jobs.replace(
        "default", [stub("u1", index=5)], [allocation("u1", "a", status="running", index=6)], since=seen.jobs.mark()
    )
    found = seen.observation(U1)
    assert found.allocations[0].client_status == "running"
    assert found.job is not None
    assert found.job.modify_index == 5


def test_what_is_told_while_a_list_is_on_its_way_is_newer_than_the_list() -> None:
    seen = view()
    seen.jobs.apply_job(stub("u1"))
    since = seen.jobs.mark()
    seen.jobs.apply_allocation(allocation("u1", "a", status="complete", index=9), read_at=1.0)
    seen.jobs.replace("default", [stub("u1")], [allocation("u1", "a", status="running", index=6)], since=since)
    assert seen.observation(U1).allocations[0].client_status == "complete"


def test_a_client_that_is_forgotten_with_a_job_may_run_it_on() -> None:
    notified = Notified()
    seen = _with_a_client(notified)
    seen.jobs.apply_job(stub("u1"))
    seen.jobs.apply_allocation(allocation("u1", "a"))
    seen.clients.replace([])
    seen.jobs.replace("default", [], [], since=seen.jobs.mark())
    assert seen.observation(U1).stranded_at == "n1"
    notified.take()
    seen.clients.replace([_client("n2", "10.0.0.2")])
    assert seen.observation(U1).stranded_at == "n1"
    seen.clients.apply(replace(_client("n1"), modify_index=3))
    assert notified.take() == {"u1"}
    assert seen.observation(U1).stranded_at == ""


def test_a_client_may_run_on_what_nobody_was_told_of_yet() -> None:
    notified = Notified()
    seen = view(notified)
    seen.clients.replace([_client("n1")])
    seen.pods.apply(pod("u1"))
    seen.jobs.apply_job(stub("u1"))
    seen.jobs.apply_allocation(allocation("u1", "a"))
    seen.clients.replace([])
    seen.jobs.replace("default", [], [], since=seen.jobs.mark())
    assert seen.observation(U1).stranded_at == "n1"
    notified.take()
    seen.clients.apply(replace(_client("n1"), modify_index=3))
    assert notified.take() == {"u1"}
    assert seen.observation(U1).stranded_at == ""


def test_a_list_takes_away_what_only_an_allocation_told_of() -> None:
    seen = view()
    seen.pods.apply(pod("u1"))
    seen.jobs.apply_allocation(allocation("u1", "a"), read_at=1.0)
    seen.jobs.replace("default", [], [], since=seen.jobs.mark())
    assert (seen.observation(U1).allocations, seen.observation(U1).left_behind) == ((), True)


@pytest.mark.parametrize(("namespace", "since"), [("other", 1), ("default", 0)])
def test_a_list_of_another_namespace_or_an_older_one_takes_nothing_away(namespace: str, since: int) -> None:
    seen = view()
    seen.pods.apply(pod("u1"))
    seen.jobs.apply_allocation(allocation("u1", "a"), read_at=1.0)
    seen.jobs.replace(namespace, [], [], since=since)
    assert len(seen.observation(U1).allocations) == 1


@pytest.mark.parametrize(("status", "left"), [("running", True), ("pending", True), ("complete", False)])
def test_what_was_not_known_to_have_ended_is_left_behind_until_there_is_a_job_again(status: str, *, left: bool) -> None:
    seen = view()
    seen.pods.apply(pod("u1"))
    seen.jobs.apply_job(stub("u1"))
    seen.jobs.apply_allocation(allocation("u1", "a", status=status))
    seen.jobs.replace_one(U1, None, (), ())
    assert seen.observation(U1).left_behind is left
    seen.jobs.replace_one(U1, None, (), ())
    assert seen.observation(U1).left_behind is left
    seen.jobs.apply_job(stub("u1"))
    seen.jobs.replace_one(U1, None, (), ())
    assert not seen.observation(U1).left_behind


def test_after_a_start_of_ours_a_client_is_known_by_the_address_of_its_pods() -> None:
    seen = _with_a_client(Notified())
    assert seen.observation(U1).stranded_at == ""
    seen.clients.replace([_client("n2", "10.0.0.2")])
    assert seen.observation(U1).stranded_at == "10.0.0.1"


def test_a_job_that_is_gone_while_its_client_is_known_strands_nobody() -> None:
    seen = _with_a_client(Notified())
    seen.jobs.apply_job(stub("u1"))
    seen.jobs.apply_allocation(allocation("u1", "a"))
    seen.jobs.replace("default", [], [], since=seen.jobs.mark())
    assert seen.observation(U1).stranded_at == ""


def _with_a_client(notified: Notified) -> View:
    seen = view(notified)
    seen.clients.replace([_client("n1")])
    seen.pods.apply(replace(pod("u1"), status=PodStatus(phase="Running", host_ip="10.0.0.1")))
    return seen


def _client(identity: str, address: str = "10.0.0.1") -> Client:
    return Client(id=identity, status="ready", attributes={"unique.network.ip-address": address})
