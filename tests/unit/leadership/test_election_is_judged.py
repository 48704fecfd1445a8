"""Who may take the Lease, and when: the table of the election."""

from datetime import UTC, datetime
from typing import Any

import pytest

from vnode.kube.leases import Lease
from vnode.leadership.election import DEADLINE, DURATION, Rival, claim, patience, release, sighted

WE, THEY = "vnode-1_a", "vnode-2_b"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEXT = "2026-01-01T12:00:00.000000Z"


def lease(holder: str | None, version: int = 7, **spec: Any) -> Lease:
    return Lease({"resourceVersion": str(version)}, {"holderIdentity": holder, **spec})


def rival(seen: float = 100.0, version: int = 7) -> Rival:
    return Rival(THEY, version, seen, DURATION)


@pytest.mark.parametrize(
    ("found", "known", "seconds"),
    [
        pytest.param(None, None, 0, id="there is none, and never was: take it"),
        pytest.param(lease(""), None, 0, id="nobody holds it"),
        pytest.param(lease(None), None, 0, id="nobody holds it, as client-go writes that"),
        pytest.param(lease(WE), None, 0, id="ours, from before a restart under the same name"),
        pytest.param(lease(THEY), rival(seen=100), 5, id="seen renewed 10 s ago: 5 s are left of 15"),
        pytest.param(lease(THEY), rival(seen=95), 0, id="not seen renewed for 15 s"),
        pytest.param(lease("", version=8), rival(), 0, id="released by the rival: at once"),
        pytest.param(None, rival(seen=100), 5, id="deleted by hand: the rival may still write"),
        pytest.param(lease("", version=6), rival(), 5, id="an older version, of a restored etcd, is no release"),
        pytest.param(lease(WE, version=6), rival(), 5, id="an older version that names us is not our turn"),
    ],
)
def test_the_wait_before_the_lease_may_be_taken(found: Lease | None, known: Rival | None, seconds: float) -> None:
    assert patience(found, known, now=110.0) == seconds


@pytest.mark.parametrize(
    ("found", "known", "expected"),
    [
        pytest.param(lease(THEY), None, Rival(THEY, 7, 110.0, DURATION), id="somebody else holds it"),
        pytest.param(lease(THEY), rival(), rival(), id="the same version: his time runs on"),
        pytest.param(lease(THEY, version=8), rival(), Rival(THEY, 8, 110.0, DURATION), id="renewed: from now on"),
        pytest.param(lease(THEY, leaseDurationSeconds=60), None, Rival(THEY, 7, 110.0, 60), id="his promise counts"),
        pytest.param(lease(WE), rival(), rival(), id="ours: he is remembered until his time is over"),
        pytest.param(None, rival(), rival(), id="gone: he is remembered"),
        pytest.param(lease(""), None, None, id="nobody's"),
    ],
)
def test_a_rival_counts_from_when_he_was_seen(found: Lease | None, known: Rival | None, expected: Rival | None) -> None:
    assert sighted(found, WE, known, now=110.0) == expected


def test_the_first_lease_reads_as_a_controllers() -> None:
    assert claim(None, WE, NOON).spec == {
        "holderIdentity": WE,
        "leaseDurationSeconds": 15,
        "acquireTime": TEXT,
        "renewTime": TEXT,
        "leaseTransitions": 0,
    }


def test_taking_it_counts_a_transition_and_starts_a_term() -> None:
    taken = claim(lease(THEY, acquireTime="long ago", leaseTransitions=4), WE, NOON)
    assert (taken.holder, taken.spec["acquireTime"], taken.spec["leaseTransitions"]) == (WE, TEXT, 5)
    assert taken.version == 7


def test_renewing_keeps_the_term() -> None:
    renewed = claim(lease(WE, acquireTime="long ago", leaseTransitions=4), WE, NOON)
    assert (renewed.spec["acquireTime"], renewed.spec["leaseTransitions"]) == ("long ago", 4)
    assert renewed.spec["renewTime"] == TEXT


def test_a_released_lease_has_no_holder_and_keeps_the_count() -> None:
    released = release(lease(WE, leaseTransitions=4, leaseDurationSeconds=15), NOON)
    assert released.holder == ""
    assert "holderIdentity" not in released.spec
    assert (released.spec["leaseTransitions"], released.spec["leaseDurationSeconds"]) == (4, 1)


def test_writes_end_before_the_lease_can_be_taken() -> None:
    assert DEADLINE < DURATION
