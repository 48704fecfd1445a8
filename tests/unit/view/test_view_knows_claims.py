from typing import Any

from tests.unit.translators.claims import claim, volume
from translators.material import Claimed, Claims
from translators.records.pods import Pod, PodUid
from translators.support import decode_pod
from vnode.errors import Denied, Unavailable
from vnode.view.claims import ClaimStore


def named(uid: str, *, phase: str = "Pending") -> Pod:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "other", "emptyDir": {}}]
    return decode_pod(
        {
            "metadata": {"name": uid, "namespace": "team-a", "uid": uid},
            "spec": {"containers": [{"name": "a"}], "volumes": volumes},
            "status": {"phase": phase},
        }
    )


def store(*, synced: bool = True) -> tuple[ClaimStore, list[str]]:
    told: list[str] = []
    made = ClaimStore(told.append)
    made.serve()
    made.look(PodUid("p1"), named("p1"))
    if synced:
        made.claims.replace([])
        made.volumes.replace([])
        told.clear()
    return made, told


def test_a_pod_is_told_of_its_claim_and_of_its_volume() -> None:
    known, told = store()
    assert known.of(named("p1")) == Claims(served=True, found={"data": Claimed()})
    known.claims.apply(claim())
    assert told == ["p1"]
    known.volumes.apply(volume())
    assert told == ["p1", "p1"]
    assert known.of(named("p1")) == Claims(served=True, found={"data": Claimed(claim(), volume())})


def test_nothing_is_said_of_claims_until_all_are_known_and_then_everybody_is_told() -> None:
    known, told = store(synced=False)
    known.claims.replace([claim()])
    assert known.of(named("p1")) == Claims(served=True)
    told.clear()
    known.volumes.replace([])
    assert told == ["p1"]
    assert known.of(named("p1")) == Claims(served=True, found={"data": Claimed(claim(), None)})


def test_a_right_that_is_missing_is_told_once_until_it_is_there() -> None:
    known, told = store(synced=False)
    known.hindered(Unavailable("down"))
    assert told == []
    known.hindered(Denied("claims are forbidden"))
    found = known.of(named("p1"))
    assert found is not None
    assert found.problem == "claims are forbidden"
    told.clear()
    known.hindered(Denied("claims are forbidden"))
    assert told == []
    known.claims.replace([])
    known.volumes.replace([])
    found = known.of(named("p1"))
    assert found is not None
    assert found.problem == ""


def test_a_list_tells_of_what_differs() -> None:
    known, told = store()
    seen: list[str] = []
    known.claim_changed = lambda each: seen.append(each.metadata.name)
    known.claims.replace([claim()])
    known.claims.replace([claim()])
    assert (told, seen) == (["p1"], ["data"])
    known.claims.replace([])
    assert (told, seen) == (["p1", "p1"], ["data", "data"])


def test_a_pod_that_ended_or_left_is_not_told_any_more() -> None:
    known, told = store()
    known.look(PodUid("p2"), named("p2"))
    known.look(PodUid("p1"), named("p1", phase="Succeeded"))
    known.claims.apply(claim())
    assert told == ["p2"]
    known.look(PodUid("p2"), None)
    known.claims.remove(claim())
    assert told == ["p2"]


def test_pods_without_claims_cost_nothing() -> None:
    known, _ = store()
    plain: dict[str, Any] = {"metadata": {"name": "p", "namespace": "team-a", "uid": "p"}, "spec": {"containers": []}}
    assert known.of(decode_pod(plain)) is None
