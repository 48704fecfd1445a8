"""Breadth-first exploration of all that can happen, and of where it comes to if nothing disturbs any more."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.model import happening, promises, working
from tests.model.observing import Scenario
from tests.model.promises import Broken
from tests.model.states import NONE, Life, Nomad, Seen, Vnode, World
from vnode.pods import actions

_LONGEST = 300
_LATEST = 12

Step = tuple[str, World, Broken | None]


class PromiseBroken(AssertionError):
    """A promise does not hold; the text is the shortest way there."""

    def __init__(self, promise: str, how: str, trace: list[str]) -> None:
        self.promise = promise
        lines = "\n".join(f"  {number:2}. {step}" for number, step in enumerate(trace, 1))
        super().__init__(f"{promise}: {how}\n{lines}")


@dataclass(frozen=True, slots=True)
class Explored:
    """How much was looked at."""

    states: int
    decisions: int


@dataclass
class Exploration:
    """All that can happen in a scenario with a number of disturbances, until the clock stops at `ticks`."""

    scenario: Scenario
    budget: int
    ticks: int = 1
    reuse: bool = False
    #: Begin where the Pod runs and all is calm, and not at its creation.
    running: bool = False
    #: Of the disturbances only those with this word.
    only: str = ""
    most: int = 2_000_000
    _from: dict[World, tuple[World, str] | None] = field(default_factory=dict)
    _ends: set[World] = field(default_factory=set)

    def run(self) -> Explored:
        """Look at every state; raises PromiseBroken at the first that breaks one."""
        start = self._calm(self._start()) if self.running else self._start()
        self._from = {start: None}
        waiting = deque([start])
        while waiting and len(self._from) < self.most:
            world = waiting.popleft()
            for label, after, broken in self._steps(world):
                if broken is not None:
                    raise PromiseBroken(*broken, [*self._trace(world), label])
                if after not in self._from:
                    self._from[after] = (world, label)
                    waiting.append(after)
            self._converges(world)
        return Explored(len(self._from), len(self.scenario.decisions))

    def _start(self) -> World:
        lives = [self._born()]
        if self.reuse:
            lives.append(self._born()._replace(pod=None))
        return World(tuple(lives), budget=self.budget)

    def _calm(self, world: World) -> World:
        while (step := next(self._of_itself(world), None)) is not None:
            world = step[1]
        return world

    def _born(self) -> Life:
        vnode = Vnode(Seen(), self.scenario.no_memory, dirty=False)
        return Life(happening.created(self.scenario), Nomad(), vnode)

    def _trace(self, world: World) -> list[str]:
        steps = []
        while (before := self._from[world]) is not None:
            world, label = before
            steps.append(label)
        return steps[::-1]

    def _steps(self, world: World) -> Iterator[Step]:
        yield from self._of_itself(world)
        if world.tick < self.ticks and all(_rests(life.vnode) for life in world.lives):
            yield self._time(world)
        for index, life in enumerate(world.lives):
            for label, after in happening.exits(life, self.scenario, world):
                yield self._moved(world, index, label, after)
            for label, after in happening.users(life, self.scenario, world.tick):
                yield self._moved(world, index, label, after)
        if self.reuse and world.lives[0].pod is None and "created" not in world.lives[1].history:
            second = world.lives[1]._replace(pod=happening.created(self.scenario), history=frozenset({"created"}))
            yield self._moved(world, 1, "a Pod of the same name is created", second)
        if world.client == "down":
            back = tuple(happening.client_back(life, world) for life in world.lives)
            yield "client a is back", world._replace(lives=back, client="ready"), None
        if world.budget:
            for step in self._disturbed(world._replace(budget=world.budget - 1)):
                if self.only in step[0]:
                    yield step

    def _of_itself(self, world: World) -> Iterator[Step]:
        """What goes on by itself, in the order of a fair world."""
        for index, life in enumerate(world.lives):
            for label, after in happening.progress(life, self.scenario, world):
                broken = None
                if after.starts > life.starts:
                    others = (*world.lives[:index], *world.lives[index + 1 :])
                    broken = promises.of_start(after, others, self.scenario)
                yield self._moved(world, index, label, after, broken)
            vnode = life.vnode
            if vnode.seen.pod != life.pod or vnode.seen.stale:
                yield "vnode sees Kubernetes", self._seen(world), None
            saw = working.sees_nomad(life, world.client)
            if saw != life:
                yield self._moved(world, index, "vnode sees Nomad", saw)
            if vnode.decision != NONE:
                yield self._acted(world, index)
            elif vnode.dirty or (vnode.wake != NONE and world.tick >= vnode.wake):
                yield self._looked(world, index)

    def _seen(self, world: World) -> World:
        """One watch shows all Pods in the order of things."""
        lives = tuple(working.sees_kubernetes(life) for life in world.lives)
        if self.reuse and lives[0] != world.lives[0]:
            lives = (lives[0], lives[1]._replace(vnode=lives[1].vnode._replace(dirty=True)))
        return world._replace(lives=lives)

    def _looked(self, world: World, index: int) -> Step:
        life = world.lives[index]
        first = world.lives[0]
        sent = self.scenario.memories[first.vnode.memory].submitted_to and not first.vnode.seen.confirmed
        predecessor = index == 1 and _may_run(first, world.client, sent=bool(sent))
        looked = working.looks(life, self.scenario, index, world.tick, predecessor=predecessor)
        number = looked.vnode.decision
        why = self.scenario.decisions[number].why if number != NONE else "looks, and there is nothing to do"
        return self._moved(world, index, f"vnode: {why}", looked)

    def _acted(self, world: World, index: int) -> Step:
        life = world.lives[index]
        action = working.action_of(life, self.scenario)
        affected, after = working.acts(life, self.scenario, world)
        broken = promises.of_action(life, affected, action, self.scenario)
        after = after._replace(history=after.history | _marks(life, affected, action, self.scenario))
        return self._moved(world, index, f"vnode: {type(action).__name__}", after, broken)

    def _time(self, world: World) -> Step:
        """Grace periods, delays and tolerations are over, and everything was listed again."""
        later = world._replace(tick=world.tick + 1)
        lives = tuple(happening.time_passes(life, self.scenario, later) for life in later.lives)
        listed = tuple(
            working.reads_nomad(life, world.client, permits=True) if life.vnode.seen.partial else life for life in lives
        )
        return "time passes", later._replace(lives=listed), None

    def _disturbed(self, world: World) -> Iterator[Step]:
        for index, life in enumerate(world.lives):
            for label, after in happening.disturbances(life, self.scenario, world):
                yield self._moved(world, index, f"! {label}", after)
            if life.vnode.decision != NONE:
                name = type(working.action_of(life, self.scenario)).__name__
                yield self._moved(world, index, f"! vnode: {name} fails", working.fails(life))
                affected, _ = working.acts(life, self.scenario, world)
                if affected != life:
                    marked = affected._replace(
                        history=affected.history
                        | {"answer lost"}
                        | _marks(life, affected, working.action_of(life, self.scenario), self.scenario)
                    )
                    yield self._moved(world, index, f"! vnode: {name}, the answer is lost", working.fails(marked))
        yield "! vnode crashes and starts again", self._restarted(world), None
        # Whose Pod a list of Nomad's lacks, is asked about there; of a job without a Pod nobody knows then.
        for lacks in ("Pod",) if self.reuse else ("Pod", "job", "allocation"):
            yield f"! vnode crashes; a list lacks the {lacks}", self._restarted(world, lacks=lacks), None
        if world.client == "ready":
            lost = tuple(happening.client_lost(life, world.tick) for life in world.lives)
            yield "! client a is lost", world._replace(lives=lost, client="down"), None
        if world.client == "down":
            gone = tuple(happening.client_gone(life, world.tick) for life in world.lives)
            yield "! client a is gone", world._replace(lives=gone, client="gone"), None

    def _restarted(self, world: World, *, lacks: str = "") -> World:
        lives = tuple(
            working.restarts(life, self.scenario, world.client, lacks=lacks)._replace(
                history=life.history | {"restarted"}
            )
            if life.pod is not None or life.nomad.job is not None or life.vnode.seen != Seen()
            else life
            for life in world.lives
        )
        return world._replace(lives=lives)

    def _moved(self, world: World, index: int, label: str, life: Life, broken: Broken | None = None) -> Step:
        lives = world.lives
        if self.reuse:
            name = ("first", "second")[index]
            label = f"{label} ({name})"
            if index == 0 and lives[0].vnode.seen != life.vnode.seen and lives[1].vnode.seen.pod is not None:
                second = lives[1]._replace(vnode=lives[1].vnode._replace(dirty=True))
                return label, world._replace(lives=(life, second)), broken
        return label, world._replace(lives=(*lives[:index], life, *lives[index + 1 :])), broken

    def _converges(self, world: World) -> None:
        """Follow what goes on by itself to its end; ways that were followed once are not followed again."""
        way: list[tuple[World, str]] = []
        passed: set[World] = set()
        now = world._replace(budget=0)
        while now not in self._ends:
            if now in passed or len(way) > _LONGEST:
                raise PromiseBroken(promises.CONVERGES, "it goes on for ever", self._told(world, way))
            passed.add(now)
            step = next(self._of_itself(now), None)
            if step is None:
                waits = any(_waits(life, now) for life in now.lives)
                if not waits or now.tick >= _LATEST:
                    self._judge_end(world, now, way, waits=waits)
                    break
                step = self._time(now)
            label, after, broken = step
            if broken is not None:
                raise PromiseBroken(*broken, self._told(world, [*way, (after, label)]))
            way.append((after, label))
            now = after
        self._ends |= passed

    def _judge_end(self, world: World, now: World, way: list[tuple[World, str]], *, waits: bool) -> None:
        for index, life in enumerate(now.lives):
            if index == 1 and ("created" not in life.history or self._waits_for_the_first(now)):
                continue
            broken = promises.of_end(life, self.scenario, now)
            if broken is None and waits:
                broken = promises.CONVERGES, "it waits for ever"
            if broken is not None:
                raise PromiseBroken(*broken, self._told(world, way))

    def _waits_for_the_first(self, world: World) -> bool:
        """Whether the first Pod of the name may still run, where nobody reaches it."""
        first = world.lives[0]
        sent = bool(self.scenario.memories[first.vnode.memory].submitted_to)
        return world.client == "down" and _may_run(first, world.client, sent=sent)

    def _told(self, world: World, way: list[tuple[World, str]]) -> list[str]:
        return [*self._trace(world), "-- from here on nothing disturbs --", *(label for _, label in way)]


def _waits(life: Life, world: World) -> bool:
    return life.vnode.wake != NONE or life.vnode.seen.partial or _is_ending(life, world)


def _is_ending(life: Life, world: World) -> bool:
    return any(each.desired != "run" and each.task.lives and world.reaches(each) for each in life.nomad.allocations)


def _rests(vnode: Vnode) -> bool:
    return vnode.decision == NONE and not vnode.dirty


def _may_run(life: Life, client: str, *, sent: bool) -> bool:
    """What the view says of a predecessor."""
    seen = life.vnode.seen
    if seen.job is None:
        return sent
    rows = seen.allocations
    away = client == "down"
    live = any(
        each.status not in {"complete", "failed", "lost"} or (each.status == "lost" and each.client == "a" and away)
        for each in rows
    )
    return live or not (rows or (seen.job.stopped and seen.job.evaluated))


def _marks(life: Life, after: Life, action: object, scenario: Scenario) -> set[str]:
    """What is to be remembered of an action, for it forbids what follows."""
    match action:
        case actions.DeletePod() if life.pod is not None:
            return {"left"}
        case actions.EvictPod() if life.pod is not None:
            return {"evicted"}
        case actions.PatchStatus() if life.pod is not None and after.pod is not None:
            before, now = (scenario.statuses[each.status]["phase"] for each in (life.pod, after.pod))
            return {"ended"} if before != now and now in {"Succeeded", "Failed"} else set()
    return set()
