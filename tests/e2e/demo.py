"""Act one, for people to watch: twelve pings on five Nomad clients, driven by kubectl alone.

Every command is shown as a person would type it, and its output is what the real servers answered.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from tests.e2e.bed import kubectls
from tests.e2e.bed.bed import REPOSITORY, Bed
from tests.e2e.bed.binaries import binary
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.processes import system_path, wait_until

_CLIENTS = 5
_PINGS = 12
_COMMAND_SECONDS = 120
_READY_SECONDS = 60


class Stage:
    """Where commands are typed: a shell that finds kubectl, nomad and the bed's servers."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Take the variables that a person would export."""
        programs = [str(path.parent) for path in (kubectls.kubectl(), binary("nomad"))]
        path = os.pathsep.join((*programs, system_path()))
        self._environment = {
            "HOME": str(Path.home()),
            "LANG": "C.UTF-8",
            "NOMAD_CLI_SHOW_HINTS": "0",
            **variables,
            "PATH": path,
        }

    def scene(self, title: str, *lines: str) -> None:
        """Say what comes next."""
        click.secho(f"\n── {title}", bold=True)
        for line in lines:
            click.echo(f"   {line}")

    def look(self, *lines: str) -> None:
        """Say what to look at in what was just printed."""
        for line in lines:
            click.secho(f"   → {line}", fg="green")

    def type(self, command: str) -> str:
        """Run a command line, show it with its output and return that; a failure ends the demo."""
        click.secho(f"\n$ {command}", fg="cyan")
        shell = ("bash", "-o", "pipefail", "-c", command)
        try:
            done = subprocess.run(
                shell,
                cwd=REPOSITORY,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as problem:
            raise BedError(f"`{command}` did not end within {_COMMAND_SECONDS} s") from problem
        if done.stdout.strip():
            click.echo(done.stdout.rstrip("\n"))
        if done.returncode:
            raise BedError(f"`{command}` ended with {done.returncode}")
        return done.stdout


@click.command(help=__doc__)
@click.option("--keep", is_flag=True, help="Stay up at the end, until Ctrl-C, and print what to export.")
def main(*, keep: bool) -> None:
    """Start the bed, play, clean up."""
    # SIGTERM unwinds like Ctrl-C, so that nothing stays behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    click.echo("Starting Kubernetes (etcd, API server, controllers, scheduler), Docker and Nomad …")
    with (
        tempfile.TemporaryDirectory(prefix="hashinetes-demo-") as folder,
        Bed.start(Path(folder) / "bed", profile="plain") as bed,
    ):
        _join_clients(bed)
        click.echo("Starting vnode …")
        with bed.vnode() as vnode:
            stage = Stage(bed.environment())
            play(stage, bed)
            if keep:
                _stay(bed, vnode.log)
            click.echo("\nCleaning up …")


def play(stage: Stage, bed: Bed) -> None:
    """The act, scene by scene."""
    _show_the_node(stage)
    _start_twelve(stage, bed)
    _read_the_logs(stage)
    _roll(stage)
    _scale_to_nothing(stage, bed)


def _join_clients(bed: Bed) -> None:
    """Bring the default pool to five machines."""
    ours = [client for client in bed.nomad.clients.values() if client.pool == "default"]
    joining = [bed.nomad.add_client("default") for _ in range(_CLIENTS - len(ours))]
    for client in joining:
        client.wait_ready()


def _show_the_node(stage: Stage) -> None:
    stage.scene(
        "One Node, five machines",
        "Kubernetes sees one virtual Node. Behind it stand the clients of Nomad's pool `default`.",
    )
    stage.type("kubectl get nodes -o wide")
    stage.type("nomad node status -filter 'NodePool == default'")
    stage.look("One Node, Ready, with the CPU and memory of all five clients together:")
    stage.type("kubectl get node nomad -o jsonpath='{.status.capacity}{\"\\n\"}'")


def _start_twelve(stage: Stage, bed: Bed) -> None:
    stage.scene(
        "Run the ping job. How many? Twelve.",
        "The program is a plain binary of the machines: no image, no container.",
        "Each Pod is a Nomad job, and Nomad packs jobs on few clients unless it is told to spread them:",
    )
    stage.type("nomad operator scheduler set-config -scheduler-algorithm=spread")
    stage.type("sed 's/replicas: 12/replicas: 0/' deploy/examples/ping.yaml | kubectl apply -f -")
    stage.type(f"kubectl scale deployment/ping --replicas={_PINGS}")
    stage.type("kubectl rollout status deployment/ping --timeout=90s")
    stage.type("kubectl get pods -l app=ping -o wide")
    stage.look("IP is the address of the client that runs the Pod.")
    stage.type("nomad job status")
    stage.type("nomad node status -allocs -filter 'NodePool == default'")
    allocations = bed.nomad.api("/v1/allocations")
    running = [allocation for allocation in allocations if allocation["ClientStatus"] == "running"]
    machines = {allocation["NodeName"] for allocation in running}
    if (len(running), len(machines)) != (_PINGS, _CLIENTS):
        raise BedError(f"{len(running)} allocations run on {sorted(machines)}: {_PINGS} on {_CLIENTS} were expected")
    stage.look(f"{_PINGS} Pods Running, {_PINGS} jobs `vk-<UID of the Pod>`, on all {_CLIENTS} clients.")


def _read_the_logs(stage: Stage) -> None:
    stage.scene("Their logs", "kubectl asks the API server, which asks vnode, which asks Nomad.")
    stage.type(f"kubectl logs -l app=ping --prefix --tail=2 --max-log-requests={_PINGS}")
    stage.look("Two lines of each Pod, led by its name.")


def _roll(stage: Stage) -> None:
    stage.scene("A rolling update", "The Deployment replaces its Pods; new jobs start, the old ones are stopped.")
    old = stage.type("kubectl get replicasets -l app=ping -o jsonpath='{.items[0].metadata.labels.pod-template-hash}'")
    stage.type("kubectl set env deployment/ping WORD=pong")
    stage.type("kubectl rollout status deployment/ping --timeout=90s")
    stage.type(f"kubectl wait --for=delete pod -l pod-template-hash={old} --timeout=60s")
    stage.type("kubectl get replicasets -l app=ping")
    log = stage.type(f"kubectl logs -l app=ping --prefix --tail=1 --max-log-requests={_PINGS}")
    if " pong " not in log:
        raise BedError("no new Pod says pong")
    stage.look("`pong` where it said `ping`, and the old ReplicaSet at 0.")


def _scale_to_nothing(stage: Stage, bed: Bed) -> None:
    stage.scene("Back to nothing")
    stage.type("kubectl scale deployment/ping --replicas=0")
    stage.type("kubectl wait --for=delete pod -l app=ping --timeout=60s")
    # A Pod's object leaves first, then its job is purged.
    wait_until("Nomad to hold no job", lambda: not bed.nomad.api("/v1/jobs"), within=_READY_SECONDS)
    stage.type("kubectl get pods -l app=ping")
    stage.type("nomad job status")
    stage.look("No Pod in Kubernetes, no job in Nomad.")
    stage.type("kubectl delete -f deploy/examples/ping.yaml")


def _stay(bed: Bed, log: Path) -> None:
    click.secho("\n── Your turn, until Ctrl-C", bold=True)
    for name, value in bed.environment().items():
        click.echo(f"export {name}={value}")
    click.echo(f"export PATH={binary('nomad').parent}:$PATH")
    click.echo(f"# Nomad's UI: {bed.nomad.address}/ui   vnode's log: {log}")
    sys.stdout.flush()
    try:
        signal.pause()
    except KeyboardInterrupt:
        click.echo()


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except BedError as problem:
        sys.exit(f"error: {problem}")
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
