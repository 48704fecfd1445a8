import pytest

from tests.faults.disturbance import Disturbance
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
