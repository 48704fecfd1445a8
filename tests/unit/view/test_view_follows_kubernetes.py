from tests.unit.view.objects import Notified, pod, stub, view
from translators.records.pods import PodUid
from vnode.view.observation import Removal
from vnode.view.view import View

U1 = PodUid("u1")


def test_a_new_pod_is_looked_at() -> None:
    notified = Notified()
    view(notified).pods.apply(pod("u1"))
    assert notified.take() == {"u1"}


def test_a_pod_that_we_wrote_ourselves_is_nothing_new() -> None:
    notified = Notified()
    seen = view(notified)
    seen.pods.apply(pod("u1", version=1))
    seen.pods.fold(pod("u1", version=2))
    notified.take()
    seen.pods.apply(pod("u1", version=2))
    assert notified.take() == set()


def test_what_is_known_of_a_pod_is_used_to_decode_its_next_version() -> None:
    raw = {"metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "1"}, "spec": {}}
    seen = view()
    first = seen.pods.decode(raw)
    seen.pods.apply(first)
    assert seen.pods.decode(raw) is first


def test_an_answer_older_than_the_watch_is_not_folded_in() -> None:
    seen = view()
    seen.pods.apply(pod("u1", version=3))
    seen.pods.fold(pod("u1", version=2))
    found = seen.observation(PodUid("u1")).pod
    assert found is not None
    assert found.metadata.resource_version == "3"


def test_a_deleted_pod_leaves_its_last_grace_period() -> None:
    seen = view()
    seen.pods.apply(pod("u1"))
    seen.pods.remove(pod("u1", deleted=True, grace=0))
    observed = seen.observation(PodUid("u1"))
    assert (observed.pod, observed.removal) == (None, Removal(grace=0))


def test_a_relist_wakes_pods_that_it_lacks_and_those_that_changed() -> None:
    notified = Notified()
    seen = view(notified)
    for uid in ("kept", "changed", "gone"):
        seen.pods.apply(pod(uid, name=uid))
    notified.take()
    seen.pods.replace([pod("kept", name="kept"), pod("changed", name="changed", version=2)])
    assert notified.take() == {"changed", "gone"}


def test_that_a_list_lacks_a_pod_is_no_proof_that_it_left() -> None:
    seen = view()
    seen.pods.apply(pod("u1"))
    seen.pods.replace([])
    observed = seen.observation(PodUid("u1"))
    assert (observed.pod, observed.removal, observed.absent) == (None, None, False)


def test_a_pod_that_a_list_lacked_comes_back_when_the_api_knows_it() -> None:
    notified = Notified()
    seen = view(notified)
    seen.pods.apply(pod("u1"))
    seen.pods.replace([])
    notified.take()
    seen.pods.find(pod("u1"))
    assert notified.take() == {"u1"}
    assert seen.pods.pod("shop", "web") is not None


def test_a_pod_that_was_seen_leaving_does_not_come_back() -> None:
    seen = view()
    seen.pods.apply(pod("u1"))
    seen.pods.remove(pod("u1", grace=0))
    seen.pods.find(pod("u1"))
    assert seen.observation(PodUid("u1")).pod is None


def test_a_pod_whose_patch_finds_nobody_is_looked_for() -> None:
    notified = Notified()
    seen = view(notified)
    seen.pods.apply(pod("u1"))
    notified.take()
    seen.pods.lose(PodUid("u1"))
    assert notified.take() == {"u1"}
    assert (seen.observation(PodUid("u1")).pod, seen.pods.pod("shop", "web")) == (None, None)


def test_the_grace_period_of_a_lost_pod_is_still_heard() -> None:
    seen = view()
    seen.pods.apply(pod("u1"))
    seen.pods.lose(PodUid("u1"))
    seen.pods.remove(pod("u1", grace=0))
    assert seen.observation(PodUid("u1")).removal == Removal(grace=0)


def test_two_pods_of_one_name_are_two_pods() -> None:
    seen = view()
    seen.pods.apply(pod("old", version=1))
    seen.pods.apply(pod("new", version=2))
    found = seen.pods.pod("shop", "web")
    assert found is not None
    assert found.uid == "new"
    assert PodUid("old") in seen.pods


def test_a_pod_waits_for_an_earlier_one_of_its_name_and_is_woken_by_its_end() -> None:
    notified = Notified()
    seen = view(notified)
    seen.jobs.apply_job(stub("old"))
    seen.pods.apply(pod("new"))
    assert seen.observation(PodUid("new")).predecessor == "vk-old"
    notified.take()
    seen.forget(PodUid("old"))
    assert "new" in notified.take()
    assert seen.observation(PodUid("new")).predecessor is None


def test_forgetting_a_uid_leaves_nothing_of_it() -> None:
    seen = view()
    seen.pods.apply(pod("u1"))
    seen.jobs.apply_job(stub("u1"))
    seen.remember(PodUid("u1"), attempts=3)
    seen.pods.remove(pod("u1"))
    seen.forget(PodUid("u1"))
    observed = seen.observation(PodUid("u1"))
    assert (observed.job, observed.removal, observed.memory.attempts) == (None, None, 0)


def test_a_watch_that_lags_does_not_bring_back_a_pod_that_the_api_was_asked_for() -> None:
    seen = view()
    seen.pods.apply(pod("u1"))
    seen.pods.lose(PodUid("u1"))
    seen.confirm_absence(PodUid("u1"))
    seen.forget(PodUid("u1"))
    seen.pods.apply(pod("u1", version=2))
    seen.pods.replace([pod("u1", version=3)])
    seen.pods.find(pod("u1", version=3))
    assert seen.observation(PodUid("u1")).pod is None
    seen.pods.remove(pod("u1", version=4, grace=0))
    assert seen.observation(PodUid("u1")).removal == Removal(grace=0)


def test_a_pod_that_is_gone_is_remembered_only_until_a_list_lacks_it() -> None:
    seen = view()
    seen.confirm_absence(PodUid("u1"))
    seen.pods.replace([])
    seen.pods.apply(pod("u1"))
    assert seen.observation(PodUid("u1")).pod is not None


def test_since_when_a_pod_leaves_is_known_where_it_was_seen_to_begin() -> None:
    now = [100.0]
    seen = View(cluster="c1", node="nomad", changed=Notified(), capacity_changed=lambda: None, clock=lambda: now[0])
    seen.pods.apply(pod("u1"))
    assert seen.observation(U1).leaving_for is None
    seen.pods.apply(pod("u1", version=2, deleted=True, grace=30))
    now[0] += 7
    seen.pods.apply(pod("u1", version=3, deleted=True, grace=30))
    assert seen.observation(U1).leaving_for == 7
    seen.pods.replace([pod("u1", version=4, deleted=True, grace=30)])
    assert seen.observation(U1).leaving_for == 7
    seen.pods.replace([])
    assert seen.observation(U1).leaving_for is None


def test_of_one_that_was_leaving_when_we_came_it_is_not_known() -> None:
    seen = view()
    seen.pods.apply(pod("u1", deleted=True, grace=30))
    seen.pods.apply(pod("u1", version=2, deleted=True, grace=30))
    assert seen.observation(U1).leaving_for is None
