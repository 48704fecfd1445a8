"""The table of a kubelet's worker: pkg/kubelet/prober/worker.go doProbe."""

import math

import pytest

from translators.health import Health
from translators.records.probes import Probe, ProbeKind, TcpSocketAction
from vnode.probes.trial import Trial, begun, resumed

L, R, S = ProbeKind.LIVENESS, ProbeKind.READINESS, ProbeKind.STARTUP
RUN = "nomad://a1/app/0"


def probe(success: int = 1, failure: int = 3, delay: int = 0) -> Probe:
    return Probe(
        tcp_socket=TcpSocketAction(port=80),
        success_threshold=success,
        failure_threshold=failure,
        initial_delay_seconds=delay,
    )


def trial(**probes: Probe) -> Trial:
    return begun(RUN, {ProbeKind(name.capitalize()): each for name, each in probes.items()}, now=100.0)


def answered(subject: Trial, kind: ProbeKind, answers: str) -> Trial:
    """One answer a letter: y(es), n(o), ? for one that tells nothing."""
    for letter in answers:
        subject = subject.after(kind, success={"y": True, "n": False, "?": None}[letter])
    return subject


@pytest.mark.parametrize(
    ("success", "failure", "answers", "ready"),
    [
        (1, 3, "", False),
        (1, 3, "y", True),
        (2, 3, "y", False),
        (2, 3, "yy", True),
        (2, 3, "yny", False),
        (1, 3, "ynn", True),
        (1, 3, "ynnn", False),
        (1, 3, "ynnynn", True),
        (1, 1, "yn", False),
        (1, 3, "ynn?n", False),
        (1, 3, "y???", True),
        (1, 2, "ynny", True),
    ],
)
def test_readiness_changes_at_its_thresholds(success: int, failure: int, answers: str, *, ready: bool) -> None:
    subject = answered(trial(readiness=probe(success, failure)), R, answers)
    assert subject.health == Health(run=RUN, started=True, ready=ready)


@pytest.mark.parametrize(
    ("answers", "failed"), [("", None), ("nn", None), ("nny", None), ("nnn", L), ("n?nn", L), ("?????", None)]
)
def test_liveness_fails_at_its_threshold_and_is_asked_no_more(answers: str, failed: ProbeKind | None) -> None:
    subject = answered(trial(liveness=probe()), L, answers)
    assert subject.health.failed is failed
    assert subject.health.ready
    assert subject.wants(L, leaving=False) is (failed is None)


@pytest.mark.parametrize(
    ("answers", "started", "failed"), [("", False, None), ("nny", True, None), ("nnn", False, S), ("??", False, None)]
)
def test_the_startup_probe_decides_once(answers: str, *, started: bool, failed: ProbeKind | None) -> None:
    subject = answered(trial(startup=probe()), S, answers)
    assert subject.health == Health(run=RUN, started=started, ready=started, failed=failed)
    assert subject.wants(S, leaving=False) is (not started and failed is None)


def test_the_others_wait_for_the_startup_probe() -> None:
    subject = trial(startup=probe(), readiness=probe(), liveness=probe())
    assert [subject.wants(kind, leaving=False) for kind in (S, R, L)] == [True, False, False]
    subject = answered(subject, S, "y")
    assert [subject.wants(kind, leaving=False) for kind in (S, R, L)] == [False, True, True]
    assert not subject.health.ready


def test_a_pod_that_leaves_is_asked_for_its_readiness_only() -> None:
    subject = trial(readiness=probe(), liveness=probe())
    assert [subject.wants(kind, leaving=True) for kind in (S, R, L)] == [False, True, False]
    assert not trial(startup=probe()).wants(S, leaving=True)


def test_a_probe_that_is_not_there_is_not_asked() -> None:
    assert not trial(readiness=probe()).wants(L, leaving=False)


def test_the_initial_delay_counts_from_the_beginning_of_the_run() -> None:
    assert trial(readiness=probe(delay=7)).earliest(R) == 107.0


@pytest.mark.parametrize("known", [(True, True), (True, False), (False, False)])
def test_what_was_known_before_holds_until_it_changes(known: tuple[bool, bool]) -> None:
    held = Health(run=RUN, started=known[0], ready=known[1])
    subject = resumed(RUN, {R: probe(), L: probe(), S: probe()}, held, began=-math.inf)
    assert subject.health == held
    assert subject.wants(S, leaving=False) is not held.started


@pytest.mark.parametrize("kind", [L, S])
def test_a_failure_that_was_known_before_is_still_one(kind: ProbeKind) -> None:
    held = Health(run=RUN, started=kind is L, ready=False, failed=kind)
    subject = resumed(RUN, {R: probe(), L: probe(), S: probe()}, held, began=0.0)
    assert subject.health == held
    assert not subject.wants(kind, leaving=False)
