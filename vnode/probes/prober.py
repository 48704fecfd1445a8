"""The prober: knows which probes are due, has them asked a bounded number at a time, and puts verdicts into the view.

It is woken with every UID that changed. A Pod without probes costs it one look at its containers; one with probes
costs a record a probe, and no task of its own: those that ask are a fixed crew.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import structlog

from translators import container_id
from translators.allocation_to_status import EventNote, has_passed_post_start, runs_up
from translators.container_id import ContainerId
from translators.health import Health
from translators.records.pods import Container, ContainerStatus, Pod, PodUid
from translators.records.probes import ProbeKind
from vnode.probes.answers import Answer, Outcome, judge
from vnode.probes.questions import Question
from vnode.probes.trial import Trial, begun, resumed
from vnode.view.view import View

#: Questions at once: over the network, and by commands, each of which is a connection to Nomad.
NETWORK, COMMANDS = 64, 6

#: Seconds after which a run that the API shows is taken for told of, though nobody said so: an answer may be lost.
_TOLD_BY_THEN = 5.0

_log = structlog.get_logger(__name__)

_TERMINAL = frozenset({"Succeeded", "Failed"})


class Asking(Protocol):
    """Asks one probe: `vnode.probes.questions.Questions`."""

    async def ask(self, question: Question) -> Answer:
        """Ask; never raises for whatever goes wrong with it."""


class Events(Protocol):
    """Where Events about Pods go; it never blocks."""

    def record(self, pod: Pod, event: EventNote) -> None:
        """Take over an Event to be written."""


@dataclass(frozen=True, slots=True)
class _Key:
    """One probe of one run."""

    uid: PodUid
    container: str
    kind: ProbeKind
    run: str


@dataclass(slots=True)
class _Watched:
    """A container that is up: its trial, and when each of its probes is due, monotonic seconds.

    `untold` are the newest Events about it that wait until its start is `told`; `shown_at` is since when the API shows
    the run, monotonic seconds.
    """

    run: ContainerId
    trial: Trial
    due: dict[ProbeKind, float] = field(default_factory=dict)
    untold: dict[ProbeKind, EventNote] = field(default_factory=dict)
    told: bool = False
    shown_at: float | None = None


class Prober:
    """Keeps the health of all probed containers; `clock` is monotonic, `now` wall time, `random` from 0 to 1.

    `changed` is called with every Pod of which there is something new to say.
    """

    def __init__(
        self,
        view: View,
        events: Events,
        changed: Callable[[PodUid], None],
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        random: Callable[[], float],
    ) -> None:
        self._now = now
        self._view = view
        self._events = events
        self._changed = changed
        self._clock = clock
        self._random = random
        self._watched: dict[PodUid, dict[str, _Watched]] = {}
        self._heap: list[tuple[float, int, _Key]] = []
        self._tickets = itertools.count()
        self._sooner = asyncio.Event()
        #: What waits for somebody who asks; a probe stands in line once.
        self._network: asyncio.Queue[_Key] = asyncio.Queue()
        self._commands: asyncio.Queue[_Key] = asyncio.Queue()

    def __len__(self) -> int:
        """The number of containers that are probed now."""
        return sum(map(len, self._watched.values()))

    def wake(self, uid: PodUid) -> None:
        """Something about this Pod changed."""
        pod = self._view.pods.get(uid)
        if pod is None or not any(container.is_probed for container in pod.spec.lasting_containers):
            self._watched.pop(uid, None)
            return
        up = {} if pod.status.phase in _TERMINAL else runs_up(pod, self._view.jobs.allocations(uid))
        before = self._watched.get(uid, {})
        now = {
            container.name: self._follow(pod, container, up[container.name], before.get(container.name))
            for container in pod.spec.lasting_containers
            if container.is_probed
            and container.name in up
            and has_passed_post_start(pod, {}, container, str(up[container.name]))
        }
        if now:
            self._watched[uid] = now
        else:
            self._watched.pop(uid, None)

    def published(self, uid: PodUid) -> None:
        """Look at a Pod whose status was written, and the starts in it told."""
        self.wake(uid)
        pod = self._view.pods.get(uid)
        for watched in self._watched.get(uid, {}).values():
            if pod is not None and _shows(pod, watched.trial.run):
                watched.told = True
                self._tell(pod, watched)

    def hurry(self) -> None:
        """Look at once at what is due, for example because the clock was moved."""
        self._sooner.set()

    async def run(self, asking: Asking) -> None:
        """Have probes asked when they are due, until cancelled."""
        async with asyncio.TaskGroup() as crew:
            for line, number in ((self._network, NETWORK), (self._commands, COMMANDS)):
                for _ in range(number):
                    crew.create_task(self._work(line, asking))
            while True:
                self._line_up_what_is_due()
                await self._wait_for_more()

    def _follow(self, pod: Pod, container: Container, run: ContainerId, before: _Watched | None) -> _Watched:
        if before is not None and before.trial.run == str(run):
            self._tell(pod, before)
            return before
        now = self._clock()
        statuses = (*pod.status.container_statuses, *pod.status.init_container_statuses)
        held = next((each for each in statuses if each.name == container.name), None)
        known = self._known(pod, held, str(run))
        age = 0.0 if known is None else self._age(held)
        if known is None:
            watched = _Watched(run, begun(str(run), container.probes, now))
        else:
            watched = _Watched(run, resumed(str(run), container.probes, known, now - age), told=True)
        for kind in container.probes:
            # What began long before we looked is not to be asked together with all others.
            delay = min(age, self._random() * container.probes[kind].period_seconds)
            self._plan(pod, watched, container.name, kind, now + delay)
        return watched

    def _known(self, pod: Pod, held: ContainerStatus | None, run: str) -> Health | None:
        """What was found about this very run before: by us, or as the API holds it."""
        known = self._view.health.of(pod.uid).get(held.name) if held is not None else None
        return known if known is not None and known.run == run else _held_health(held, run)

    def _age(self, held: ContainerStatus | None) -> float:
        """For how long the run is up that the API shows, seconds."""
        shown = held.state.running if held is not None else None
        return max(0.0, (self._now() - shown.started_at).total_seconds()) if shown and shown.started_at else 0.0

    def _plan(self, pod: Pod, watched: _Watched, container: str, kind: ProbeKind, at: float) -> None:
        """Ask a probe at a time, or as soon after it as it may be; not at all while it is not wanted."""
        if not watched.trial.wants(kind, leaving=pod.metadata.deletion_timestamp is not None):
            watched.due.pop(kind, None)
            return
        due = max(at, watched.trial.earliest(kind))
        watched.due[kind] = due
        key = _Key(pod.uid, container, kind, watched.trial.run)
        heapq.heappush(self._heap, (due, next(self._tickets), key))
        if self._heap[0][2] is key:
            self._sooner.set()

    def _line_up_what_is_due(self) -> None:
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            watched = self._still(key)
            if watched is not None and watched.due.get(key.kind) == due:
                by_command = watched.trial.probes[key.kind].exec is not None
                (self._commands if by_command else self._network).put_nowait(key)

    async def _wait_for_more(self) -> None:
        self._sooner.clear()
        delay = max(0.0, self._heap[0][0] - self._clock()) if self._heap else None
        try:
            async with asyncio.timeout(delay):
                await self._sooner.wait()
        except TimeoutError:
            return

    async def _work(self, line: asyncio.Queue[_Key], asking: Asking) -> None:
        while True:
            key = await line.get()
            watched, pod = self._still(key), self._view.pods.get(key.uid)
            container = _container(pod, key.container)
            if watched is None or pod is None or container is None:
                continue
            if not watched.trial.wants(key.kind, leaving=pod.metadata.deletion_timestamp is not None):
                watched.due.pop(key.kind, None)
                continue
            question = Question(pod, container, watched.run, container.probes[key.kind])
            self._take(key, await _answered(asking, question))

    def _take(self, key: _Key, answer: Answer) -> None:
        """Count an answer, unless its run has ended meanwhile."""
        watched, pod = self._still(key), self._view.pods.get(key.uid)
        if watched is None or pod is None:
            return
        judged = judge(key.kind, answer, pod.spec.path_of(key.container))
        if judged.event is not None:
            watched.untold[key.kind] = judged.event
            self._tell(pod, watched)
        before, watched.trial = watched.trial, watched.trial.after(key.kind, success=judged.success)
        now = self._clock()
        self._plan(pod, watched, key.container, key.kind, max(now, watched.due[key.kind] + _period(watched, key.kind)))
        health = watched.trial.health
        if health == before.health and self._view.health.of(key.uid).get(key.container) == health:
            return
        if health.started and not before.health.started:
            for kind in watched.trial.probes:
                self._plan(pod, watched, key.container, kind, now)
        _log.debug("a probe has changed its mind", uid=key.uid, container=key.container, probe=str(key.kind))
        self._view.health.put(key.uid, key.container, health)
        self._changed(key.uid)

    def _tell(self, pod: Pod, watched: _Watched) -> None:
        """Tell what failed, but never before the start of the run, as no kubelet does."""
        if not watched.told and _shows(pod, watched.trial.run):
            # The echo of our own write may come before the answer to it.
            watched.shown_at = self._clock() if watched.shown_at is None else watched.shown_at
            watched.told = self._clock() >= watched.shown_at + _TOLD_BY_THEN
        if watched.told:
            for event in watched.untold.values():
                self._events.record(pod, event)
            watched.untold.clear()

    def _still(self, key: _Key) -> _Watched | None:
        """The container that a key is about, while the same run of it is up."""
        watched = self._watched.get(key.uid, {}).get(key.container)
        return watched if watched is not None and watched.trial.run == key.run else None


async def _answered(asking: Asking, question: Question) -> Answer:
    try:
        return await asking.ask(question)
    except Exception as error:  # noqa: BLE001 - a defect met with one probe must not end the asking of all others
        _log.exception("a defect of vnode, please report it", uid=question.pod.uid)
        return Answer(Outcome.UNKNOWN, f"a defect of vnode: {type(error).__name__}")


def _period(watched: _Watched, kind: ProbeKind) -> float:
    return float(max(1, watched.trial.probes[kind].period_seconds))


def _container(pod: Pod | None, name: str) -> Container | None:
    containers = pod.spec.lasting_containers if pod is not None else ()
    return next((each for each in containers if each.name == name), None)


def _shows(pod: Pod, run: str) -> bool:
    """Whether the API shows a run, with which its start is told."""
    statuses = (*pod.status.container_statuses, *pod.status.init_container_statuses)
    return any(container_id.identity(each.container_id) == run for each in statuses)


def _held_health(held: ContainerStatus | None, run: str) -> Health | None:
    if held is None or held.state.running is None or container_id.identity(held.container_id) != run:
        return None
    return Health(run=run, started=bool(held.started), ready=held.ready)
