"""Pods are created, finish, are deleted and created again while everything goes wrong that a seed says.

The seed decides the faults on the way (see `tests.faults.plan`), what befalls the machines (`tests.faults.machine`) and
what is done to which Pod; when the servers answer is theirs.

    scripts/soak --seeds 1-500 --pods 200
"""

import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.errors import BedError
from tests.e2e.namespace import Namespace
from tests.faults.between import Between, between
from tests.faults.clock import ShiftedClock
from tests.faults.director import Director
from tests.faults.forked import ForkedVnode, forked
from tests.faults.machine import Kill, blows
from tests.faults.machines import Machines
from tests.faults.plan import calm, seeded
from tests.faults.stage import Stage
from tests.faults.workload import Life, lives

_STEP_SECONDS = 0.5
SETTLE_SECONDS = 240.0
_DELETED_PER_STEP = 0.06
#: Connections that a server takes; vnode's own budget is 24 requests and some streams.
_CAPS = (1000, 1000, 40, 16)
_DEFECT = "a defect of vnode"


@dataclass(frozen=True)
class Trial:
    """Where a seed is tried: vnode behind the proxies, and foreign jobs that must not be touched.

    `token` is the file of vnode's token for Nomad.
    """

    bed: Bed
    between: Between
    vnode: ForkedVnode
    clock: ShiftedClock
    token: Path
    foreign: "Foreign"

    def must_run(self) -> None:
        """Raise when vnode has ended by itself."""
        if not self.vnode.running:
            raise BedError(f"vnode ended by itself; the end of its log:\n{self.vnode.log[-4000:]}")


class Foreign:
    """Jobs in Nomad that look as much like ours as they can: of another cluster, of another Node, of a person."""

    def __init__(self, bed: Bed, node: str) -> None:
        """They are registered."""
        self._bed = bed
        ours = {"vk_namespace": "default", "vk_pod": "foreign", "vk_hash": "0"}
        cluster = bed.control_plane.api("/api/v1/namespaces/kube-system")["metadata"]["uid"]
        self._jobs = {
            "vk-00000000-0000-4000-8000-000000000001": {**ours, "vk_cluster": "another", "vk_node": node},
            "vk-00000000-0000-4000-8000-000000000002": {**ours, "vk_cluster": cluster, "vk_node": "another"},
            "vk-by-a-person": {},
        }
        self.register()

    def register(self) -> None:
        """For the first time, or because Nomad has forgotten them."""
        for name, meta in self._jobs.items():
            uid = {"vk_uid": name.removeprefix("vk-")} if meta else {}
            self._bed.nomad.api("/v1/jobs", "PUT", {"Job": _job(name, {**meta, **uid})})
        self._before = self._states()

    def untouched(self) -> bool:
        """Whether nobody stopped, purged or registered them anew."""
        return self._states() == self._before

    def remove(self) -> None:
        """Take them away."""
        for name in self._jobs:
            self._bed.nomad.api(f"/v1/job/{name}?purge=true", "DELETE")

    def _states(self) -> dict[str, tuple[object, ...]]:
        jobs = {job["ID"]: job for job in self._bed.nomad.api("/v1/jobs?prefix=vk-")}
        return {
            name: (jobs[name]["JobModifyIndex"], jobs[name]["Stop"]) if name in jobs else ("purged",)
            for name in self._jobs
        }


def _job(name: str, meta: dict[str, str]) -> dict[str, object]:
    task = {"Name": "main", "Driver": "mock_driver", "Config": {"run_for": "6h"}, "Resources": {"CPU": 1}}
    group = {"Name": "pod", "Tasks": [task]}
    return {"ID": name, "Name": name, "Type": "service", "Datacenters": ["*"], "Meta": meta, "TaskGroups": [group]}


@contextmanager
def trial(bed: Bed, node: str = "soak") -> Iterator[Trial]:
    """Everything that seeds share; vnode is not running yet."""
    foreign = Foreign(bed, node)
    folder = bed.directory / f"clock-{node}"
    folder.mkdir()
    clock, token = ShiftedClock(folder), folder / "token"
    token.write_text(bed.nomad.vnode_token or "")
    authenticated = [f"--nomad-token-file={token}"] if bed.nomad.vnode_token else []
    with (
        between(bed, Director()) as faults,
        forked(bed, faults, node, *authenticated, environment=clock.environment) as vnode,
    ):
        yield Trial(bed, faults, vnode, clock, token, foreign)
    foreign.remove()


