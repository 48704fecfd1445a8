"""As whatever Nomad goes through, with what probes answer and hooks come to meanwhile, and with us forgetting both."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.legality import TERMINAL, publish
from tests.property.nomad_of_one_pod import Nomad
from tests.unit.translators.allocation_to_status.api_server import ApiServer
from tests.unit.translators.allocation_to_status.samples import START, pod
from translators import container_id
from translators.allocation_to_status import Facts, final_status, has_passed_post_start, outcome, pod_status, runs_up
from translators.health import Health
from translators.hooks import HookOfRun, HookState
from translators.records.hooks import Hook, HookKind, Lifecycle, SleepAction
from translators.records.pods import Container, Pod
from translators.records.probes import ExecAction, Probe, ProbeKind
from vnode.probes.trial import Trial, begun, resumed

_ASKED = Probe(exec=ExecAction(command=("true",)), failure_threshold=2)
_HOOKED = Lifecycle(post_start=Hook(sleep=SleepAction(seconds=1)), pre_stop=Hook(sleep=SleepAction(seconds=1)))
_WEB = Container(name="web", image="web:1")
_READY = replace(_WEB, readiness_probe=_ASKED)
_ALL = replace(_WEB, startup_probe=_ASKED, readiness_probe=_ASKED, liveness_probe=_ASKED)
_DB = Container(name="db", image="db:1", lifecycle=_HOOKED, liveness_probe=_ASKED)
_PROXY = Container(name="proxy", image="proxy:1", restart_policy="Always", startup_probe=_ASKED, lifecycle=_HOOKED)
#: Init containers and containers of a Pod.
_Shape = tuple[tuple[Container, ...], tuple[Container, ...]]
_SHAPES: tuple[_Shape, ...] = (
    ((), (_READY,)),
    ((), (_ALL,)),
    ((), (replace(_ALL, lifecycle=_HOOKED), _DB)),
    ((_PROXY,), (_ALL,)),
)
_TASKS = (0, 1)
_HOOK_ENDS = (HookState.DONE, HookState.DONE, HookState.FAILED, HookState.LATE)

_IN_NOMAD = st.sampled_from(
    [
        *[("start", index) for index in _TASKS] * 6,
        *[("exit", (index, code)) for index in _TASKS for code in (0, 1, 137)] * 2,
        *[(each, None) for each in ("place", "purge", "update", "settle", "lose", "reconnect", "drain", "stop")],
    ]
)
_AT_OURS = st.sampled_from(
    [
        *[("answer", (index, kind, success)) for index in _TASKS for kind in ProbeKind for success in (True, False)],
        *[("do", (index, state)) for index in _TASKS for state in (HookState.BEGUN, *_HOOK_ENDS)],
        ("die", None),
    ]
)


@dataclass
class _Vnode:
    """What it knows beside Nomad, by the rules of the prober and of the runner of hooks, and loses when it dies."""

    trials: dict[str, Trial] = field(default_factory=dict)
    health: dict[str, Health] = field(default_factory=dict)
    hooks: dict[HookOfRun, HookState] = field(default_factory=dict)
    #: The runs whose postStart hook was done: for the test, and never forgotten.
    passed: set[str] = field(default_factory=set)

    def act(self, action: str, argument: object, subject: Pod, nomad: Facts) -> None:
        up = {name: str(run) for name, run in runs_up(subject, nomad.allocations).items()}
        self._follow(subject, up)
        if action == "die":
            self.trials, self.health, self.hooks = {}, {}, {}
            return
        assert isinstance(argument, tuple)
        index, *what = argument
        lasting = subject.spec.lasting_containers
        container = lasting[index % len(lasting)]
        if container.name in up:
            getattr(self, action)(subject, container, up[container.name], *what)

    def facts(self, nomad: Facts) -> Facts:
        return replace(nomad, health=dict(self.health), hooks=dict(self.hooks))

    def answer(self, _: Pod, container: Container, __: str, kind: ProbeKind, success: bool) -> None:  # noqa: FBT001 - it is the answer
        trial = self.trials.get(container.name)
        if trial is not None and trial.wants(kind, leaving=False):
            self.trials[container.name] = trial.after(kind, success=success)
            self.health[container.name] = self.trials[container.name].health

    def do(self, subject: Pod, container: Container, run: str, state: HookState) -> None:
        hook = HookOfRun(run, HookKind.POST_START)
        if has_passed_post_start(subject, self.hooks, container, run) or self.hooks.get(hook) is HookState.FAILED:
            return
        self.hooks[hook] = state
        if state is HookState.DONE:
            self.passed.add(run)

    def _follow(self, subject: Pod, up: dict[str, str]) -> None:
        for container in subject.spec.lasting_containers:
            run = up.get(container.name)
            known = self.trials.get(container.name)
            if run is None or (known is not None and known.run != run):
                self.trials.pop(container.name, None)
            if run is None or (known is not None and known.run == run) or not container.is_probed:
                continue
            if has_passed_post_start(subject, {}, container, run):
                held = _held(subject, container.name, run)
                self.trials[container.name] = (
                    begun(run, container.probes, 0) if held is None else resumed(run, container.probes, held, 0)
                )


def _held(subject: Pod, name: str, run: str) -> Health | None:
    """What the API holds of this very run."""
    for each in (*subject.status.container_statuses, *subject.status.init_container_statuses):
        if each.name == name and each.state.running and container_id.identity(each.container_id) == run:
            return Health(run=run, started=bool(each.started), ready=each.ready)
    return None


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
@settings(max_examples=100, deadline=None)
@given(
    shape=st.sampled_from(_SHAPES),
    steps=st.lists(st.tuples(st.one_of(_IN_NOMAD, _AT_OURS), st.booleans()), min_size=8, max_size=30),
)
def test_any_history(policy: str, shape: _Shape, steps: list[tuple[tuple[str, object], bool]]) -> None:
    first, containers = shape
    bare = pod(policy, init=first)
    subject = replace(bare, spec=replace(bare.spec, containers=containers))
    nomad, server, vnode = Nomad(subject), ApiServer(subject), _Vnode()
    for index, ((action, argument), seen) in enumerate([(("place", None), True), *steps]):
        if hasattr(nomad, action):
            nomad.act(action, argument)
        else:
            vnode.act(action, argument, server.pod, nomad.facts())
        if not seen:
            continue
        now = START + timedelta(seconds=index, milliseconds=377)
        state = vnode.facts(nomad.facts())
        outcome(server.pod, state)
        publish(server, pod_status(server.pod, state, now), state, now, passed=vnode.passed)
    end = START + timedelta(hours=1)
    state = vnode.facts(nomad.facts())
    final = final_status(server.pod, state, end)
    assert final.phase in TERMINAL
    publish(server, final, state, end, passed=vnode.passed)
