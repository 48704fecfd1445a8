"""What happens without vnode: the habits of Nomad, of its clients, of tasks, and of people.

Nomad's habits are those of version 1.11 on real servers: an allocation that is pending when its client is lost is
replaced at once, whatever the job says; a running one is unknown and comes back; a drained or preempted batch job is
placed again by a later evaluation; in the place of an allocation whose job was registered otherwise another one comes,
which waits for its end; a job that is purged leaves its processes behind; tasks of a machine that was
rebooted run again in their allocation; a client that was lost is ready only after it told what became of its tasks.
"""

from collections.abc import Iterator

from tests.model.observing import GRACE, Scenario
from tests.model.states import NONE, OVER, Allocation, ApiPod, Life, Nomad, Task, World
from tests.model.working import purged

Step = tuple[str, Life]
_MOST_STARTS = 2
_MOST_ALLOCATIONS = 3

#: What may be done to the image of a Pod, once each.
_CHANGES = ("image is changed", "image is changed back")
CHANGES = frozenset(_CHANGES)


def progress(life: Life, scenario: Scenario, world: World) -> Iterator[Step]:
    """What Nomad, its clients and the tasks do by themselves."""
    nomad = life.nomad
    if nomad.job is not None and not nomad.job.evaluated:
        yield "the scheduler evaluates the job", life._replace(nomad=_evaluated(nomad, scenario, world))
    if life.ghosts:
        yield "a forgotten process ends", life._replace(ghosts=life.ghosts - 1)
    for position, each in enumerate(nomad.allocations):
        for what, changed, starts in _task_steps(each, nomad, scenario, world):
            rows = (*nomad.allocations[:position], changed, *nomad.allocations[position + 1 :])
            yield what, life._replace(nomad=nomad._replace(allocations=rows), starts=life.starts + starts)


def exits(life: Life, scenario: Scenario, world: World) -> Iterator[Step]:
    """Tasks that end by themselves, as some do and some do not."""
    for position, each in enumerate(life.nomad.allocations):
        if each.task.state != "runs":
            continue
        for code in (0, 1):
            ended = _ended(each, code, scenario.policy)
            if ended is not None:
                rows = list(life.nomad.allocations)
                rows[position] = _told(each._replace(task=ended), world)
                yield f"the task of a{each.number} exits with {code}", _with(life, tuple(rows))


def users(life: Life, scenario: Scenario, tick: int) -> Iterator[Step]:
    """What a user may do at any time, once."""
    if life.pod is None or life.pod.grace != NONE or "deleted" in life.history:
        return
    marked = life._replace(history=life.history | {"deleted"})
    ways = (("the Pod is deleted", GRACE), ("the Pod is deleted with a shorter grace", 5))
    for name, grace in ways[: 1 + scenario.deaf]:
        deleted = life.pod._replace(grace=grace, deleted_at=tick)
        yield name, marked._replace(pod=deleted)
    yield "the Pod is deleted by force", marked._replace(pod=None, removal=0)
    changes = [each for each in _CHANGES if each not in life.history] if scenario.images else []
    if changes:
        changed = life.pod._replace(image=1 - life.pod.image)
        yield f"the Pod's {changes[0]}", _marked(life, changes[0])._replace(pod=changed)


def disturbances(life: Life, scenario: Scenario, world: World) -> Iterator[Step]:
    """What may happen from outside."""
    nomad, job = life.nomad, life.nomad.job
    if job is not None and not job.stopped:
        version = nomad.events + 1
        stopped = nomad._replace(job=job._replace(stopped=True, evaluated=False, version=version), events=version)
        yield "somebody stops the job", _marked(life, "stopped by hand")._replace(nomad=stopped)
    if job is not None:
        yield "somebody purges the job", purged(_marked(life, "purged by hand"))
    if job is not None and job.evaluated:
        again = nomad._replace(job=job._replace(evaluated=False))
        yield "the job is evaluated once more", life._replace(nomad=again)
    if life.pod is not None:
        phase = scenario.statuses[life.pod.status]["phase"]
        for other in {"Pending", "Failed"} - {phase}:
            body = {**scenario.statuses[life.pod.status], "phase": other}
            written = life.pod._replace(status=scenario.status(body))
            yield f"somebody writes phase {other}", _marked(life, "overwritten")._replace(pod=written)
    for position, each in enumerate(nomad.allocations):
        for what, changed in _blows(each, nomad.permit, world, scenario):
            rows = (*nomad.allocations[:position], changed, *nomad.allocations[position + 1 :])
            touched = nomad._replace(allocations=rows)
            if "preempts" in what and job is not None:
                touched = touched._replace(job=job._replace(evaluated=job.stopped))
            if "drained" in what and scenario.policy == "Always":
                touched = _placed(touched, world, each.image if job is None else job.image)
            yield what, _marked(life, what)._replace(nomad=touched)


