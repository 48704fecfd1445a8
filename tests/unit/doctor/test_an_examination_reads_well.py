"""Order, skipping, words: what a person sees when nothing is there yet."""

from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from vnode import doctor
from vnode.doctor.findings import fine, skipped, trouble
from vnode.doctor.problems import Problem, Status
from vnode.settings import Settings, load

SECRET = "5e7b4dd9-0850-e94b-22e3-286699419a90"
NOBODY = ("http://127.0.0.1:9", "http://127.0.0.1:10")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load({"kubeconfig": tmp_path / "nowhere", "nomad_address": NOBODY, "nomad_token": SECRET}, None)


async def test_every_check_is_named_whether_it_was_made_or_not(settings: Settings) -> None:
    findings = await doctor.examine(settings)
    assert [(finding.status, finding.checked) for finding in findings] == [
        (Status.FAILURE, "credentials for Kubernetes"),
        (Status.SKIPPED, "Kubernetes API"),
        (Status.SKIPPED, "version of Kubernetes"),
        (Status.SKIPPED, "identity in Kubernetes"),
        (Status.SKIPPED, "clock of Kubernetes"),
        (Status.SKIPPED, "rights in Kubernetes"),
        (Status.SKIPPED, "authority of the API server's client certificate"),
        (Status.WARNING, "serving certificate"),
        (Status.FAILURE, f"Nomad at {NOBODY[0]}"),
        (Status.FAILURE, f"Nomad at {NOBODY[1]}"),
        (Status.SKIPPED, "leader of Nomad"),
        (Status.SKIPPED, "clock of Nomad"),
        (Status.SKIPPED, "region of Nomad"),
        (Status.SKIPPED, "Nomad token"),
        (Status.SKIPPED, "Nomad namespaces"),
        (Status.SKIPPED, "capabilities"),
        (Status.SKIPPED, "clients of the node pool"),
        (Status.SKIPPED, "drivers"),
        (Status.SKIPPED, "versions of Nomad"),
        (Status.SKIPPED, "gc_max_allocs of the clients"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"nomad_address": (f"http://user:{SECRET}@127.0.0.1:9",)},
        {"nomad_token": f"{SECRET} with a blank"},
        {"nomad_token": f"{SECRET}\nX-Evil: yes"},
    ],
)
async def test_no_secret_is_shown(settings: Settings, changes: dict[str, object]) -> None:
    wrong = load({**settings.model_dump(), **changes}, None)
    findings = await doctor.examine(wrong)
    assert any(finding.fails for finding in findings)
    assert SECRET not in "\n".join(map(str, findings)) + repr(findings)


@pytest.mark.parametrize("flag", ["nomad_ca_cert", "nomad_token_file"])
async def test_a_file_that_is_not_there_is_named_with_its_flag(settings: Settings, flag: str) -> None:
    wrong = settings.model_copy(update={flag: Path("/nowhere")})
    (finding,) = (each for each in await doctor.examine(wrong) if each.problem is Problem.NOMAD_SETTINGS)
    assert finding.found == f"--{flag.replace('_', '-')} /nowhere: No such file or directory"


async def test_a_file_without_certificates_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("not PEM")
    wrong = settings.model_copy(
        update={"nomad_ca_cert": tmp_path / "ca.crt", "nomad_address": ("https://127.0.0.1:9",)}
    )
    (finding,) = (each for each in await doctor.examine(wrong) if each.problem is Problem.NOMAD_SETTINGS)
    assert finding.found.startswith(f"--nomad-ca-cert {tmp_path}/ca.crt: it holds no certificate in PEM")


def test_a_finding_is_a_line_and_what_to_do_another() -> None:
    finding = trouble(Problem.NOMAD_REGION, "region of Nomad", "mars is not known", regions="eu, us")
    assert str(finding) == (
        "failure  region of Nomad: mars is not known [nomad-region]\n         -> Set --nomad-region to one of: eu, us."
    )
    assert str(fine("driver docker", "healthy")) == "ok       driver docker: healthy"
    assert str(skipped("drivers", "because")) == "skipped  drivers: not checked, because"


def test_only_failures_fail() -> None:
    assert [status for status in Status if trouble(Problem.RBAC, "", "", status=status, user="").fails] == [
        Status.FAILURE
    ]


@pytest.mark.parametrize("problem", Problem)
def test_every_problem_says_what_to_do(problem: Problem) -> None:
    fields = {name for _, name, _, _ in Formatter().parse(problem.advice) if name}
    details: dict[str, Any] = dict.fromkeys(fields, "SEEN")
    finding = trouble(problem, "", "", status=None, **details)
    assert finding.advice.count("SEEN") >= len(fields)
    assert finding.advice.endswith(".")
    assert "{{" not in finding.advice + problem.meaning
    assert problem.status in {Status.HINT, Status.WARNING, Status.FAILURE}
