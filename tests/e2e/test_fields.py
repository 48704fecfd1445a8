"""Every field of a Pod that the real API server knows has a row that says what becomes of it."""

import os
from pathlib import Path

from tests.e2e import fields
from tests.e2e.bed.bed import REPOSITORY, Bed
from translators import support

_STORED = Path("tests/unit/translators/fields_of_kubernetes.txt")


def test_every_field_that_the_api_server_describes_has_a_row(bed: Bed) -> None:
    found = fields.paths(bed.control_plane.api("/openapi/v3/api/v1"))
    stored = REPOSITORY / _STORED
    if os.environ.get("HASHINETES_STORE_FIELDS"):
        stored.write_text("".join(f"{path}\n" for path in found))
    rows = {row.path for row in support.rows()}
    assert sorted(set(found) - rows) == [], "fields without a row in translators/fields.py"
    assert sorted(rows - set(found)) == [], "rows for what is no field"
    assert stored.read_text().split() == found, f"HASHINETES_STORE_FIELDS=1 scripts/e2e {__file__} writes {_STORED}"