def client_lost(life: Life, tick: int) -> Life:
    """The servers hear nothing of client a any more."""
    rows = tuple(_lost(each, tick) if each.client == "a" else each for each in life.nomad.allocations)
    return _reconsidered(_marked(life, "client lost"), rows)


def client_back(life: Life, world: World) -> Life:
    """Client a tells what became of its allocations, and is ready."""
    ready = world._replace(client="ready")
    rows = tuple(_told(each, ready) if each.client == "a" else each for each in life.nomad.allocations)
    return _with(life, rows)


def client_gone(life: Life, tick: int) -> Life:
    """The machine of client a is taken away, and Nomad made to forget it."""
    rows = tuple(_taken_away(each, tick) if each.client == "a" else each for each in life.nomad.allocations)
    return _reconsidered(_marked(life, "client gone"), rows)


def time_passes(life: Life, scenario: Scenario, world: World) -> Life:
    """Grace periods are over: those of Nomad's kill timeout, to which a shorter one of a deletion is unknown."""
    whole = life.vnode.seen.removal != 0 if life.pod is None else life.pod.grace in {NONE, GRACE}
    if scenario.deaf and not whole:
        return life._replace(ghosts=0)
    rows = tuple(
        _told(each._replace(task=_kill(each.task)), world)
        if each.desired != "run" and each.task.lives and world.reaches(each)
        else each
        for each in life.nomad.allocations
    )
    return _with(life._replace(ghosts=0), rows)


def created(scenario: Scenario) -> ApiPod:
    """A Pod that was just created."""
    return ApiPod(status=scenario.fresh)


def _task_steps(
    each: Allocation, nomad: Nomad, scenario: Scenario, world: World
) -> Iterator[tuple[str, Allocation, int]]:
    task, name = each.task, f"a{each.number}"
    if not task.lives:
        return
    reaches = world.reaches(each)
    if reaches and each.desired != "run":
        if not (scenario.deaf and task.state == "runs"):
            yield f"the client ends {name}", _told(each._replace(task=_kill(task)), world), 0
        return
    if task.state == "waits" and not task.failure:
        yield f"the client starts {name} again", _told(each._replace(task=task._replace(state="told")), world), 0
    if task.state == "told" and reaches and not _waits_for_another(each, nomad):
        passed = _at_the_gate(each, nomad.permit, scenario.policy)
        if passed is not None:
            yield f"{name} passes its gate", _told(each._replace(task=passed), world), 0
    if task.state == "may start" and (reaches or world.client == "down"):
        if scenario.impossible:
            # A policy that restarts makes Nomad's client try for ever.
            failed = task._replace(state="ended" if scenario.policy == "Never" else "waits", failure="for ever")
            yield f"{name} can never start", _told(each._replace(task=failed), world), 0
            return
        running = task._replace(state="runs", starts=task.starts + 1, failure="")
        yield f"the task of {name} starts", _told(each._replace(task=running), world), 1


def _waits_for_another(each: Allocation, nomad: Nomad) -> bool:
    """Whether the one in whose place it was put has not ended; one that nobody can tell of is not waited for."""
    return any(other.number == each.after and other.status not in OVER | {"unknown"} for other in nomad.allocations)


def _at_the_gate(each: Allocation, permit: int, policy: str) -> Task | None:
    if policy != "Never" or permit == each.number:
        return each.task._replace(state="may start")
    if permit == NONE:
        return None
    return each.task._replace(state="ended", failure="permit")


def _blows(each: Allocation, permit: int, world: World, scenario: Scenario) -> Iterator[tuple[str, Allocation]]:
    task, name = each.task, f"a{each.number}"
    if not task.lives or not world.reaches(each):
        return
    if task.state in {"runs", "waits"}:
        rebooted = task._replace(state="told")
        if permit != each.number:
            # A permit is withdrawn as soon as a start is seen; within that moment a reboot is a second start.
            yield f"the machine of {name} reboots", _told(each._replace(task=rebooted), world)
    if each.desired == "run":
        yield f"the client of {name} is drained", _bidden(each, "stop", "drained", world.tick)
        yield f"somebody preempts {name}", _bidden(each, "evict", "preempted", world.tick)
    if task.state == "may start" and not task.starts and scenario.policy == "Never":
        failed = task._replace(state="ended", failure="for now")
        yield f"{name} cannot start for now", _told(each._replace(task=failed), world)


