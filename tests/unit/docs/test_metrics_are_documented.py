"""docs/operations.md names every series that vnode serves, and none that it does not."""

import re
from pathlib import Path

from vnode.metrics import Metrics

PAGE = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()


def served() -> set[str]:
    families = Metrics().registry.collect()
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families}


def test_every_series_has_a_row() -> None:
    assert set(re.findall(r"^\| `(vnode_\w+)", PAGE, re.MULTILINE)) == served()
