from tests.unit.view.objects import Notified, pod, stub, view
from translators.records.pods import PodUid
from vnode.view.observation import Removal


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


def test_a_relist_reveals_pods_that_left_unseen_and_those_that_changed() -> None:
    notified = Notified()
    seen = view(notified)
    for uid in ("kept", "changed", "gone"):
        seen.pods.apply(pod(uid, name=uid))
    notified.take()
    seen.pods.replace([pod("kept", name="kept"), pod("changed", name="changed", version=2)])
    assert notified.take() == {"changed", "gone"}
    assert seen.observation(PodUid("gone")).removal == Removal(grace=None)


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