def _ended(each: Allocation, code: int, policy: str) -> Task | None:
    task = each.task
    again = policy == "Always" or (policy == "OnFailure" and code != 0)
    if again and task.starts >= _MOST_STARTS:
        return None
    return task._replace(state="waits" if again else "ended", code=code)


def _evaluated(nomad: Nomad, scenario: Scenario, world: World) -> Nomad:
    job = nomad.job
    assert job is not None
    if job.stopped:
        rows = tuple(
            _bidden(each, "stop", "job", world.tick) if each.desired == "run" and each.status not in OVER else each
            for each in nomad.allocations
        )
        return nomad._replace(job=job._replace(evaluated=True), allocations=rows)
    nomad = nomad._replace(job=job._replace(evaluated=True))
    counted = [each for each in nomad.allocations if _counts(each, scenario.policy)]
    if not counted:
        return _placed(nomad, world, job.image)
    return _replaced(nomad, counted[-1], world) if counted[-1].image != job.image else nomad


def _counts(each: Allocation, policy: str) -> bool:
    """Whether the scheduler counts an allocation as the one that the job asks for."""
    if policy == "Always":
        return each.desired == "run" and each.status not in {"complete", "lost"}
    return each.desired == "run" or (each.status == "complete" and each.told.code == 0)


def _replaced(nomad: Nomad, old: Allocation, world: World) -> Nomad:
    """Another allocation in the place of one whose job was changed, on its client if that is there."""
    assert nomad.job is not None
    rows = tuple(_bidden(each, "stop", "changed", world.tick) if each is old else each for each in nomad.allocations)
    new = Allocation(
        number=1 + max(each.number for each in rows),
        client=old.client if world.reaches(old) else "b",
        modified_at=world.tick,
        image=nomad.job.image,
        after=old.number,
    )
    return nomad._replace(allocations=(*rows, new))


def _placed(nomad: Nomad, world: World, image: int = 0) -> Nomad:
    if len(nomad.allocations) >= _MOST_ALLOCATIONS:
        return nomad
    number = 1 + max((each.number for each in nomad.allocations), default=10 * nomad.events)
    client = "a" if world.client == "ready" and not nomad.allocations else "b"
    return nomad._replace(
        allocations=(*nomad.allocations, Allocation(number, client, modified_at=world.tick, image=image))
    )


def _lost(each: Allocation, tick: int) -> Allocation:
    if each.status in OVER:
        return each
    if each.status == "running" and each.desired == "run":
        return each._replace(status="unknown", modified_at=tick)
    if each.desired == "run":
        return each._replace(status="lost", desired="stop", why="lost", modified_at=tick)
    return each._replace(status="lost", modified_at=tick)


def _taken_away(each: Allocation, tick: int) -> Allocation:
    gone = each.task._replace(state="ended", killed=True, code=137) if each.task.lives else each.task
    each = each._replace(task=gone)
    if each.status in OVER - {"lost"}:
        return each
    if each.desired == "run":
        return each._replace(status="lost", desired="stop", why="lost", modified_at=tick)
    return each._replace(status="lost", modified_at=tick)


def _told(each: Allocation, world: World) -> Allocation:
    """What the client tells at once, if the servers hear it."""
    if not world.reaches(each):
        return each
    return each._replace(told=each.task, status=_status(each.task), modified_at=world.tick)


def _status(task: Task) -> str:
    if task.state == "runs":
        return "running"
    if task.state != "ended":
        return "pending"
    failed = (task.failure != "" or task.code > 0) and not task.killed
    return "failed" if failed else "complete"


def _kill(task: Task) -> Task:
    return task._replace(state="ended", killed=True, code=143 if task.state == "runs" else task.code)


def _bidden(each: Allocation, desired: str, why: str, tick: int) -> Allocation:
    return each._replace(desired=desired, why=why, modified_at=tick)


def _reconsidered(life: Life, rows: tuple[Allocation, ...]) -> Life:
    nomad = life.nomad
    if rows == nomad.allocations:
        return life
    job = nomad.job._replace(evaluated=False) if nomad.job is not None and not nomad.job.stopped else nomad.job
    return life._replace(nomad=nomad._replace(job=job, allocations=rows))


def _with(life: Life, rows: tuple[Allocation, ...]) -> Life:
    return life._replace(nomad=life.nomad._replace(allocations=rows))


def _marked(life: Life, what: str) -> Life:
    return life._replace(history=life.history | {what})
