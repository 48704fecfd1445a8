"""What is told of one container has an order, as the beginnings have; what is told of two has none."""

from typing import Any

from tests.e2e.comparison import told

_MAIN, _BESIDE, _FIRST = "spec.containers{main}", "spec.containers{beside}", "spec.initContainers{first}"


def _event(reason: str, path: str) -> dict[str, Any]:
    return {"type": "Normal", "reason": reason, "message": reason, "involvedObject": {"fieldPath": path}}


def _told(*events: tuple[str, str], apart_from: frozenset[str] = frozenset()) -> dict[str, Any]:
    return told([_event(*each) for each in events], "web", apart_from=apart_from)


def test_one_container_is_told_of_in_order() -> None:
    assert _told(("Started", _MAIN), ("Killing", _MAIN)) != _told(("Killing", _MAIN), ("Started", _MAIN))


def test_how_often_something_is_told_is_luck() -> None:
    once = _told(("Started", _MAIN), ("Killing", _MAIN))
    assert _told(("Started", _MAIN), ("Killing", _MAIN), ("Started", _MAIN)) == once


def test_two_containers_are_told_of_beside_each_other() -> None:
    assert _told(("Started", _MAIN), ("Started", _BESIDE)) == _told(("Started", _BESIDE), ("Started", _MAIN))


def test_an_init_container_starts_before_the_others() -> None:
    assert _told(("Started", _FIRST), ("Started", _MAIN)) != _told(("Started", _MAIN), ("Started", _FIRST))


def test_what_is_left_out_is_left_out() -> None:
    assert _told(("BackOff", _MAIN), apart_from=frozenset({"BackOff"})) == _told()
