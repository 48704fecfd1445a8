"""The command line: flags become settings, failures become sentences and exit codes.

Exit codes: 0 fine, 1 something failed or was found, 2 the command was given wrongly.
"""

import asyncio
import functools
import importlib.util
import sys
import typing
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click
import yaml
from pydantic_core import from_json, to_json

from vnode import __version__, app, garbage, logs, translation
from vnode.connections import StartError
from vnode.errors import PeerError
from vnode.settings import Settings, SettingsError, load

T = typing.TypeVar("T")

_FILE_ONLY = frozenset({"devices", "policy", "priorities"})


def _option(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A click option for a setting; its default stays None, so that environment and file can speak."""
    field = Settings.model_fields[name]
    flag = "--" + name.replace("_", "-")
    parts = {str(part) for part in (field.annotation, *typing.get_args(field.annotation))}
    if field.annotation is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=field.description)
    multiple = typing.get_origin(field.annotation) is tuple
    secret = any("SecretStr" in part for part in parts)
    return click.option(
        flag,
        name,
        multiple=multiple,
        default=None,
        metavar="TEXT" if secret else None,
        help=field.description,
    )


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command every setting as a flag, and the settings that come out."""

    @functools.wraps(command)
    def run(*, config: Path | None, **given: Any) -> None:
        flags = {name: given.pop(name) for name in Settings.model_fields if name in given}
        present = {name: value for name, value in flags.items() if value is not None and value != ()}
        try:
            settings = load(present, config)
        except SettingsError as error:
            raise click.UsageError(str(error)) from None
        logs.configure(settings.log_level, settings.log_format)
        command(settings, **given)

    wrapped: Callable[..., None] = run
    for name in reversed([name for name in Settings.model_fields if name not in _FILE_ONLY]):
        wrapped = _option(name)(wrapped)
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option("--config", type=path, envvar="VNODE_CONFIG", help="YAML file with settings.")(wrapped)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Run Kubernetes Pods on HashiCorp Nomad."""


@main.command()
@_with_settings
def run(settings: Settings) -> None:
    """Register the virtual Node and serve it until SIGTERM."""
    _run(app.run(settings))


@main.command("doctor")
@_with_settings
def examine(settings: Settings) -> None:
    """Check everything that a run needs, and say what to do about each failure."""
    from vnode import doctor  # noqa: PLC0415 - its libraries are not for a run

    findings = _run(doctor.examine(settings))
    for finding in findings:
        click.echo(str(finding))
    _finish(1 if any(finding.fails for finding in findings) else 0)


@main.command()
@click.option("--filename", "-f", type=click.File("rb"), required=True, help="Pod manifest, YAML or JSON; - is stdin.")
@_with_settings
def translate(settings: Settings, filename: typing.BinaryIO) -> None:
    """Print the Nomad job of a Pod, and every warning, without any server."""
    try:
        documents = [document for document in yaml.safe_load_all(filename) if document]
    except yaml.YAMLError as error:
        raise click.UsageError(f"--filename is not YAML: {error}") from None
    failed = False
    for document in documents:
        result = translation.translate_manifest(document, settings)
        for line in result.messages:
            click.echo(line, err=True)
        if result.job is not None:
            click.echo(to_json(from_json(result.job), indent=2).decode())
        failed = failed or result.job is None
    _finish(1 if failed else 0)


@main.command()
@click.option("--all", "everything", is_flag=True, help="Remove every job of this Node, its Pods or not.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@_with_settings
def gc(settings: Settings, *, everything: bool, dry_run: bool) -> None:
    """Remove jobs of this Node whose Pods are gone, for instance after an uninstall."""
    for line in _run(garbage.collect(settings, everything=everything, dry_run=dry_run)):
        click.echo(line)


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(f"vnode {__version__}")


def _run(work: Coroutine[object, object, T]) -> T:
    """Run a command, on uvloop where that is installed; what a person has to mend is a sentence, not a traceback."""
    try:
        with asyncio.Runner(loop_factory=_fast_loop()) as runner:
            return runner.run(work)
    except (StartError, PeerError) as error:
        raise click.ClickException(str(error)) from None


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    return typing.cast("Callable[[], asyncio.AbstractEventLoop]", importlib.import_module("uvloop").new_event_loop)


def _finish(code: int) -> None:
    sys.exit(code)
