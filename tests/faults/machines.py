"""Lets blows of a plan fall upon the processes of a bed, and sets right again what was long enough away."""

import math
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.processes import Child
from tests.faults.clock import ShiftedClock
from tests.faults.forked import ForkedVnode
from tests.faults.machine import ApiServerDies, Blow, EtcdDies, Kill, NomadForgets, ServerDies, SetClock, Stall

_READY_SECONDS = 90.0


class Machines:
    """What stands still or is away now, and until when, monotonic seconds.

    `token` is the file of vnode's token for Nomad. `forgotten` is called when Nomad has lost its data, with
    whether vnode could know by then what there was.
    """

    def __init__(
        self, bed: Bed, vnode: ForkedVnode, clock: ShiftedClock, token: Path, forgotten: Callable[[bool], None]
    ) -> None:
        """All is well."""
        self._vnode = vnode
        self._clock = clock
        self._nomad = bed.nomad
        self._control_plane = bed.control_plane
        self._token = token
        self._forgotten = forgotten
        self._stalled_until = 0.0
        self._away_until: dict[Child, float] = {}
        self._stranded_until = math.nan
        #: Since when the API server may be asked whether it is ready; None while it is known to be.
        self._api_back_at: float | None = None

    def take_orders(self) -> bool:
        """Whether the API server can be asked for anything, after an outage of it or of etcd."""
        if self._api_back_at is None:
            return True
        waited = time.monotonic() - self._api_back_at
        if waited < 0:
            return False
        self._control_plane.apiserver.must_live()
        if self._control_plane.is_ready():
            self._api_back_at = None
        elif waited > _READY_SECONDS:
            raise BedError(f"the API server is not ready {waited:.0f} s after its outage")
        return self._api_back_at is None

    def suffer(self, blow: Blow) -> None:
        """Let it happen."""
        match blow:
            case SetClock(seconds):
                self._clock.set(seconds)
            case Stall(seconds):
                self._vnode.pause()
                self._stalled_until = time.monotonic() + seconds
            case Kill():
                self._vnode.kill()
                self._vnode.start()
            case ServerDies(seconds):
                self._end(self._nomad.server, seconds)
            case NomadForgets(seconds):
                self._forget()
                self._stranded_until = time.monotonic() + seconds
            case ApiServerDies(seconds):
                self._end(self._control_plane.apiserver, seconds)
                self._api_back_at = math.inf
            case EtcdDies(seconds):
                self._end(self._control_plane.etcd, seconds)
                self._api_back_at = math.inf

    def recover(self, now: float = math.inf) -> None:
        """Let go on, and start again, whatever was long enough away; by default everything, and wait for it."""
        if 0 < self._stalled_until <= now:
            self._vnode.resume()
            self._stalled_until = 0.0
        self._start_if_due(self._nomad.server, now)
        etcd, api_server = self._control_plane.etcd, self._control_plane.apiserver
        self._start_if_due(etcd, now)
        # An API server that is started without etcd gives up.
        if etcd not in self._away_until:
            self._start_if_due(api_server, now)
        if self._api_back_at == math.inf and not self._away_until.keys() & {etcd, api_server}:
            self._api_back_at = time.monotonic()
        if self._stranded_until <= now:
            self._start_clients_anew()
        if now == math.inf:
            self._nomad.wait_leader()
            for client in self._nomad.clients.values():
                client.wait_ready()
            self._control_plane.wait_ready()

    def _forget(self) -> None:
        self._away_until.pop(self._nomad.server, None)
        known = self._vnode.has_seen_nomad and not self._stalled_until
        self._nomad.lose_data()
        self._token.write_text(self._nomad.vnode_token or "")
        self._forgotten(known)

    def _start_clients_anew(self) -> None:
        """Agents that run on never register again, see tests/e2e/test_lost_data.py."""
        for client in self._nomad.clients.values():
            client.kill()
            client.start()
        self._stranded_until = math.nan

    def _end(self, child: Child, seconds: int) -> None:
        child.kill()
        self._away_until[child] = time.monotonic() + seconds

    def _start_if_due(self, child: Child, now: float) -> None:
        if child in self._away_until and self._away_until[child] <= now:
            child.start()
            del self._away_until[child]
