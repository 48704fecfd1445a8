"""Command line of the bed, for people and scripts: ``python -m tests.e2e.bed build | up``."""

import contextlib
import shlex
import signal
import sys
import tempfile
from pathlib import Path

import click

from tests.e2e.bed import binaries, kubectls
from tests.e2e.bed import real_node as real_nodes
from tests.e2e.bed.bed import PROFILES, Bed, Profile
from tests.e2e.bed.errors import BedError


@click.group(help=__doc__)
def main() -> None:
    """Read the sub-command."""


@main.command()
def build() -> None:
    """Build or find every binary of the bed and print where it is."""
    for tool in binaries.TOOLS:
        path = binaries.find(tool)
        if path is None:
            click.echo(f"{tool.name}: building, which takes some minutes per module the first time …", err=True)
            path = binaries.build(tool)
        click.echo(f"{tool.name}\t{path}")
    click.echo(f"kubectl\t{kubectls.kubectl()}")
    for version in kubectls.VERSIONS:
        click.echo(f"kubectl {version}\t{kubectls.kubectl(version)}")


@main.command()
@click.option("--profile", type=click.Choice(PROFILES), default="plain", show_default=True)
@click.option(
    "--directory", type=click.Path(path_type=Path), help="An empty or new directory; default: a temporary one."
)
@click.option("--vnode/--no-vnode", default=False, help="Run vnode as well.")
@click.option("--real-node/--no-real-node", default=False, help="Run a Node with a kubelet as well, called real.")
def up(profile: Profile, directory: Path | None, *, vnode: bool, real_node: bool) -> None:
    """Run a bed until SIGINT or SIGTERM; prints exports for kubectl, nomad and docker."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Also while starting: an exception unwinds what has been started so far.
        signal.signal(number, _interrupt)
    with contextlib.ExitStack() as stack:
        place = directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hashinetes-bed-")))
        bed = stack.enter_context(Bed.start(place, profile=profile))
        click.echo(f"# A {profile} bed in {place}, up in {bed.started_in:.1f} s. Logs: {bed.logs}")
        for name, value in bed.environment().items():
            click.echo(f"export {name}={shlex.quote(value)}")
        if profile == "secured":
            bed.bind_workloads("default")
        if vnode:
            click.echo(f"# vnode runs; its log: {stack.enter_context(bed.vnode()).log}")
        else:
            exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in bed.vnode_environment().items())
            arguments = [*bed.vnode_arguments(), *bed.serving_arguments()]
            click.echo(f"# {exports} vnode run {shlex.join(arguments)}")
        if real_node:
            click.echo(f"# A kubelet runs; its log: {stack.enter_context(real_nodes.real_node(bed)).kubelet.log}")
        click.echo("# Ctrl-C ends it.")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        main()
    except BedError as problem:
        sys.exit(f"error: {problem}")
