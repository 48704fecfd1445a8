import json

import pytest

from tests.faults.disturbance import Disturbance, extended
from tests.faults.faults import Disorder, Disturbed

LINES = [b'{"Index":2001,"Events":[]}', b'{"Index":2002,"Events":[]}', b'{"Index":2003,"Events":[]}']
FIRST, SECOND, THIRD = (line + b"\n" for line in LINES)


@pytest.mark.parametrize(
    ("disorder", "arrives"),
    [
        (Disorder.DUPLICATED, FIRST + SECOND + SECOND + THIRD),
        (Disorder.REORDERED, FIRST + THIRD + SECOND),
        (Disorder.BACKWARDS, FIRST + b'{"Index":1002,"Events":[]}\n' + THIRD),
        (Disorder.GARBLED, FIRST + b'{"type":"?","Events":[{"Topic":7\n' + THIRD),
        (Disorder.ENDED, FIRST + SECOND),
        (Disorder.CUT, FIRST + SECOND[:13]),
        (Disorder.SILENT, FIRST + SECOND),
    ],
)
def test_every_second_line_meets_its_disorder(disorder: Disorder, arrives: bytes) -> None:
    disturbance = Disturbance(Disturbed(disorder, every=2))
    seen = b""
    for line in LINES:
        seen += disturbance.feed(line)
        if disturbance.ended is not None:
            break
    assert seen == arrives
    assert disturbance.ended == (disorder if disorder in {Disorder.ENDED, Disorder.CUT, Disorder.SILENT} else None)


def test_versions_of_kubernetes_go_back_too() -> None:
    event = b'{"type":"MODIFIED","object":{"metadata":{"resourceVersion":"1500"}}}'
    assert b'"resourceVersion":"500"' in Disturbance(Disturbed(Disorder.BACKWARDS, every=1)).feed(event)


@pytest.mark.parametrize(
    ("answer", "extended_at"),
    [({"a": 1}, [()]), ([{"a": 1}, {"b": 2}], [(0,), (1,)]), ({"items": [{"a": 1}]}, [(), ("items", 0)])],
)
def test_every_object_says_more_than_is_known(answer: object, extended_at: list[tuple[str | int, ...]]) -> None:
    seen = json.loads(extended(json.dumps(answer).encode()))
    for path in extended_at:
        found = seen
        for step in path:
            found = found[step]
        assert "fromTheFuture" in found


def test_what_is_no_object_says_no_more() -> None:
    assert [extended(each) for each in (b"<html>", b"7", b'"x"')] == [b"<html>", b"7", b'"x"']
