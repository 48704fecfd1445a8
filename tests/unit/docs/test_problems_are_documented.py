"""docs/doctor.md lists every problem that `vnode doctor` knows, in its words, and none that it does not."""

import html
import re
from pathlib import Path

import pytest

from vnode.doctor.problems import Problem

PAGE = (Path(__file__).parents[3] / "docs" / "doctor.md").read_text()
ROWS = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", PAGE, re.MULTILINE))


@pytest.mark.parametrize("problem", Problem)
def test_a_problem_has_a_row(problem: Problem) -> None:
    # What is filled in stands in angle brackets there.
    advice = re.sub(r"(?<!\{)\{(\w+)\}(?!\})", r"<\1>", problem.advice).replace("{{", "{").replace("}}", "}")
    row = [html.unescape(cell.strip()) for cell in ROWS[problem.id].split(" | ")]
    assert row == [problem.status.value, problem.meaning, advice]


def test_every_row_is_a_problem() -> None:
    assert list(ROWS) == [problem.id for problem in Problem]
