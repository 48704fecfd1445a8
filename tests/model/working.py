"""What vnode does: it sees, takes a round, carries actions out one by one, and may crash between any two.

The view's own habits are here in small: a job is known from registrations and reads, never from an allocation alone;
a stop is known once it was evaluated; a purge is an evaluation and nothing else.
"""

from dataclasses import replace
from typing import Any

from tests.model.observing import GRACE, TICK, Scenario
from tests.model.states import GRACE_UNKNOWN, NONE, NOT_SEEN, Allocation, Job, Life, Nomad, Seen, Vnode, World
from vnode.pods import actions
from vnode.view.observation import Memory


def sees_kubernetes(life: Life) -> Life:
    """The watch brings the Pod as it is, or that it left."""
    seen = life.vnode.seen
    if seen.pod == life.pod and not seen.stale:
        return life
    if life.pod is None:
        # A stale list is followed by what happened since.
        seen = seen._replace(pod=None, removal=life.removal, stale=False)
    else:
        seen = seen._replace(pod=life.pod, removal=NOT_SEEN, stale=False)
    return _dirty(life, seen)


def sees_nomad(life: Life, client: str) -> Life:
    """The stream brings allocations and evaluations as they are."""
    seen, nomad = life.vnode.seen, life.nomad
    if seen.job is None and seen.pod is None and not seen.allocations:
        return life._replace(vnode=life.vnode._replace(seen=seen._replace(client=client)))
    job, ending, confirmed = seen.job, seen.ending, seen.confirmed
    allocations = nomad.allocations
    if nomad.job is None:
        # Rows vanish without an event; that somebody ended the job is one.
        allocations = seen.allocations
        if seen.job is not None:
            job, ending, confirmed = _ended(seen.job), (nomad.events, True), True
    elif nomad.job.stopped:
        ending = (nomad.events, nomad.job.evaluated)
        if job is not None and nomad.job.evaluated:
            job, confirmed = _ended(nomad.job), True
    new = seen._replace(job=job, allocations=allocations, ending=ending, client=client, confirmed=confirmed)
    return life if new == seen else _dirty(life, new)


def reads_nomad(life: Life, client: str, *, permits: bool) -> Life:
    """Everything about the job is read; a list tells of permits too, and nothing of evaluations."""
    seen, nomad = life.vnode.seen, life.nomad
    job, ending = nomad.job, (0, False)
    if job is not None and job.stopped:
        job = job._replace(evaluated=job.evaluated and not permits)
        ending = (0, False) if permits else (nomad.events, job.evaluated)
    new = seen._replace(
        job=job,
        allocations=nomad.allocations if nomad.job is not None else (),
        ending=ending,
        client=client,
        permit=nomad.permit != NONE if permits else seen.permit,
        confirmed=not permits,
        partial=False,
        left=_left(seen) if job is None else "",
    )
    return _dirty(life, new)


def restarts(life: Life, scenario: Scenario, client: str, *, lacks: str) -> Life:
    """A new process knows what its lists show; a stale one lacks something."""
    stale = lacks == "Pod" and life.pod is not None
    seen = Seen(pod=None if stale else life.pod, stale=stale)
    life = reads_nomad(life._replace(vnode=Vnode(seen, scenario.no_memory)), client, permits=True)
    if lacks == "job":
        return _dirty(life, life.vnode.seen._replace(job=None, allocations=(), ending=(0, False), partial=True))
    if lacks == "allocation":
        return _dirty(life, life.vnode.seen._replace(allocations=(), partial=True))
    return life


def looks(life: Life, scenario: Scenario, index: int, tick: int, *, predecessor: bool) -> Life:
    """A round begins: what is to be done is decided."""
    number = scenario.decide(life, index, tick, predecessor)
    vnode = life.vnode._replace(decision=number, step=0, dirty=False, wake=NONE)
    return _settle(life._replace(vnode=vnode), scenario, tick)


