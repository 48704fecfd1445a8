from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.unit.pods.observations import NOW, RUNNING, UID, allocation, circumstances, job, observation, started
from translators.allocation_to_status import Facts, pod_status
from translators.health import Health
from translators.records.allocations import AllocationId
from translators.records.pods import Pod, PodStatus
from translators.records.probes import ProbeKind
from translators.support import decode_pod
from vnode.pods.actions import Action, Decision, Note, Remember, Signal
from vnode.pods.decide import decide
from vnode.view.observation import Memory, Observation

RUN = "nomad://a1/app/0"
TCP = {"tcpSocket": {"port": 80}}


def pod(*, policy: str = "Always", grace: int = 30, **probes: dict[str, Any]) -> Pod:
    container = {"name": "app", "image": "nomad.local/binary", "command": ["/bin/true"]}
    spec = {
        "nodeName": "nomad",
        "restartPolicy": policy,
        "terminationGracePeriodSeconds": grace,
        "containers": [{**container, **{f"{kind}Probe": fields for kind, fields in probes.items()}}],
    }
    metadata = {"name": "web-1", "namespace": "shop", "uid": UID, "resourceVersion": "5", "generation": 1}
    return decode_pod({"metadata": metadata, "spec": spec, "status": RUNNING})


def seen(
    of: Pod, health: Health, *, ending: dict[str, datetime | None] | None = None, restarts: int = 0
) -> Observation:
    return observation(
        of,
        job=job(of),
        allocations=(allocation("running", events=(started(),), restarts=restarts),),
        health={"app": health},
        memory=Memory(ending=ending or {}),
    )


def decided(subject: Observation) -> Decision:
    return decide(subject, circumstances(), NOW)


def of_kind(decision: Decision, kind: type[Action]) -> list[Action]:
    return [action for action in decision.actions if isinstance(action, kind)]


def failed(kind: ProbeKind = ProbeKind.LIVENESS) -> Health:
    return Health(run=RUN, started=kind is ProbeKind.LIVENESS, ready=False, failed=kind)


@pytest.mark.parametrize(
    ("policy", "kind", "message"),
    [
        ("Always", ProbeKind.LIVENESS, "Container app failed liveness probe, will be restarted"),
        ("OnFailure", ProbeKind.STARTUP, "Container app failed startup probe, will be restarted"),
        ("Never", ProbeKind.LIVENESS, "Stopping container app"),
    ],
)
def test_it_is_asked_to_end_and_that_is_told(policy: str, kind: ProbeKind, message: str) -> None:
    found = decided(seen(pod(policy=policy, liveness=TCP, startup=TCP), failed(kind)))
    assert of_kind(found, Signal) == [Signal(AllocationId("a1"), "app", "SIGTERM")]
    notes = [action.event for action in found.actions if isinstance(action, Note)]
    assert [(note.reason, note.message, note.field_path) for note in notes] == [
        ("Killing", message, "spec.containers{app}")
    ]
    assert found.wake_at == NOW + timedelta(seconds=30)


def test_the_grace_of_the_probe_comes_before_that_of_the_pod() -> None:
    found = decided(seen(pod(liveness={**TCP, "terminationGracePeriodSeconds": 3}), failed()))
    assert found.wake_at == NOW + timedelta(seconds=3)
    assert Remember({"ending": {RUN: NOW + timedelta(seconds=3)}}) in found.actions


def test_it_is_asked_once() -> None:
    found = decided(seen(pod(liveness=TCP), failed(), ending={RUN: NOW + timedelta(seconds=1)}))
    assert of_kind(found, Signal) == []
    assert found.wake_at == NOW + timedelta(seconds=1)


def test_it_is_killed_when_its_grace_is_over() -> None:
    found = decided(seen(pod(liveness=TCP), failed(), ending={RUN: NOW}))
    assert of_kind(found, Signal) == [Signal(AllocationId("a1"), "app", "SIGKILL")]
    assert of_kind(found, Note) == []
    assert found.actions[-1] == Remember({"ending": {RUN: None}})


def test_it_is_killed_once() -> None:
    found = decided(seen(pod(liveness=TCP), failed(), ending={RUN: None}))
    assert of_kind(found, Signal) == []


@pytest.mark.parametrize("spared", ["another run", "no failure", "stopped", "client lost"])
def test_whatever_else_is_left_alone(spared: str) -> None:
    of = pod(liveness=TCP)
    subject = seen(of, failed(), restarts=1 if spared == "another run" else 0)
    if spared == "no failure":
        subject = replace(subject, health={"app": Health(run=RUN, started=True, ready=False)})
    if spared == "stopped":
        subject = replace(subject, job=job(of, stopped=True))
    if spared == "client lost":
        subject = replace(subject, allocations=(allocation("unknown", events=(started(),)),))
    assert of_kind(decided(subject), Signal) == []


@pytest.mark.parametrize(
    ("health", "ready", "begun"),
    [
        (Health(run=RUN, started=True, ready=True), True, True),
        (Health(run=RUN, started=True, ready=False), False, True),
        (Health(run=RUN, started=False, ready=False), False, False),
        (Health(run="nomad://a1/app/7", started=False, ready=False), True, True),
    ],
    ids=["ready", "not ready", "not started", "a word about another run"],
)
def test_what_probes_say_is_in_the_status(health: Health, *, ready: bool, begun: bool) -> None:
    subject = seen(pod(readiness=TCP, startup=TCP), health)
    found = published(subject)
    assert (found.container_statuses[0].ready, found.container_statuses[0].started) == (ready, begun)
    conditions = {each.type: each.status for each in found.conditions}
    assert conditions["Ready"] == conditions["ContainersReady"] == str(ready)


def test_a_new_run_is_neither_started_nor_ready_before_its_probes_say_so() -> None:
    stale = Health(run=RUN, started=True, ready=True)
    [status] = published(seen(pod(readiness=TCP, startup=TCP), stale, restarts=1)).container_statuses
    assert (status.ready, status.started) == (False, False)


def published(subject: Observation) -> PodStatus:
    assert subject.pod is not None
    facts = Facts(allocations=subject.allocations, submitted=True, health=subject.health)
    return pod_status(subject.pod, facts, NOW)
