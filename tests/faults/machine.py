"""What befalls the machines of vnode, of Nomad's server and of the control plane: a pure function of seed and step."""

from dataclasses import dataclass
from random import Random

_KILLED, _STALLED, _SET, _AWAY = 0.04, 0.02, 0.04, 0.015
#: Longer than the Lease of an election, shorter than what the Lease of a Node bears.
_STALLS = (1, 3, 9, 18)
_OUTAGES = (0, 5, 10)
#: Seconds by which the clock is wrong from then on.
_CLOCKS = (-3000, -60, 0, 60, 3600)
_API_AWAY, _ETCD_AWAY = 0.015, 0.01
_FORGETS = 0.01
_STRANDED = (0, 5, 10)


@dataclass(frozen=True, slots=True)
class Kill:
    """The process dies, and is started again at once."""


@dataclass(frozen=True, slots=True)
class Stall:
    """The process stands still for some seconds."""

    seconds: int


@dataclass(frozen=True, slots=True)
class SetClock:
    """The time of day is wrong by so many seconds from now on."""

    seconds: int


@dataclass(frozen=True, slots=True)
class ServerDies:
    """Nomad's server dies, and is started again after some seconds."""

    seconds: int


@dataclass(frozen=True, slots=True)
class ApiServerDies:
    """The Kubernetes API server dies, and is started again after some seconds."""

    seconds: int


@dataclass(frozen=True, slots=True)
class EtcdDies:
    """What the API server keeps everything in dies, and is started again, with its data, after some seconds."""

    seconds: int


@dataclass(frozen=True, slots=True)
class NomadForgets:
    """Nomad's server comes back without its data, and its clients, whom it does not know, are started anew later."""

    seconds: int


Blow = Kill | Stall | SetClock | ServerDies | ApiServerDies | EtcdDies | NomadForgets


def blows(seed: int, step: int, *, losses: bool) -> tuple[Blow, ...]:
    """What happens at one step; each machine has dice of its own. Without `losses` nobody loses data."""
    lost = _to_the_data(seed, step) if losses else ()
    return (*lost, *_to_the_control_plane(seed, step), *_to_vnode_and_nomad(seed, step))


def _to_the_data(seed: int, step: int) -> tuple[Blow, ...]:
    dice = Random(f"{seed} data {step}")
    return (NomadForgets(dice.choice(_STRANDED)),) if dice.random() < _FORGETS else ()


def _to_the_control_plane(seed: int, step: int) -> tuple[Blow, ...]:
    dice = Random(f"{seed} control plane {step}")
    api_server, etcd = (dice.random() < share for share in (_API_AWAY, _ETCD_AWAY))
    return (
        *((ApiServerDies(dice.choice(_OUTAGES)),) if api_server else ()),
        *((EtcdDies(dice.choice(_OUTAGES)),) if etcd else ()),
    )


def _to_vnode_and_nomad(seed: int, step: int) -> tuple[Blow, ...]:
    dice = Random(f"{seed} machine {step}")
    killed, stalled, is_set, away = (dice.random() < share for share in (_KILLED, _STALLED, _SET, _AWAY))
    return (
        *((ServerDies(dice.choice(_OUTAGES)),) if away else ()),
        *((SetClock(dice.choice(_CLOCKS)),) if is_set else ()),
        *((Stall(dice.choice(_STALLS)),) if stalled else ()),
        *((Kill(),) if killed else ()),
    )
