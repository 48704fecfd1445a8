"""How long a Pod bears a lost machine, as the taint controller reads its tolerations."""

from collections.abc import Iterable
from datetime import timedelta
from math import inf

from translators.records.pods import Pod, Toleration

UNREACHABLE = "node.kubernetes.io/unreachable"
NOT_READY = "node.kubernetes.io/not-ready"

_NO_EXECUTE = "NoExecute"
_DEFAULT = timedelta(seconds=300)


def bears_a_lost_client(pod: Pod) -> timedelta | None:
    """How long the Pod is left where it was when its client is lost; None is for ever.

    A client is to its Pods what a machine is to those of a real Node, so their own toleration of `unreachable` counts.
    Our RuntimeClasses tolerate that for ever, for it is what Kubernetes says of the whole virtual Node when vnode is
    away: then the toleration of `not-ready` counts. Without either it is the time that admission would have set.
    """
    found = [_seconds(pod.spec.tolerations, key) for key in (UNREACHABLE, NOT_READY)]
    limited = [seconds for seconds in found if seconds is not None and seconds < inf]
    if limited:
        return timedelta(seconds=limited[0])
    return None if found == [inf, inf] else _DEFAULT


def _seconds(tolerations: Iterable[Toleration], taint: str) -> float | None:
    """The least seconds of all that match a taint, infinite for ever, or None where none matches.

    Source: kubernetes pkg/controller/tainteviction getMinTolerationTime.
    """
    matching = [toleration for toleration in tolerations if _matches(toleration, taint)]
    limited = [max(0, each.toleration_seconds) for each in matching if each.toleration_seconds is not None]
    if limited:
        return min(limited)
    return inf if matching else None


def _matches(toleration: Toleration, taint: str) -> bool:
    if toleration.effect not in {"", _NO_EXECUTE}:
        return False
    if toleration.operator == "Exists":
        return toleration.key in {"", taint}
    return toleration.key == taint and not toleration.value
