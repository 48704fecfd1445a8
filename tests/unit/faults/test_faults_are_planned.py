import pytest

from tests.faults.director import Director
from tests.faults.faults import (
    Answered,
    Cut,
    Delayed,
    Disorder,
    Disturbed,
    Fault,
    Garbled,
    Killed,
    Silent,
    Throttled,
    Truncated,
)
from tests.faults.plan import NOMAD_REFUSALS, SHARES, calm, plan, seeded
from tests.faults.routes import Kind, Peer, Route

ROUTES = {
    (peer, kind): Route(peer, kind, name)
    for peer, names in {
        Peer.KUBERNETES: ("GET pods", "LIST pods", "PATCH pods/status", "WATCH pods"),
        Peer.NOMAD: ("GET /v1/job", "GET /v1/jobs", "PUT /v1/jobs", "GET /v1/event/stream"),
    }.items()
    for kind, name in zip(Kind, names, strict=True)
}
REGISTER = ROUTES[Peer.NOMAD, Kind.WRITE]


def of_many(route: Route) -> list[Fault]:
    faults = (plan(seed, route, number) for seed in range(20) for number in range(1, 101))
    return [fault for fault in faults if fault is not None]


def test_a_seed_replays_the_same_faults() -> None:
    for route in ROUTES.values():
        numbers = range(1, 200)
        assert [seeded(7)(route, number) for number in numbers] == [plan(7, route, number) for number in numbers]


def test_this_is_what_seed_1_does_to_the_first_registrations() -> None:
    """Whoever changes the plan changes what every seed that was ever reported means."""
    met = {number: fault for number in range(1, 13) if (fault := plan(1, REGISTER, number)) is not None}
    assert met == {1: Cut(after_effect=False), 8: Garbled(b"null")}


def test_the_fault_of_a_request_does_not_depend_on_other_routes() -> None:
    alone, among = Director(seeded(3)), Director(seeded(3))
    expected = [alone.next(REGISTER) for _ in range(50)]
    for route in ROUTES.values():
        among.next(route) if route != REGISTER else None
    assert [among.next(REGISTER) for _ in range(50)] == expected


@pytest.mark.parametrize("kind", list(Kind))
def test_as_many_requests_go_wrong_as_the_shares_say(kind: Kind) -> None:
    for peer in Peer:
        assert len(of_many(ROUTES[peer, kind])) / 20 == pytest.approx(SHARES[kind], abs=3)


@pytest.mark.parametrize("peer", list(Peer))
def test_every_kind_of_fault_happens_where_it_can(peer: Peer) -> None:
    happens = {kind: {type(fault) for fault in of_many(ROUTES[peer, kind])} for kind in Kind}
    read = {Delayed, Cut, Silent, Garbled, Truncated, Throttled, Answered}
    assert happens == {
        Kind.READ: read,
        Kind.LIST: read,
        Kind.WRITE: read - {Throttled},
        Kind.STREAM: {Delayed, Disturbed, Answered},
    }


def test_replies_are_lost_before_and_after_the_effect() -> None:
    for peer in Peer:
        faults = of_many(ROUTES[peer, Kind.WRITE])
        assert {(type(fault), fault.after_effect) for fault in faults if isinstance(fault, Cut | Silent)} == {
            (kind, after) for kind in (Cut, Silent) for after in ((True, False) if kind is Cut else (True,))
        }


def test_streams_suffer_every_disorder() -> None:
    for peer in Peer:
        faults = of_many(ROUTES[peer, Kind.STREAM])
        assert {fault.disorder for fault in faults if isinstance(fault, Disturbed)} == set(Disorder)


def test_both_sides_refuse_in_their_own_words_with_and_without_a_time_to_come_back() -> None:
    nomad = [fault for fault in of_many(REGISTER) if isinstance(fault, Answered)]
    assert {(fault.status, fault.body.decode()) for fault in nomad} == set(NOMAD_REFUSALS)
    assert {fault.retry_after for fault in nomad} == {"", "1"}
    codes = {
        kind: {fault.status for fault in of_many(ROUTES[Peer.KUBERNETES, kind]) if isinstance(fault, Answered)}
        for kind in Kind
    }
    assert (409 in codes[Kind.WRITE], 410 in codes[Kind.LIST], 410 in codes[Kind.STREAM]) == (True, True, True)


def test_nobody_is_killed_by_a_seed() -> None:
    assert not any(isinstance(fault, Killed) for route in ROUTES.values() for fault in of_many(route))


def test_the_director_counts_each_route_and_remembers_what_it_gave() -> None:
    cut = Cut(after_effect=True)
    director = Director(lambda _, number: cut if number == 2 else None)
    assert [director.next(REGISTER) for _ in range(3)] == [None, cut, None]
    assert (director.count(REGISTER.name), director.hits(REGISTER.name)) == (3, 1)
    assert director.given == [(REGISTER, 2, cut)]


def test_a_kill_of_an_earlier_plan_comes_too_late() -> None:
    killed: list[str] = []
    fault = Killed(after_effect=True)
    director = Director(lambda *_: fault, kill=lambda: killed.append("vnode"))
    director.next(REGISTER)
    director.carry_out(fault)
    assert killed == ["vnode"]
    director.begin(calm)
    director.carry_out(fault)
    assert killed == ["vnode"]


def test_calm_is_calm() -> None:
    assert Director(calm).next(REGISTER) is None
