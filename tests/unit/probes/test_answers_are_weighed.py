import pytest

from translators.allocation_to_status import EventNote
from translators.records.probes import ProbeKind
from vnode.probes.answers import Answer, Outcome, judge

L, R, S = ProbeKind.LIVENESS, ProbeKind.READINESS, ProbeKind.STARTUP


@pytest.mark.parametrize(
    ("kind", "answer", "success", "event"),
    [
        (R, Answer(Outcome.SUCCESS, "fine"), True, None),
        (R, Answer(Outcome.WARNING, "elsewhere"), True, ("ProbeWarning", "Readiness probe warning: elsewhere")),
        (L, Answer(Outcome.FAILURE, "404"), False, ("Unhealthy", "Liveness probe failed: 404")),
        (S, Answer(Outcome.FAILURE, ""), False, ("Unhealthy", "Startup probe failed: ")),
        (
            R,
            Answer(Outcome.UNKNOWN, "no"),
            None,
            ("Unhealthy", "Readiness probe errored and resulted in unknown state: no"),
        ),
        (L, Answer(Outcome.UNKNOWN), None, None),
    ],
)
def test_an_answer_counts_and_is_told_as_by_a_kubelet(
    kind: ProbeKind, answer: Answer, *, success: bool | None, event: tuple[str, str] | None
) -> None:
    judged = judge(kind, answer, "spec.containers{app}")
    assert judged.success is success
    expected = event and EventNote("Warning", *event, field_path="spec.containers{app}")
    assert judged.event == expected


@pytest.mark.parametrize(("kind", "success"), [(R, False), (L, None), (S, None)])
def test_silence_costs_a_container_its_readiness_and_never_its_life(kind: ProbeKind, *, success: bool | None) -> None:
    silence = Answer(Outcome.FAILURE, "dial tcp 10.0.0.1:80: i/o timeout", unheard=True)
    judged = judge(kind, silence, "spec.containers{app}")
    assert judged.success is success
    assert judged.event is not None
    assert "i/o timeout" in judged.event.message
