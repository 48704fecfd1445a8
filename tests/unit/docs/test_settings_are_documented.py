"""docs/install.md lists every setting in the words of `vnode run --help`, and none that does not exist."""

import html
import re
from pathlib import Path

import pytest

from vnode.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "install.md").read_text()
ROWS = dict(re.findall(r"^\| `(?:--)?([a-z-]+)` \|(.*)$", PAGE, re.MULTILINE))


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_has_a_row_with_its_description(name: str) -> None:
    row = ROWS.get(name.replace("_", "-"))
    assert row is not None, f"docs/install.md has no row for {name}"
    assert str(Settings.model_fields[name].description) in html.unescape(row)


def test_every_row_is_a_setting() -> None:
    assert {flag.replace("-", "_") for flag in ROWS} == set(Settings.model_fields)
