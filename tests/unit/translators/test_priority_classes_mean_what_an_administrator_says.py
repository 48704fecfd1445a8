"""The priority of a Pod's job by its PriorityClass: only by a map, and never against the Pod's own annotation."""

from dataclasses import replace

import pytest

from tests.unit.translators.pods import CONTEXT, job, pod
from translators.priorities import checked

_MAPPED = replace(CONTEXT, priorities={"urgent": 80})


@pytest.mark.parametrize(
    ("priority_class", "annotations", "expected"),
    [("urgent", {}, 80), ("another", {}, 50), ("", {}, 50), ("urgent", {"priority": "30"}, 30)],
)
def test_a_class_that_is_mapped_is_a_priority(priority_class: str, annotations: dict[str, str], expected: int) -> None:
    assert job(pod(annotations=annotations, priorityClassName=priority_class), _MAPPED).priority == expected


def test_without_a_map_a_class_says_nothing_to_nomad() -> None:
    assert job(pod(priorityClassName="urgent")).priority == 50


@pytest.mark.parametrize(
    ("name", "priority", "message"),
    [
        ("urgent", 0, "urgent: 0 is no priority of Nomad; write a number from 1 to 100"),
        ("urgent", 101, "urgent: 101 is no priority of Nomad"),
        ("Urgent", 80, "'Urgent' is no name of a PriorityClass"),
        ("", 80, "'' is no name"),
    ],
)
def test_a_map_that_cannot_work_is_refused(name: str, priority: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked({name: priority})


def test_a_map_that_can_is_taken() -> None:
    priorities = {"system-node-critical": 100, "team-a.urgent": 1}
    assert checked(priorities) == priorities
