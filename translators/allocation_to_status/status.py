"""The status that the API should hold for a Pod."""

from dataclasses import replace
from datetime import datetime

from translators.allocation_to_status import addresses, conditions
from translators.allocation_to_status.containers import ephemeral_container_statuses
from translators.allocation_to_status.facts import Facts
from translators.allocation_to_status.judgement import Judgement, judge
from translators.allocation_to_status.situation import TERMINAL_PHASES
from translators.errors import Finding
from translators.records.pods import HostIp, Pod, PodIp, PodStatus


def pod_status(pod: Pod, facts: Facts, now: datetime) -> PodStatus:
    """Say what the API should hold.

    It starts from what the API holds, which also is the memory for what Nomad forgets: the phase never
    moves back, an end stays an end, restarts never become fewer. Nothing is made up.
    """
    return status_of(judge(pod, facts), now)


def final_status(pod: Pod, facts: Facts, now: datetime) -> PodStatus:
    """Say how a Pod ended of which nothing runs any more, and nothing will.

    For the end of a deletion, and for a Pod that never restarts and whose job is gone: containers of which
    nobody saw the end are `ContainerStatusUnknown`, 137.
    """
    return status_of(judge(pod, facts, ends=True), now)


def failed_status(pod: Pod, finding: Finding, now: datetime) -> PodStatus:
    """Say that a Pod can never run here, as a kubelet does that does not admit it."""
    held = pod.status
    if held.phase in TERMINAL_PHASES:
        return held
    not_ready = [
        conditions.Statement(name, "False", "PodFailed")
        for name in ("PodReadyToStartContainers", "ContainersReady", "Ready")
    ]
    not_ready[0] = conditions.Statement("PodReadyToStartContainers", "False")
    return PodStatus(
        phase="Failed",
        reason=finding.reason,
        message=f"Pod was rejected: {finding}",
        conditions=conditions.merge(
            pod,
            [conditions.Statement("PodScheduled", "True"), *_initialized(pod), *not_ready],
            now.replace(microsecond=0),
        ),
        host_ip=held.host_ip,
        host_ips=held.host_ips,
        pod_ip=held.pod_ip,
        pod_ips=held.pod_ips,
        start_time=held.start_time or now.replace(microsecond=0),
        container_statuses=held.container_statuses,
        init_container_statuses=held.init_container_statuses,
        ephemeral_container_statuses=held.ephemeral_container_statuses,
        observed_generation=_observed_generation(pod),
        qos_class=held.qos_class,
    )


def stranded_status(pod: Pod, client: str, now: datetime) -> PodStatus:
    """Say what is known of a Pod whose job and whose client are both unknown to Nomad: that it may run on there."""
    held = pod.status
    if held.phase in TERMINAL_PHASES:
        return held
    message = f"Nomad knows neither the job of this Pod nor its client {client} any more; it may go on running there"
    kept = [
        conditions.Statement(each.type, each.status, each.reason, each.message)
        for each in held.conditions
        if each.type in conditions.OWN - {"ContainersReady", "Ready"}
    ]
    lost = [conditions.Statement(name, "False", conditions.NODE_LOST, message) for name in ("ContainersReady", "Ready")]
    return replace(
        held,
        conditions=conditions.merge(pod, [*kept, *lost], now.replace(microsecond=0)),
        container_statuses=tuple(replace(each, ready=False) for each in held.container_statuses),
        observed_generation=_observed_generation(pod),
    )


def _initialized(pod: Pod) -> list[conditions.Statement]:
    return [
        conditions.Statement(each.type, each.status, each.reason, each.message)
        for each in pod.status.conditions
        if each.type == "Initialized"
    ]


def status_of(judgement: Judgement, now: datetime) -> PodStatus:
    """As `pod_status` or `final_status`, for a Pod that was judged already."""
    situation = judgement.situation
    pod = situation.pod
    if _is_settled(pod):
        return pod.status
    held = pod.status
    host = addresses.host_ip(pod, situation.facts)
    address = addresses.pod_ip(pod, situation.facts, situation.current, host)
    reason, message = _cause(judgement)
    moment = now.replace(microsecond=0)
    status = PodStatus(
        phase=judgement.phase,
        reason=reason,
        message=message,
        conditions=conditions.conditions(
            situation,
            judgement.phase,
            judgement.containers,
            judgement.init_containers,
            judgement.unplaced,
            moment,
            never_began=judgement.never_began,
        ),
        host_ip=host,
        host_ips=(held.host_ips if host == held.host_ip and held.host_ips else _host_ips(host)),
        pod_ip=address,
        pod_ips=(held.pod_ips if address == held.pod_ip and held.pod_ips else _pod_ips(address)),
        start_time=held.start_time or moment,
        container_statuses=judgement.containers,
        init_container_statuses=judgement.init_containers,
        ephemeral_container_statuses=ephemeral_container_statuses(pod),
        observed_generation=_observed_generation(pod),
        qos_class=held.qos_class,
    )
    disrupted = judgement.ending is not None and judgement.ending.is_disruption and held.phase not in TERMINAL_PHASES
    return conditions.disruption(pod, status, reason, message, moment) if disrupted else status


def _cause(judgement: Judgement) -> tuple[str, str]:
    """Reason and message of the Pod as a whole: only an end from outside has any."""
    held = judgement.situation.pod.status
    if held.phase in TERMINAL_PHASES:
        return held.reason, held.message
    if judgement.ending is not None:
        return judgement.ending.reason, judgement.ending.message
    return "", ""


def _is_settled(pod: Pod) -> bool:
    """Whether the Pod is at its end and nothing is left to say: foreign hands may end it while it runs."""
    return pod.status.phase in TERMINAL_PHASES and not any(
        status.state.running is not None for status in pod.status.container_statuses
    )


def _observed_generation(pod: Pod) -> int | None:
    """Only servers that number a Pod's generations keep the answer."""
    return pod.metadata.generation or pod.status.observed_generation


def _host_ips(address: str) -> tuple[HostIp, ...]:
    return (HostIp(ip=address),) if address else ()


def _pod_ips(address: str) -> tuple[PodIp, ...]:
    return (PodIp(ip=address),) if address else ()
