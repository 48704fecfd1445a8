"""Which fault a request meets: a pure function of seed, route and the request's number on that route.

Numbers count for each route alone, so that the order in which concurrent requests of different routes arrive, which no
seed decides, changes nothing for any of them.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from tests.faults.faults import (
    Answered,
    Cut,
    Delayed,
    Disorder,
    Disturbed,
    Fault,
    Garbled,
    Silent,
    Throttled,
    Truncated,
)
from tests.faults.routes import Kind, Peer, Route

Plan = Callable[[Route, int], Fault | None]

#: How many of a hundred requests of a kind go wrong.
SHARES = {Kind.READ: 20, Kind.LIST: 25, Kind.WRITE: 25, Kind.STREAM: 60}
#: Half-open connections of a test end sooner than vnode's own patience, which unit tests look at.
_SILENCE = (0.5, 3.0)
NONSENSE = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b"<html>Bad Gateway</html>",
    b'{"kind":"Status"',
    b"\x00\xff\xfe",
    b'"ok"',
    b"7",
)


def calm(_route: Route, _number: int) -> None:
    """Nothing goes wrong."""


def seeded(seed: int) -> Plan:
    """The plan of a seed."""
    return partial(plan, seed)


def plan(seed: int, route: Route, number: int) -> Fault | None:
    """The fault that the `number`-th request of a route meets, None for most."""
    dice = Random(f"{seed} {route.peer} {route.name} {number}")
    if dice.randrange(100) >= SHARES[route.kind]:
        return None
    return dice.choice(_menu(route))(dice)


_Dish = Callable[[Random], Fault]


def _menu(route: Route) -> Sequence[_Dish]:
    refused = _refused_by_kubernetes if route.peer is Peer.KUBERNETES else _refused_by_nomad
    match route.kind:
        case Kind.READ | Kind.LIST:
            return (_delayed, _cut_before, _silent_before, _garbled, _truncated, _throttled, partial(refused, route))
        case Kind.WRITE:
            lost = (_cut_after, _silent_after, _garbled, _truncated)
            return (_delayed, _cut_before, *lost, partial(refused, route), partial(refused, route))
        case Kind.STREAM:
            return (_delayed, _disturbed, _disturbed, _disturbed, _disturbed, partial(refused, route))


def _delayed(dice: Random) -> Fault:
    return Delayed(dice.uniform(0.05, 1.0))


def _cut_before(_: Random) -> Fault:
    return Cut(after_effect=False)


def _cut_after(_: Random) -> Fault:
    return Cut(after_effect=True)


def _silent_before(dice: Random) -> Fault:
    return Silent(dice.uniform(*_SILENCE), after_effect=False)


def _silent_after(dice: Random) -> Fault:
    return Silent(dice.uniform(*_SILENCE), after_effect=True)


def _garbled(dice: Random) -> Fault:
    return Garbled(dice.choice(NONSENSE))


def _truncated(dice: Random) -> Fault:
    return Truncated(dice.random())


def _throttled(dice: Random) -> Fault:
    return Throttled(dice.choice((2_000, 20_000, 200_000)))


def _disturbed(dice: Random) -> Fault:
    return Disturbed(dice.choice(tuple(Disorder)), dice.randint(1, 12), dice.uniform(*_SILENCE))


def _refused_by_kubernetes(route: Route, dice: Random) -> Fault:
    codes = {
        Kind.WRITE: (409, 429, 500, 503, 504),
        Kind.READ: (429, 500, 503, 504),
        Kind.LIST: (410, 429, 500, 503, 504),
        Kind.STREAM: (410, 429, 500, 503),
    }
    return kubernetes_refusal(dice.choice(codes[route.kind]), dice.choice(("", "1")))


def _refused_by_nomad(_: Route, dice: Random) -> Fault:
    return nomad_refusal(*dice.choice(NOMAD_REFUSALS), dice.choice(("", "1")))


#: As Nomad 1.11.3 says them (nomad/structs/errors.go, command/agent/http.go), and a gateway's.
NOMAD_REFUSALS = (
    (500, "No cluster leader"),
    (500, "Not ready to serve consistent reads"),
    (500, "rpc error: rpc error: failed to get conn: dial tcp 127.0.0.1:4647: connect: connection refused"),
    (500, "raft is already shutdown"),
    (429, ""),
    (502, "<html>Bad Gateway</html>"),
    (504, ""),
)
_REASONS = {
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def kubernetes_refusal(code: int, retry_after: str = "") -> Answered:
    """The API server refuses in its words."""
    status = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "injected",
        "reason": _REASONS[code],
        "code": code,
    }
    return Answered(code, json.dumps(status).encode(), retry_after)


def nomad_refusal(status: int, text: str, retry_after: str = "") -> Answered:
    """Nomad refuses in its words."""
    return Answered(status, text.encode(), retry_after)
