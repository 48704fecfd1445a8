"""Command line of the bench: ``python -m tests.bench``."""

import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from tests.bench import bursts, data, rate, report, sample, standing, streams
from tests.bench.errors import MeasurementError, sentences
from tests.bench.results import Results
from tests.bench.site import Plan, Site, open_site
from tests.bench.workload import JobTemplate
from tests.e2e.bed.bed import PROFILES, REPOSITORY, Bed, Profile
from tests.e2e.bed.errors import BedError

_LETTERS = "abcdefgh"
_BURSTS, _STANDING = frozenset("ab"), frozenset("def")
_MOST_WITH_LOGS = 200
T = TypeVar("T")


def _letters(_: click.Context, __: click.Parameter, value: str) -> frozenset[str]:
    chosen = frozenset(letter.strip() for letter in value.split(","))
    if unknown := chosen - set(_LETTERS):
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: there are {', '.join(_LETTERS)}")
    return chosen


@click.command(help=__doc__)
@click.option("--pods", default=1000, show_default=True, type=click.IntRange(1, 10_000), help="Pods of a burst.")
@click.option("--repeat", default=1, show_default=True, type=click.IntRange(1, 20), help="Rounds of (a) and (b).")
@click.option("--only", default=",".join(_LETTERS), show_default=True, callback=_letters, help="Parts to measure.")
@click.option("--concurrency", default=20, show_default=True, type=click.IntRange(1, 200), help="Requests in flight.")
@click.option("--rate", default=20.0, show_default=True, help="Pods per second of (c).")
@click.option("--rate-seconds", default=30.0, show_default=True, help="How long (c) creates Pods.")
@click.option("--idle-seconds", default=60.0, show_default=True, help="How long (d) watches.")
@click.option("--sample", default=100, show_default=True, type=click.IntRange(1, 1000), help="Pods of the warm-up.")
@click.option("--shared", default=500, show_default=True, type=click.IntRange(1, 1000), help="Pods of (h).")
@click.option("--within", default=600.0, show_default=True, help="Longest wait for the last of all Pods, seconds.")
@click.option("--profile", type=click.Choice(PROFILES), default="plain", show_default=True, help="Of the bed.")
@click.option(
    "--directory", type=click.Path(path_type=Path), help="Where the bed lives; kept. Default: a temporary one."
)
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="Default: in bench-results/.")
def main(*, profile: Profile, directory: Path | None, file: Path | None, **plan: Any) -> None:
    """Measure, print, write."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    when, machine = datetime.now(UTC), report.machine()
    file = file or REPOSITORY / "bench-results" / f"{when:%Y%m%d-%H%M%S}.json"
    with contextlib.ExitStack() as stack:
        place = directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hashinetes-bench-")))
        say = _clock()
        say("starting the bed")
        bed = stack.enter_context(Bed.start(place, profile=profile))
        results = asyncio.run(_measure(bed, Plan(**plan), say))
        if results.failures:
            logs = shutil.copytree(bed.logs, file.with_suffix(".logs"), ignore=shutil.ignore_patterns("audit*.log"))
            say(f"what the servers logged is in {logs}")
    click.echo(f"\n{report.table(results.figures())}\n")
    report.write(file, results, machine, when)
    click.echo(file)
    for note in results.notes():
        click.echo(f"note: {note}", err=True)
    for failure in results.failures:
        click.echo(f"error: {failure}", err=True)
    sys.exit(1 if results.failures else 0)


async def _measure(bed: Bed, plan: Plan, say: Callable[[str], None]) -> Results:
    results = Results(plan)
    async with open_site(bed, plan, say) as site:
        attempt = partial(_attempt, results, site)
        if "g" in plan.only:
            results.streams = await attempt("(g) streams, beside a real kubelet", streams.measure(site))
        if plan.only == {"g"}:
            return results
        taken = await attempt(f"sample: {plan.sample} Pods behind the recorder", sample.take(site))
        if taken is None:
            return results
        results.sample = taken
        if not taken.template.logs_disabled and plan.pods > _MOST_WITH_LOGS:
            results.failures.append(
                f"the jobs collect logs (LogConfig.Disabled is not set), a process of 10 MB each: not with {plan.pods}"
            )
            return results
        await _measure_bursts(results, site, taken.template)
        if "c" in plan.only:
            await _measure_rates(results, site, taken.template)
        if plan.only & _STANDING:
            results.standing = await attempt(f"(d, e, f) {plan.pods} standing Pods", standing.measure(site))
        if "h" in plan.only:
            results.shared = await attempt(f"(h) {plan.shared} Pods share a ConfigMap", data.shared(site))
    return results


async def _measure_rates(results: Results, site: Site, template: JobTemplate) -> None:
    """At the rate of the plan and, on a slower machine than that of the bars, at what is as much for this one."""
    plan = results.plan
    title = f"(c) {plan.rate:g} a second for {plan.rate_seconds:g} s"
    results.rate = await _attempt(results, site, title, rate.measure(site, template, plan.rate))
    if (even := results.even_rate) is not None:
        title = f"(c) {even:.1f} a second, which are for this machine what {plan.rate:g} are for that of the bars"
        results.even = await _attempt(results, site, title, rate.measure(site, template, even))


async def _measure_bursts(results: Results, site: Site, template: JobTemplate) -> None:
    plan, attempt = site.plan, partial(_attempt, results, site)
    if plan.only & _BURSTS:
        await attempt("warm-up of Nomad alone", bursts.directly(site, template, plan.sample))
        for number in range(plan.repeat):
            title = f"(a, b) {plan.pods} at once, round {number + 1} of {plan.repeat}"
            if round_ := await attempt(title, bursts.compare(site, template, number)):
                results.rounds.append(round_)
    if "b" in plan.only:
        results.tokens = await attempt(f"(b) {plan.sample} Pods with the default token", data.tokens(site))


async def _attempt(results: Results, site: Site, title: str, part: Coroutine[Any, Any, T]) -> T | None:
    """One part of the run; what it could not measure becomes a sentence, and the next part begins on a clear site."""
    site.say(title)
    failures: list[str] = []
    measured: T | None = None
    try:
        measured = await part
    except* (MeasurementError, BedError) as problem:
        failures = [f"{title}: {text}" for text in sentences(problem)]
    if failures:
        results.failures += failures
        site.say(f"  failed: {failures[0]}")
        await site.clear()
    return measured


def _clock() -> Callable[[str], None]:
    began = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f} s  {text}", err=True)

    return say


if __name__ == "__main__":
    try:
        main()
    except BedError as problem:
        sys.exit(f"error: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
