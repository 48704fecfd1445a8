"""What a true history of a Pod's status never does, and an API server that is shown one."""

from collections.abc import Collection
from datetime import datetime, timedelta

from tests.property.nomad_of_one_pod import restarts
from tests.unit.translators.allocation_to_status.api_server import ApiServer
from translators import container_id
from translators.allocation_to_status import Facts, pod_events, pod_status, status_patch
from translators.records.hooks import HookKind
from translators.records.pods import ContainerStatus, PodSpec, PodStatus

_ORDER = {"Pending": 0, "Running": 1, "Succeeded": 2, "Failed": 2}
TERMINAL = {"Succeeded", "Failed"}


def check_container(spec: PodSpec, old: ContainerStatus | None, new: ContainerStatus, *, final: bool) -> None:
    state = new.state
    first = {each.name: each.is_sidecar for each in spec.init_containers}
    container = next(each for each in spec.every_container if each.name == new.name)
    runs_once_before = first.get(new.name) is False
    assert sum(each is not None for each in (state.waiting, state.running, state.terminated)) == 1
    if runs_once_before:
        assert new.ready == (state.terminated is not None and state.terminated.exit_code == 0)
    else:
        assert not new.ready or bool(new.started)
    if container.startup_probe is None:
        assert bool(new.started) == (state.running is not None)
    assert not new.started or state.running is not None
    if state.running is not None:
        assert new.container_id
    if old is None:
        return
    assert new.restart_count >= old.restart_count
    assert not old.container_id or new.container_id
    if is_same_run(old, new) and old.state.running is not None and state.running is not None:
        assert new.started or not old.started
    ended = old.state.terminated
    if ended is not None and (final or not may_run_again(spec, new.name, ended.exit_code)):
        assert new == old
    if spec.restart_policy == "Never" and old.container_id and not first.get(new.name):
        assert is_same_run(old, new)
        assert new.restart_count == old.restart_count


def is_same_run(old: ContainerStatus, new: ContainerStatus) -> bool:
    return container_id.identity(old.container_id) == container_id.identity(new.container_id)


def may_run_again(spec: PodSpec, name: str, exit_code: int) -> bool:
    """Whether a container may run once more that ended; an init container does in another allocation."""
    for each in spec.init_containers:
        if each.name == name:
            return each.is_sidecar or spec.restart_policy != "Never"
    return restarts(spec.restart_policy, exit_code)


def check_step(spec: PodSpec, old: PodStatus, new: PodStatus) -> None:
    assert _ORDER[new.phase] >= _ORDER[old.phase]
    assert old.phase not in TERMINAL or new.phase == old.phase
    assert old.start_time in {None, new.start_time}
    every = (*new.init_container_statuses, *new.container_statuses)
    known = {each.name: each for each in (*old.init_container_statuses, *old.container_statuses)}
    for status in every:
        check_container(spec, known.get(status.name), status, final=old.phase in TERMINAL)
    if new.phase in TERMINAL:
        assert not any(each.state.running for each in every)
    conditions = {each.type: each for each in new.conditions}
    before = {each.type: each for each in old.conditions}
    lasting = {each.name for each in spec.lasting_containers}
    everything_ready = new.phase == "Running" and all(each.ready for each in every if each.name in lasting)
    assert (conditions["ContainersReady"].status == "True") == everything_ready
    assert (conditions["Ready"].status == "True") == everything_ready
    for name, condition in conditions.items():
        assert condition.last_transition_time is not None
        if name in before and before[name].status == condition.status:
            assert condition.last_transition_time == before[name].last_transition_time


def check_hooks(spec: PodSpec, new: PodStatus, passed: Collection[str]) -> None:
    """Nothing is told to run before its postStart hook is done."""
    awaiting = {each.name for each in spec.every_container if HookKind.POST_START in each.hooks}
    for status in (*new.init_container_statuses, *new.container_statuses):
        if status.name in awaiting and status.state.running is not None:
            assert container_id.identity(status.container_id) in passed


def publish(
    server: ApiServer, desired: PodStatus, state: Facts, now: datetime, *, passed: Collection[str] = ()
) -> None:
    """Show the API server a status, and see that it follows from the one before and needs no second.

    `passed` are the runs whose postStart hook was done.
    """
    old = server.pod
    check_hooks(old.spec, desired, passed)
    check_step(old.spec, old.status, desired)
    server.publish(desired)
    held = server.pod
    assert held.status.container_statuses == desired.container_statuses
    assert held.status.init_container_statuses == desired.init_container_statuses
    assert held.status.phase == desired.phase
    assert {each.type: each for each in held.status.conditions} == {each.type: each for each in desired.conditions}
    later = now + timedelta(seconds=30)
    again = pod_status(held, state, later)
    assert status_patch(held, again) is None
    assert pod_events(held, again) == ()
