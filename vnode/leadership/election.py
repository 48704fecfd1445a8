"""The judgement of the election: may we take the Lease, when, and what is written then.

The record is that of client-go's leaderelection (resourcelock/leaselock.go), so that `kubectl get lease` reads as it
does for every controller, and the rule is the same: nobody compares times of different machines. Who does not hold
the Lease measures, by a clock of his own, how long he has not seen it renewed.

In one point we are stricter. There, a Lease that is deleted, or that a restored etcd shows as it was long ago, is
free at once, though its holder may write until his own deadline. Here a rival counts from when he was seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from vnode.kube.leases import Lease, micro_time

#: Seconds. A holder that was not seen renewing for so long has lost the Lease…
DURATION = 15
#: … and has sent his last write so long after the last renewal that succeeded. In between, what is under way ends.
DEADLINE = 10.0
#: Between two renewals, and before another attempt after one that failed.
RENEWED_EVERY, RETRIED_AFTER = 3.0, 1.0


@dataclass(frozen=True, slots=True)
class Rival:
    """Another holder, when his latest renewal was seen (our monotonic seconds), and how long that one is good for."""

    holder: str
    version: int
    seen: float
    duration: float


def sighted(lease: Lease | None, identity: str, known: Rival | None, now: float) -> Rival | None:
    """The rival to reckon with after a look at the Lease; one that we know of stays until he releases it."""
    if lease is None or lease.holder in {"", identity}:
        return known
    if known is not None and (known.holder, known.version) == (lease.holder, lease.version):
        return known
    return Rival(lease.holder, lease.version, now, lease.duration or DURATION)


def patience(lease: Lease | None, rival: Rival | None, now: float) -> float:
    """Seconds before we may try to take the Lease; 0 at once."""
    if rival is None or (lease is not None and _is_released(lease, rival)):
        return 0.0
    return max(0.0, rival.seen + rival.duration - now)


def claim(lease: Lease | None, identity: str, now: datetime) -> Lease:
    """The Lease with us as its holder; one that is ours already keeps since when, and the count of transitions."""
    before = lease or Lease({}, {})
    if before.holder == identity:
        return before.renewed(now, leaseDurationSeconds=DURATION)
    transitions = before.spec.get("leaseTransitions", 0) + (lease is not None)
    return _with(
        before,
        now,
        holderIdentity=identity,
        leaseDurationSeconds=DURATION,
        acquireTime=micro_time(now),
        leaseTransitions=transitions,
    )


def release(lease: Lease, now: datetime) -> Lease:
    """The Lease for whoever comes first."""
    spec = {key: value for key, value in lease.spec.items() if key != "holderIdentity"}
    return replace(lease, spec={**spec, "leaseDurationSeconds": 1, "renewTime": micro_time(now)})


def _is_released(lease: Lease, rival: Rival) -> bool:
    """A version from before the rival's last renewal tells of an etcd that was restored, not of a release."""
    return not lease.holder and lease.version > rival.version


def _with(lease: Lease, now: datetime, **spec: Any) -> Lease:
    kept: Mapping[str, Any] = lease.spec
    return replace(lease, spec={**kept, **spec, "renewTime": micro_time(now)})