def action_of(life: Life, scenario: Scenario) -> Any:
    """The action that comes next."""
    return scenario.decisions[life.vnode.decision].actions[life.vnode.step]


def fails(life: Life) -> Life:
    """An action failed, or its answer was lost: the round ends and is taken again."""
    return life._replace(vnode=life.vnode._replace(decision=NONE, step=0, dirty=True))


def acts(life: Life, scenario: Scenario, world: World) -> tuple[Life, Life]:
    """The next action is carried out: what that makes of everything, without and with its answer."""
    action = action_of(life, scenario)
    affected = _effect(life, scenario, world.tick, action)
    if isinstance(action, actions.Register) and action.over != _version(life.nomad):
        return affected, fails(reads_nomad(affected, world.client, permits=False))
    folded = _fold(life, affected, scenario, world, action)
    advanced = folded._replace(vnode=folded.vnode._replace(step=folded.vnode.step + 1))
    return affected, _settle(advanced, scenario, world.tick)


def _settle(life: Life, scenario: Scenario, tick: int) -> Life:
    """A round whose actions are done ends, and says when to look again."""
    decision = scenario.decisions[life.vnode.decision]
    while life.vnode.step < len(decision.actions):
        # What touches nothing outside is no step of its own: a crash after it is one before it.
        match decision.actions[life.vnode.step]:
            case actions.Note():
                pass
            case actions.Remember(changes):
                life = _remember(life, scenario, replace(scenario.memories[life.vnode.memory], **changes))
            case _:
                return life
        life = life._replace(vnode=life.vnode._replace(step=life.vnode.step + 1))
    vnode = life.vnode
    if decision.wake_at is None:
        return life._replace(vnode=vnode._replace(decision=NONE, step=0))
    due = -(-(decision.wake_at - scenario.now(0)) // TICK)
    if due <= tick:
        return life._replace(vnode=vnode._replace(decision=NONE, step=0, dirty=True))
    return life._replace(vnode=vnode._replace(decision=NONE, step=0, wake=due))


def _effect(life: Life, scenario: Scenario, tick: int, action: Any) -> Life:  # noqa: C901, PLR0911 - an arm each
    pod, nomad = life.pod, life.nomad
    match action:
        case actions.Register(job, over) if over == _version(nomad):
            version = nomad.events + 1
            registered = Job(version=version, image=scenario.image_of(job))
            return life._replace(nomad=nomad._replace(job=registered, events=version))
        case actions.Stop() if nomad.job is not None:
            version = nomad.events + 1
            stopped = nomad.job._replace(stopped=True, evaluated=False, version=version)
            return life._replace(nomad=nomad._replace(job=stopped, events=version))
        case actions.Purge():
            return purged(life)
        case actions.Kill(allocation):
            killed = tuple(_killed(each) if f"a{each.number}" == allocation else each for each in nomad.allocations)
            return life._replace(nomad=nomad._replace(allocations=killed))
        case actions.PatchStatus(body) if pod is not None:
            status = scenario.patch(pod.status, dict(body["status"]))
            return life._replace(pod=pod._replace(status=status))
        case actions.DeletePod() if pod is not None:
            if scenario.finalizer and pod.grace != 0:
                return life._replace(pod=pod._replace(grace=0, deleted_at=tick))
            return life if scenario.finalizer else life._replace(pod=None, removal=0)
        case actions.EvictPod() if pod is not None and pod.grace == NONE:
            return life._replace(pod=pod._replace(grace=GRACE, deleted_at=tick))
        case actions.Permit(_, _, allocation) if nomad.permit == NONE:
            return life._replace(nomad=nomad._replace(permit=int(allocation[1:])))
        case actions.Forbid():
            return life._replace(nomad=nomad._replace(permit=NONE))
    return life


def _fold(before: Life, life: Life, scenario: Scenario, world: World, action: Any) -> Life:  # noqa: C901, PLR0911, PLR0912
    seen = life.vnode.seen
    match action:
        case actions.Register():
            return _know(life, seen._replace(job=life.nomad.job, confirmed=True, left=""))
        case actions.Stop() if seen.job is not None:
            if before.nomad.job is None:
                gone = seen._replace(job=None, allocations=(), ending=(0, False), confirmed=False, left=_left(seen))
                return _dirty(life, gone)
            own = replace(scenario.memories[life.vnode.memory], stop_evaluation=f"e{life.nomad.events}")
            stopped = seen._replace(job=seen.job._replace(stopped=True), confirmed=True)
            return _know(_remember(life, scenario, own), stopped)
        case actions.Purge():
            return _know(life, seen._replace(job=None, allocations=(), ending=(0, False), confirmed=False))
        case actions.Kill(allocation, task):
            known = scenario.memories[life.vnode.memory]
            return _remember(life, scenario, replace(known, killed=known.killed | {(allocation, task)}))
        case actions.PatchStatus() if seen.pod is not None and life.pod is not None:
            # The answer holds what others wrote meanwhile, of which the watch still tells.
            told = _know(life, seen._replace(pod=life.pod))
            return told if seen.pod == before.pod else _dirty(told, told.vnode.seen)
        case actions.DeletePod():
            return _remember(life, scenario, replace(scenario.memories[life.vnode.memory], deleted=True))
        case actions.ConfirmAbsence() if life.pod is None:
            return _dirty(life, seen._replace(absent=True))
        case actions.MeasureLogs(allocation, task, run):
            known = scenario.memories[life.vnode.memory]
            begun = {**known.positions, task: f"nomad://{allocation}/{task}/{run}@0.0,0.0"}
            return _dirty(_remember(life, scenario, replace(known, positions=begun)), seen)
        case actions.Reread():
            return reads_nomad(life, world.client, permits=False)
        case actions.Permit():
            return _know(life, seen._replace(permit=True))
        case actions.Forbid():
            return _know(life, seen._replace(permit=False))
        case actions.Forget():
            gone = Seen(pod=seen.pod, permit=seen.permit, client=seen.client, partial=seen.partial)
            return life._replace(vnode=life.vnode._replace(seen=gone, memory=scenario.no_memory))
    return life


def purged(life: Life) -> Life:
    """Nomad forgets a job at once; what runs of it runs on."""
    nomad = life.nomad
    if nomad.job is None:
        return life
    left = sum(each.task.state == "runs" for each in nomad.allocations)
    forgotten = Nomad(permit=nomad.permit, events=nomad.events + 1)
    return life._replace(nomad=forgotten, ghosts=life.ghosts + left)


def _left(seen: Seen) -> str:
    """The client of what may run on when its job is found gone."""
    return seen.lasting or seen.left


def _version(nomad: Nomad) -> int:
    """By which a job is replaced; 0 creates one."""
    return 0 if nomad.job is None else nomad.job.version


def _ended(job: Job) -> Job:
    return job._replace(stopped=True, evaluated=True)


def _killed(allocation: Allocation) -> Allocation:
    if allocation.task.state != "runs":
        return allocation
    ended = allocation.task._replace(state="ended", code=137, killed=True)
    return allocation._replace(task=ended, told=ended, status="complete")


def _remember(life: Life, scenario: Scenario, memory: Memory) -> Life:
    return life._replace(vnode=life.vnode._replace(memory=scenario.memory(memory)))


def _know(life: Life, seen: Seen) -> Life:
    return life._replace(vnode=life.vnode._replace(seen=seen))


def _dirty(life: Life, seen: Seen) -> Life:
    return life._replace(vnode=life.vnode._replace(seen=seen, dirty=True))


__all__ = ["GRACE_UNKNOWN", "acts", "fails", "looks", "purged", "restarts", "sees_kubernetes", "sees_nomad"]
