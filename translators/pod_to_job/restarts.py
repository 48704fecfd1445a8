"""How a Pod's restartPolicy becomes Nomad's restart policy and job type.

Verified on Nomad 1.11: a service task restarts on every exit, a batch task on failures; mode `delay` with an
interval as long as the delay restarts for ever; a task that failed for good kills its siblings, so a container of
a `Never` Pod that has siblings is parked instead: its one restart lies further away than any Pod lives.

No policy has the templates of a task rendered anew before a restart: that would need Nomad's servers, and a client
that does not reach them for five minutes kills the whole allocation for it.
"""

from translators.errors import Finding, Refused
from translators.policy import DOCKER
from translators.records.jobs import SECOND, Disconnect, RestartPolicy, TaskLifecycle, UpdateStrategy
from translators.records.pods import Container, PodSpec

SERVICE = "service"
BATCH = "batch"

ALWAYS = "Always"
ON_FAILURE = "OnFailure"
NEVER = "Never"

#: Ten years, the time that stands for never; Nomad adds a quarter as jitter and must not overflow.
FOREVER = 10 * 365 * 86_400 * SECOND

#: Nomad takes 0 for its default of 5 s.
AT_ONCE = 1

_BACKOFF = 10 * SECOND
_CLIENT_CAP = 30
_LONGEST_GRACE = FOREVER // SECOND

_ENDLESS = RestartPolicy(attempts=1, interval=_BACKOFF, delay=_BACKOFF, mode="delay")
_NOT_AGAIN = RestartPolicy(attempts=0, interval=86_400 * SECOND, delay=SECOND, mode="fail")
_PARKED = RestartPolicy(attempts=1, interval=FOREVER, delay=FOREVER, mode="fail")

#: A client out of touch keeps its running allocations, and Nomad starts no other in their place.
DISCONNECT = Disconnect(lost_after=FOREVER, replace=False, reconcile="keep_original")


def job_type(spec: PodSpec) -> str:
    """Whether the Pod ends (batch) or not (service)."""
    return SERVICE if spec.restart_policy == ALWAYS else BATCH


def restart_policy(spec: PodSpec) -> RestartPolicy:
    """The restart policy of every task of the Pod.

    Raises:
        Refused: for a policy that Kubernetes does not have.
    """
    if spec.restart_policy in {ALWAYS, ON_FAILURE}:
        return _ENDLESS
    if spec.restart_policy == NEVER:
        return _NOT_AGAIN if len(spec.containers) == 1 else _PARKED
    message = f"{spec.restart_policy!r} is not one of Always, OnFailure and Never"
    raise Refused(Finding("InvalidField", "spec.restartPolicy", message))


def restart_policy_of(container: Container, spec: PodSpec) -> RestartPolicy | None:
    """The restart policy of one task, where it is not that of all.

    An init container that may not run again ends its Pod when it fails; a sidecar runs again whatever it ended with.
    """
    if all(container is not each for each in spec.init_containers):
        return None
    return _NOT_AGAIN if spec.restart_policy == NEVER and not container.is_sidecar else _ENDLESS


def lifecycle(container: Container, spec: PodSpec) -> TaskLifecycle | None:
    """When a container runs, unless it is one of the main ones.

    A client starts these when an init container has ended well, or a sidecar runs (client/allocrunner/tasklifecycle),
    and stops sidecars when they have ended.
    """
    if all(container is not each for each in spec.init_containers):
        return None
    return TaskLifecycle(hook="prestart", sidecar=container.is_sidecar)


def update(spec: PodSpec) -> UpdateStrategy | None:
    """No deployments: a service job that says nothing gets one, a batch job may not even say so."""
    return UpdateStrategy(max_parallel=0) if spec.restart_policy == ALWAYS else None


def kill_timeout(spec: PodSpec) -> int:
    """The Pod's grace period, ns.

    Raises:
        Refused: for a negative one, or one that no clock can count.
    """
    seconds = spec.termination_grace_period_seconds
    if not 0 <= seconds <= _LONGEST_GRACE:
        message = f"{seconds} s is outside 0 to {_LONGEST_GRACE} s"
        raise Refused(Finding("InvalidField", "spec.terminationGracePeriodSeconds", message))
    return seconds * SECOND or AT_ONCE


def kill_signal(driver: str) -> str:
    """What asks a container to end: what its image says, else SIGTERM; for other drivers Nomad's own is SIGINT.

    Source: nomad drivers/docker/handle.go Kill, which leaves it to the engine where none is named.
    """
    return "" if driver == DOCKER else "SIGTERM"


def warnings(spec: PodSpec) -> tuple[Finding, ...]:
    """A grace period that a client with default settings cuts short."""
    if spec.termination_grace_period_seconds <= _CLIENT_CAP:
        return ()
    message = (
        f"Nomad clients cap it at their setting max_kill_timeout, {_CLIENT_CAP} s unless raised; "
        "check the clients of this Node"
    )
    return (Finding("GracePeriodMayBeCapped", "spec.terminationGracePeriodSeconds", message),)
