"""The table for people and the JSON for whoever compares runs."""

import dataclasses
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.results import Figure, Results
from tests.e2e.bed import binaries
from tests.e2e.bed.bed import REPOSITORY

_TITLES = ("", "figure", "value", "bar", "verdict", "reference")


def table(figures: Sequence[Figure]) -> str:
    """The figures in columns; numbers are aligned to the right."""
    rows = [_TITLES, *map(_cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    right = {2, 3}
    lines = [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(max(lines, key=len)), *lines[1:]])


def write(file: Path, results: Results, machine: dict[str, Any], when: datetime) -> None:
    """Everything, for machines."""
    content = {
        "when": when.isoformat(timespec="seconds"),
        "machine": machine,
        "figures": [{**_fields(figure), "verdict": figure.verdict} for figure in results.figures()],
        "notes": results.notes(),
        "measured": results,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2, default=_plain) + "\n")


def machine() -> dict[str, Any]:
    """Where and with what it was measured; `load` is the load average before the bed started."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "nomad": binaries.pinned("nomad", "github.com/hashicorp/nomad"),
        "kubernetes": binaries.pinned("kubernetes", "k8s.io/kubernetes"),
        "commit": _commit(),
    }


def _cells(figure: Figure) -> tuple[str, ...]:
    bar = "" if figure.bar is None else f"≤ {_number(figure.bar)}"
    return (
        figure.section,
        figure.name,
        "-" if figure.value is None else f"{_number(figure.value)} {figure.unit}".rstrip(),
        f"{bar} (aim {_number(figure.aim)})" if figure.aim is not None else bar,
        figure.verdict,
        figure.reference,
    )


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _fields(record: Any) -> dict[str, Any]:
    # dataclasses.asdict spoils a Counter: it makes a new one of the pairs, and counts those.
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return _fields(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not for JSON")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _commit() -> str:
    command = ("git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--exclude=*")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
