"""docs/security.md gives a reason for every right that deploy/ asks for."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text()
RULES = [
    rule
    for folder in ("base/vnode", "components/server-tls-bootstrap", "components/persistent-volumes")
    for manifest in yaml.safe_load_all((ROOT / "deploy" / folder / "rbac.yaml").read_text())
    for rule in manifest.get("rules", ())
]
POLICY = "".join(
    (ROOT / "deploy" / folder / "nomad-policy.hcl").read_text()
    for folder in ("base/vnode", "components/persistent-volumes")
)
RIGHTS = sorted({(resource, verb) for rule in RULES for resource in rule["resources"] for verb in rule["verbs"]})
CAPABILITIES = sorted(
    {name for found in re.findall(r"capabilities = \[(.*)\]", POLICY) for name in re.findall(r"[\w-]+", found)}
)


@pytest.mark.parametrize(("resource", "verb"), RIGHTS)
def test_a_right_in_kubernetes_has_a_row(resource: str, verb: str) -> None:
    rows = re.findall(rf"^\| {re.escape(resource)}\b(?!/)[^|]*\|([^|]*)\|", PAGE, re.MULTILINE)
    assert verb in {each.strip() for row in rows for each in row.split(",")}


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_a_capability_in_nomad_has_a_row(capability: str) -> None:
    assert re.search(rf"^\|[^|]*`{capability}`", PAGE, re.MULTILINE)