def soak(at: Trial, namespace: Namespace, seed: int, *, pods: int, seconds: float, losses: bool = False) -> str:
    """Try one seed; a broken promise is an error, what happened is told in a line.

    With `losses` Nomad may lose its data: then the bed is for this alone.
    """
    began, director, read = time.monotonic(), at.between.director, len(at.vnode.log)
    dice = random.Random(f"soak {seed}")
    stage = Stage(at.bed, namespace, at.vnode.node, dice, at.bed.directory / f"traces-{namespace.name}")
    director.begin(seeded(seed), dice.choice(_CAPS))
    at.between.cut_streams()
    if not at.vnode.running:
        at.vnode.start()
    try:
        met = _live(at, stage, seed, lives(dice, pods), seconds, losses=losses)
        faults = met + Counter(type(fault).__name__ for _, _, fault in director.given)
        director.begin(calm)
        stage.settle(SETTLE_SECONDS, at.must_run)
        settled = time.monotonic() - began - seconds
    except Exception as problem:
        kept = "" if losses else " --keep-data"
        problem.add_note(f"seed {seed}: scripts/soak --seeds {seed} --pods {pods}{kept} replays its faults")
        raise
    finally:
        director.begin(calm)
    judge(at, read)
    told = ", ".join(f"{count} {name}" for name, count in faults.most_common())
    return f"seed {seed}: {stage.created} Pods, settled after {settled:.0f} s; faults: {told}"


def judge(at: Trial, read: int) -> None:
    """Raise when vnode met a defect, or touched what is not ours; `read` is how much of its log is known already."""
    log = at.vnode.log[read:]
    if _DEFECT in log or "Traceback" in log:
        raise BedError(f"vnode met a defect:\n{log[max(0, log.find('Traceback') - 2000) :][:6000]}")
    if not at.foreign.untouched():
        raise BedError("a job of somebody else was touched")


def _live(at: Trial, stage: Stage, seed: int, first: dict[str, Life], seconds: float, *, losses: bool) -> Counter[str]:
    """Create and delete for some seconds; gives what befell the machines."""

    def forgotten(known: bool) -> None:  # noqa: FBT001 - the one fact that is told
        stage.forget(answers=machines.take_orders(), known=known)
        at.foreign.register()

    coming, met = list(first.values()), Counter[str]()
    steps = int(seconds / _STEP_SECONDS)
    # All of the first generation exists after half of the time.
    batch = -(-2 * len(coming) // steps)
    machines, step = Machines(at.bed, at.vnode, at.clock, at.token, forgotten), itertools.count()
    try:
        # Time in which nobody can create anything is added.
        while steps:
            due = time.monotonic() + _STEP_SECONDS
            if machines.take_orders():
                # Who still bears a name must not keep others from coming.
                coming = coming[batch:] + [life for life in coming[:batch] if not stage.create(life)]
                coming += stage.delete_some(_DELETED_PER_STEP)
                steps -= 1
            for blow in blows(seed, next(step), losses=losses):
                met[type(blow).__name__] += 1
                machines.suffer(blow)
                if isinstance(blow, Kill):
                    stage.doubt()
            machines.recover(time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
    finally:
        machines.recover()
        at.clock.set(0)
    return met


@click.command(help=__doc__)
@click.option("--seeds", default="1-500", show_default=True, help="One seed, or the first and the last of many.")
@click.option("--pods", default=200, show_default=True, help="Pods of the first generation.")
@click.option("--lose-data/--keep-data", default=True, show_default=True, help="Whether Nomad may lose its data.")
@click.option("--seconds", default=30.0, show_default=True, help="How long Pods are created and deleted under faults.")
def main(seeds: str, pods: int, seconds: float, *, lose_data: bool) -> None:
    """Try many seeds on one bed; the exit code tells whether all promises held."""
    first, _, last = seeds.partition("-")
    failed = []
    with (
        tempfile.TemporaryDirectory(prefix="hashinetes-soak-") as folder,
        Bed.start(Path(folder)) as bed,
        trial(bed) as at,
    ):
        for seed in range(int(first), int(last or first) + 1):
            with Namespace.created(bed, f"scene-soak-{seed}") as namespace:
                try:
                    click.echo(soak(at, namespace, seed, pods=pods, seconds=seconds, losses=lose_data))
                except BedError as problem:
                    failed.append(seed)
                    click.echo(f"seed {seed} FAILED: {problem}", err=True)
    click.echo(f"{len(failed)} seeds failed: {failed}" if failed else "every promise held")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
