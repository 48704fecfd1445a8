from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from translators.material import CONFIG_MAP, SECRET, DataObject, ObjectKey, Token, TokenNeed
from translators.records.pods import Pod, PodUid
from translators.references import references
from translators.support import decode_pod
from vnode.view.objects import ObjectStore, Place

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
VAULT = TokenNeed("vault", 3600)
CONF = Place("team-a", ObjectKey(CONFIG_MAP, "conf"))
FOUND = DataObject("7", {"k": b"v"}, {"k": b"v"})


class Told:
    def __init__(self) -> None:
        self.changed: list[str] = []
        self.calls: list[tuple[str, Place]] = []

    def wanted(self, place: Place) -> None:
        self.calls.append(("wanted", place))

    def unwanted(self, place: Place) -> None:
        self.calls.append(("unwanted", place))


def named(uid: str, *, phase: str = "Pending", **spec: Any) -> Pod:
    source = {"configMap": {"name": "conf"}}
    return decode_pod(
        {
            "metadata": {"name": uid, "namespace": "team-a", "uid": uid},
            "spec": {
                "containers": [{"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
                "volumes": [{"name": "v", **source}],
                **spec,
            },
            "status": {"phase": phase},
        }
    )


def store() -> tuple[ObjectStore, Told]:
    told = Told()
    made = ObjectStore(told.changed.append, lambda pod: references(pod, "docker"))
    made.subscriber = told
    return made, told


def look(into: ObjectStore, pod: Pod) -> None:
    into.look(pod.uid, pod)


def test_an_object_is_wanted_with_the_first_pod_and_unwanted_with_the_last() -> None:
    known, told = store()
    for uid in ("p1", "p2", "p1"):
        look(known, named(uid))
    assert told.calls == [("wanted", CONF)]
    look(known, named("p1", phase="Succeeded"))
    assert told.calls == [("wanted", CONF)]
    known.look(PodUid("p2"), None)
    assert told.calls == [("wanted", CONF), ("unwanted", CONF)]


def test_a_change_wakes_those_who_name_it_and_a_repetition_nobody() -> None:
    known, told = store()
    look(known, named("p1"))
    look(known, named("p2"))
    known.put(CONF, FOUND)
    assert sorted(told.changed) == ["p1", "p2"]
    known.put(CONF, FOUND)
    assert len(told.changed) == 2
    known.put(CONF, None)
    assert len(told.changed) == 4


def test_what_is_known_of_an_object_is_told_apart() -> None:
    known, _ = store()
    pod = named("p1")
    look(known, pod)
    assert CONF.key not in known.material(pod).objects
    known.deny(CONF, "not allowed")
    assert known.material(pod).denied == {CONF.key: "not allowed"}
    known.put(CONF, None)
    assert known.material(pod).objects == {CONF.key: None}
    assert known.material(pod).denied == {}
    before = known.material(pod).stamp
    known.put(CONF, FOUND)
    assert known.material(pod).stamp != before


def test_a_right_that_is_lost_leaves_what_was_read() -> None:
    known, _ = store()
    pod = named("p1")
    look(known, pod)
    known.put(CONF, FOUND)
    known.deny(CONF, "not allowed")
    assert known.material(pod).objects == {CONF.key: FOUND}


def test_what_nobody_names_is_not_kept() -> None:
    known, told = store()
    known.put(Place("team-a", ObjectKey(SECRET, "other")), FOUND)
    assert told.changed == []


def test_a_pod_that_names_nothing_costs_nothing() -> None:
    known, told = store()
    plain = named("p1", volumes=[], containers=[{"name": "a"}])
    look(known, plain)
    assert told.calls == []
    assert known.material(plain).stamp == ""


@pytest.mark.parametrize("step", [-timedelta(days=1), timedelta(days=1)])
def test_a_clock_that_is_set_makes_no_token_older_or_younger(step: timedelta) -> None:
    known, _ = store()
    pod = named("p1")
    look(known, pod)
    known.fold_token(pod.uid, VAULT, Token("t", NOON, NOON + timedelta(hours=1)))
    before = known.material(pod).stamp
    known.shift(step)
    assert list(known.due(NOON + step + timedelta(minutes=47))) == []
    assert list(known.due(NOON + step + timedelta(minutes=49))) == [pod.uid]
    assert known.material(pod).stamp == before


def test_the_next_token_is_another_content() -> None:
    known, _ = store()
    pod = named("p1")
    look(known, pod)
    stamps = []
    for value in ("a.b.c", "a.b.d"):
        known.fold_token(pod.uid, VAULT, Token(value, NOON, NOON + timedelta(hours=1)))
        stamps.append(known.material(pod).stamp)
    assert stamps[0] != stamps[1]
