"""`vnode doctor` on real servers: every finding is provoked, and names what was done."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.bed import kubeconfigs
from tests.e2e.bed.bed import REPOSITORY, RIGHTS, Bed
from tests.e2e.bed.nomad import NAMESPACE, POLICY
from tests.e2e.bed.processes import wait_until
from vnode import doctor
from vnode.doctor.access import CAPABILITIES, OF_VOLUMES
from vnode.doctor.findings import Finding
from vnode.doctor.kubernetes import needed_rights
from vnode.doctor.probes import Verdicts, probe
from vnode.doctor.problems import Problem, Status
from vnode.nomad.settings import NomadSettings
from vnode.nomad.transport import connect
from vnode.settings import Settings

_UNUSED_PORT = 9
_USER = "system:serviceaccount:vnode:doctor"


@dataclass(frozen=True)
class Clinic:
    """The settings of a run on the bed, one thing changed at a time."""

    bed: Bed
    kubeconfig: Path

    def settings(self, **changes: Any) -> Settings:
        nomad, serving = self.bed.nomad, self.bed.control_plane.kubelet_serving
        usual: dict[str, Any] = {
            "kubeconfig": self.kubeconfig,
            "node_address": self.bed.node_address,
            "kubelet_certificate": serving.certificate,
            "kubelet_key": serving.key,
            "nomad_address": (nomad.address,),
            "nomad_token": nomad.vnode_token or "",
        }
        if nomad.security and nomad.cli:
            usual["nomad_ca_cert"] = nomad.security.authority
            usual["nomad_client_cert"] = nomad.cli.certificate
            usual["nomad_client_key"] = nomad.cli.key
        return Settings(**{**usual, **changes})

    async def findings(self, *, ahead: float = 0, **changes: Any) -> Sequence[Finding]:
        return await doctor.examine(self.settings(**changes), lambda: datetime.now(UTC) + timedelta(seconds=ahead))

    async def problems(self, **changes: Any) -> dict[Problem, list[Finding]]:
        found: dict[Problem, list[Finding]] = {}
        for finding in await self.findings(**changes):
            if finding.problem:
                found.setdefault(finding.problem, []).append(finding)
        return found

    @contextmanager
    def token(self, rules: str, *, role: bool = False) -> Iterator[str]:
        """A token with these rules, by a policy or by a role."""
        api = self.bed.nomad.api
        api("/v1/acl/policy/doctor", "POST", {"Name": "doctor", "Rules": rules})
        wanted: dict[str, Any] = {"Name": "doctor", "Type": "client", "Policies": ["doctor"]}
        if role:
            made = api("/v1/acl/role", "POST", {"Name": "doctor", "Policies": [{"Name": "doctor"}]})
            wanted = {"Name": "doctor", "Type": "client", "Roles": [{"ID": made["ID"]}]}
        token = api("/v1/acl/token", "POST", wanted)
        try:
            yield str(token["SecretID"])
        finally:
            api(f"/v1/acl/token/{token['AccessorID']}", "DELETE")
            if role:
                api(f"/v1/acl/role/{made['ID']}", "DELETE")
            api("/v1/acl/policy/doctor", "DELETE")


@pytest.fixture(scope="module")
def kubeconfig(bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    # Not vnode's own account: what that one asks for is compared with its rights elsewhere.
    with _account(bed, "doctor") as token:
        yield _kubeconfig(bed, tmp_path_factory.mktemp("doctor"), token=token)


@pytest.fixture
def clinic(bed: Bed, kubeconfig: Path) -> Clinic:
    return Clinic(bed, kubeconfig)


@pytest.fixture
def secured(clinic: Clinic) -> Clinic:
    if clinic.bed.profile != "secured":
        pytest.skip("is about ACLs or TLS, which this profile has not")
    return clinic


@pytest.fixture(scope="module")
def open_nomad(bed: Bed) -> Iterator[str]:
    """The address of a Nomad without TLS and ACLs."""
    with bed.nomad.beside_an_open_one() as address:
        yield address


def without(capability: str) -> str:
    """The policy that we ship, less one capability."""
    rules = POLICY.read_text()
    if capability == "node:read":
        return rules.replace('policy = "read"', 'policy = "deny"')
    name = capability.removeprefix("variables:")
    return rules.replace(f'"{name}", ', "").replace(f', "{name}"', "")


#: A namespace's policy says nothing of variables.
_EVERYTHING = """
  policy = "write"
  variables {
    path "*" {
      capabilities = ["read", "write", "destroy"]
    }
  }
"""


class TestHealthy:
    async def test_a_site_done_properly_has_no_failure_and_no_warning(self, secured: Clinic) -> None:
        findings = await secured.findings()
        assert {finding.status for finding in findings} == {Status.OK, Status.HINT}
        assert len(findings) >= 15

    async def test_the_command_ends_with_0_or_1_and_shows_no_secret(self, secured: Clinic) -> None:
        bed = secured.bed
        command = [
            sys.executable,
            "-m",
            "vnode",
            "doctor",
            *bed.vnode_arguments(),
            *bed.serving_arguments(),
            f"--kubeconfig={secured.kubeconfig}",
        ]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **bed.vnode_environment()}
        run = partial(subprocess.run, capture_output=True, text=True, env=environment, check=False)
        well = await asyncio.to_thread(run, command)
        ill = await asyncio.to_thread(run, [*command, "--node-pool=nowhere"])
        assert (well.returncode, ill.returncode) == (0, 1), well.stdout + well.stderr
        assert "[nomad-pool-empty]" in ill.stdout
        tokens = [bed.nomad.vnode_token, _kubernetes_token(secured.kubeconfig)]
        assert all(token and token not in well.stdout + well.stderr + ill.stdout + ill.stderr for token in tokens)

    async def test_nothing_is_written(self, secured: Clinic) -> None:
        paths = "/v1/jobs?namespace=*", "/v1/evaluations?namespace=*", "/v1/acl/tokens"
        before = [secured.bed.nomad.api(path) for path in paths]
        began = datetime.now(UTC)
        await secured.findings()
        assert [secured.bed.nomad.api(path) for path in paths] == before
        with secured.bed.audit_log.open() as log:
            events = [json.loads(line) for line in log]
        ours = [
            event
            for event in events
            if event["user"]["username"] == _USER and datetime.fromisoformat(event["requestReceivedTimestamp"]) >= began
        ]
        assert ours
        written = {event["objectRef"]["resource"] for event in ours if event["verb"] not in {"get", "list"}}
        assert written == {"selfsubjectreviews", "selfsubjectaccessreviews"}


class TestNomadsDoor:
    async def test_nobody_at_the_address(self, clinic: Clinic) -> None:
        found = await clinic.problems(nomad_address=(f"https://127.0.0.1:{_UNUSED_PORT}",))
        (finding,) = found[Problem.NOMAD_ADDRESS]
        assert finding.fails
        assert "--nomad-address" in finding.advice

    async def test_what_cannot_be_checked_behind_it_says_so(self, clinic: Clinic) -> None:
        findings = await clinic.findings(nomad_address=(f"http://127.0.0.1:{_UNUSED_PORT}",))
        skipped = [finding for finding in findings if finding.status is Status.SKIPPED]
        assert len(skipped) == 10
        assert all("no address of Nomad answers" in finding.found for finding in skipped)

    async def test_a_name_that_is_not_known(self, clinic: Clinic) -> None:
        (finding,) = (await clinic.problems(nomad_address=("http://nomad.invalid:4646",)))[Problem.NOMAD_ADDRESS]
        assert "not known" in finding.found

    async def test_one_of_two_addresses_is_no_failure(self, clinic: Clinic) -> None:
        addresses = f"http://127.0.0.1:{_UNUSED_PORT}", clinic.bed.nomad.address
        findings = await clinic.findings(nomad_address=addresses)
        assert Problem.NOMAD_ADDRESS in {finding.problem for finding in findings}
        assert not any(finding.fails for finding in findings)

    async def test_another_name_in_the_certificate(self, secured: Clinic) -> None:
        (finding,) = (await secured.problems(nomad_tls_server_name="server.mars.nomad"))[Problem.NOMAD_TLS_NAME]
        assert "server.mars.nomad" in finding.found
        assert "--nomad-tls-server-name server.global.nomad" in finding.advice

    async def test_the_name_in_the_certificate(self, secured: Clinic) -> None:
        findings = await secured.findings(nomad_tls_server_name="server.global.nomad")
        assert not any(finding.fails for finding in findings)

    async def test_another_authority(self, secured: Clinic) -> None:
        other = secured.bed.control_plane.authority.certificate
        (finding,) = (await secured.problems(nomad_ca_cert=other))[Problem.NOMAD_CA]
        assert str(other) in finding.found
        assert "--nomad-ca-cert" in finding.advice

    async def test_no_authority(self, secured: Clinic) -> None:
        assert Problem.NOMAD_CA in await secured.problems(nomad_ca_cert=None)

    async def test_no_client_certificate(self, secured: Clinic) -> None:
        found = await secured.problems(nomad_client_cert=None, nomad_client_key=None)
        (finding,) = found[Problem.NOMAD_CLIENT_CERT]
        assert "none was shown" in finding.found
        assert "--nomad-client-cert" in finding.advice

    async def test_a_client_certificate_of_another_authority(self, secured: Clinic) -> None:
        admin = secured.bed.control_plane.admin
        found = await secured.problems(nomad_client_cert=admin.certificate, nomad_client_key=admin.key)
        (finding,) = found[Problem.NOMAD_CLIENT_CERT]
        assert str(admin.certificate) in finding.found

    async def test_http_where_nomad_speaks_tls(self, secured: Clinic) -> None:
        address = secured.bed.nomad.address
        found = await secured.problems(nomad_address=(address.replace("https:", "http:"),))
        (finding,) = found[Problem.NOMAD_SCHEME]
        assert address in finding.advice

    async def test_https_where_nomad_speaks_no_tls(self, clinic: Clinic, open_nomad: str) -> None:
        address = open_nomad
        found = await clinic.problems(nomad_address=(address.replace("http:", "https:"),))
        (finding,) = found[Problem.NOMAD_SCHEME]
        assert address in finding.advice

    async def test_files_that_do_not_belong_together(self, secured: Clinic) -> None:
        found = await secured.problems(nomad_client_key=secured.bed.control_plane.admin.key)
        (finding,) = found[Problem.NOMAD_SETTINGS]
        assert "--nomad-client-key" in finding.found

    async def test_a_file_that_is_not_there(self, clinic: Clinic) -> None:
        (finding,) = (await clinic.problems(nomad_ca_cert=Path("/nowhere.crt")))[Problem.NOMAD_SETTINGS]
        assert finding.found == "--nomad-ca-cert /nowhere.crt: No such file or directory"

    async def test_an_unknown_region(self, clinic: Clinic) -> None:
        (finding,) = (await clinic.problems(nomad_region="mars"))[Problem.NOMAD_REGION]
        assert "global" in finding.advice


class TestNomadsToken:
    @pytest.mark.parametrize("token", ["11111111-1111-1111-1111-111111111111", "no-uuid", ""])
    async def test_unknown_or_missing(self, secured: Clinic, token: str) -> None:
        found = await secured.problems(nomad_token=token)
        (finding,) = found[Problem.NOMAD_TOKEN]
        assert finding.fails
        assert not token or token not in str(finding)
        assert Problem.NOMAD_CAPABILITY not in found

    async def test_of_management(self, secured: Clinic) -> None:
        found = await secured.problems(nomad_token=secured.bed.nomad.management_token)
        assert found[Problem.NOMAD_MANAGEMENT_TOKEN][0].status is Status.WARNING

    async def test_acls_off(self, clinic: Clinic, open_nomad: str) -> None:
        found = await clinic.problems(nomad_address=(open_nomad,), nomad_token="")
        (finding,) = found[Problem.NOMAD_ACL_OFF]
        assert not finding.fails

    @pytest.mark.parametrize("capability", [*CAPABILITIES, "node:read"])
    async def test_each_missing_capability(self, secured: Clinic, capability: str) -> None:
        with secured.token(without(capability)) as token:
            lacking = (await secured.problems(nomad_token=token)).get(Problem.NOMAD_CAPABILITY, [])
        assert [finding.checked.split()[1] for finding in lacking] == [capability]
        assert all(finding.fails and capability.partition(":")[0] in finding.advice for finding in lacking)

    async def test_volumes_where_claims_are_served(self, secured: Clinic) -> None:
        told = {Problem.NOMAD_CAPABILITY, Problem.NOMAD_CAPABILITY_UNKNOWN, Problem.RBAC}
        assert not told & set(await secured.problems(persistent_volumes=True))
        with secured.token(POLICY.read_text()) as poor:
            found = (await secured.problems(nomad_token=poor, persistent_volumes=True))[Problem.NOMAD_CAPABILITY]
            assert {finding.checked.split()[1] for finding in found} == set(OF_VOLUMES)
            assert not told & set(await secured.problems(nomad_token=poor))

    @pytest.mark.parametrize(
        "rules",
        [
            f'namespace "*" {{ {_EVERYTHING} }}\nnode {{ policy = "read" }}',
            f'namespace "def*" {{ {_EVERYTHING} }}\nnamespace "*" {{ policy = "deny" }}\nnode {{ policy = "write" }}',
        ],
    )
    @pytest.mark.parametrize("role", [False, True], ids=["by policy", "by role"])
    async def test_other_policies_that_suffice(self, secured: Clinic, rules: str, *, role: bool) -> None:
        with secured.token(rules, role=role) as token:
            findings = await secured.findings(nomad_token=token)
        assert [finding for finding in findings if finding.fails] == []

    @pytest.mark.parametrize("capability", ["", *CAPABILITIES])
    async def test_trying_tells_the_same_as_the_policies(self, secured: Clinic, capability: str) -> None:
        with _running_job(secured.bed), secured.token(without(capability)) as token:
            verdicts = await _tried(secured, token)
        expected: dict[str, bool | None] = {name: name != capability for name in CAPABILITIES}
        if capability == "read-job":
            # Without it no allocation is shown to try the rest on.
            expected |= dict.fromkeys(("alloc-lifecycle", "alloc-exec", "read-fs"))
        assert verdicts == expected

    async def test_trying_leaves_no_trace(self, secured: Clinic) -> None:
        with _running_job(secured.bed), secured.token(without("")) as token:
            paths = "/v1/jobs?namespace=*", "/v1/evaluations?namespace=*", "/v1/allocations?namespace=*"
            before = [secured.bed.nomad.api(path) for path in paths]
            await _tried(secured, token)
            assert [secured.bed.nomad.api(path) for path in paths] == before


class TestNomadsPlaces:
    async def test_a_namespace_that_does_not_exist(self, clinic: Clinic) -> None:
        (finding,) = (await clinic.problems(namespace_map="k8s-nope"))[Problem.NOMAD_NAMESPACE]
        assert "nomad namespace apply k8s-nope" in finding.advice

    async def test_a_pattern_that_leads_nowhere(self, clinic: Clinic) -> None:
        (finding,) = (await clinic.problems(namespace_map="nowhere-{namespace}"))[Problem.NOMAD_NAMESPACE]
        assert "nomad namespace apply nowhere-default" in finding.advice

    async def test_a_pattern_with_namespaces(self, secured: Clinic) -> None:
        findings = await secured.findings(namespace_map="k8s-{namespace}")
        (found,) = (finding for finding in findings if finding.checked == "Nomad namespaces")
        assert found.status is Status.OK
        assert NAMESPACE in found.found.split(", ")

    async def test_a_pool_without_clients(self, clinic: Clinic) -> None:
        (finding,) = (await clinic.problems(node_pool="nowhere"))[Problem.NOMAD_POOL_EMPTY]
        assert finding.fails
        assert 'node_pool = "nowhere"' in finding.advice

    async def test_datacenters_without_clients(self, clinic: Clinic) -> None:
        assert Problem.NOMAD_POOL_EMPTY in await clinic.problems(datacenters=("mars-*",))

    async def test_a_driver_that_no_client_has(self, clinic: Clinic) -> None:
        (finding,) = (await clinic.problems(default_driver="podman"))[Problem.NOMAD_DRIVER]
        assert finding.fails
        assert "--default-driver" in finding.advice

    async def test_a_small_gc_max_allocs(self, clinic: Clinic) -> None:
        rules = POLICY.read_text() + 'agent { policy = "read" }\n'
        with _small_gc(clinic.bed, "edge-1", 50):
            if clinic.bed.profile == "secured":
                with clinic.token(rules) as token:
                    found = await clinic.problems(nomad_token=token, node_pool="edge")
            else:
                found = await clinic.problems(node_pool="edge")
        (finding,) = found[Problem.GC_MAX_ALLOCS]
        assert finding.checked == "gc_max_allocs of client edge-1"
        assert finding.found.startswith("50;")
        assert "gc_max_allocs = 1000" in finding.advice

    async def test_a_gc_max_allocs_that_nobody_tells(self, secured: Clinic) -> None:
        (finding,) = (await secured.problems())[Problem.GC_MAX_ALLOCS_UNKNOWN]
        assert "agent:read" in finding.found


class TestClocks:
    @pytest.mark.parametrize(("ahead", "status"), [(20, Status.WARNING), (-20, Status.WARNING), (3600, Status.FAILURE)])
    async def test_a_clock_that_is_wrong(self, clinic: Clinic, ahead: float, status: Status) -> None:
        found = (await clinic.problems(ahead=ahead))[Problem.CLOCK_SKEW]
        assert [(finding.checked, finding.status) for finding in found] == [
            ("clock of Kubernetes", status),
            ("clock of Nomad", status),
        ]


class TestKubernetesDoor:
    async def test_no_kubeconfig(self, clinic: Clinic, tmp_path: Path) -> None:
        found = await clinic.problems(kubeconfig=tmp_path / "nowhere")
        assert found[Problem.KUBERNETES_CREDENTIALS][0].fails

    async def test_nobody_at_the_address(self, clinic: Clinic, tmp_path: Path) -> None:
        found = await clinic.problems(kubeconfig=_kubeconfig(clinic.bed, tmp_path, server="https://127.0.0.1:9"))
        assert found[Problem.KUBERNETES_ADDRESS][0].fails

    async def test_another_authority(self, secured: Clinic, tmp_path: Path) -> None:
        assert secured.bed.nomad.security
        other = secured.bed.nomad.security.authority
        found = await secured.problems(kubeconfig=_kubeconfig(secured.bed, tmp_path, authority=other))
        assert found[Problem.KUBERNETES_CA][0].fails

    async def test_another_name(self, clinic: Clinic, tmp_path: Path) -> None:
        kubeconfig = _kubeconfig(clinic.bed, tmp_path)
        content = yaml.safe_load(kubeconfig.read_text())
        content["clusters"][0]["cluster"]["tls-server-name"] = "another.example"
        kubeconfig.write_text(yaml.safe_dump(content))
        found = await clinic.problems(kubeconfig=kubeconfig)
        assert found[Problem.KUBERNETES_TLS_NAME][0].fails

    async def test_a_token_that_is_not_accepted(self, clinic: Clinic, tmp_path: Path) -> None:
        found = await clinic.problems(kubeconfig=_kubeconfig(clinic.bed, tmp_path, token="made-up"))
        assert found[Problem.KUBERNETES_CREDENTIALS][0].fails
        assert "made-up" not in str(found)


class TestRights:
    async def test_each_missing_right_is_named(self, clinic: Clinic, tmp_path: Path) -> None:
        with _account(clinic.bed, "doctor-lacking", lacking="pods/status") as token:
            found = await clinic.problems(kubeconfig=_kubeconfig(clinic.bed, tmp_path, token=token))
        checked = [finding.checked for finding in found[Problem.RBAC]]
        assert checked == ["right to patch pods/status"]
        assert "system:serviceaccount:vnode:doctor-lacking" in found[Problem.RBAC][0].advice

    async def test_no_rights_at_all(self, clinic: Clinic, tmp_path: Path) -> None:
        with _account(clinic.bed, "doctor-lacking", lacking="*") as token:
            kubeconfig = _kubeconfig(clinic.bed, tmp_path, token=token)
            found = await clinic.problems(kubeconfig=kubeconfig)
        needed = needed_rights(clinic.settings(kubeconfig=kubeconfig))
        assert [finding.checked for finding in found[Problem.RBAC]] == [f"right to {right}" for right in needed]
        assert len(needed) > 20
        assert found[Problem.CLIENT_CA][0].fails


class TestServingCertificate:
    async def test_none(self, clinic: Clinic) -> None:
        found = await clinic.problems(kubelet_certificate=None, kubelet_key=None)
        (finding,) = found[Problem.SERVING_SELF_SIGNED]
        assert finding.status is Status.WARNING
        assert "--kubelet-certificate-authority" in finding.advice

    async def test_of_another_authority(self, secured: Clinic) -> None:
        cli = secured.bed.nomad.cli
        assert cli
        found = await secured.problems(
            kubelet_certificate=cli.certificate, kubelet_key=cli.key, node_address="127.0.0.1"
        )
        (finding,) = found[Problem.SERVING_UNTRUSTED]
        assert "kubectl certificate approve" in finding.advice

    async def test_for_another_address(self, clinic: Clinic) -> None:
        (finding,) = (await clinic.problems(node_address="192.0.2.7"))[Problem.SERVING_NAME]
        assert "192.0.2.7" in finding.advice


def _kubernetes_token(kubeconfig: Path) -> str:
    return str(yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]["token"])


def _kubeconfig(
    bed: Bed, folder: Path, *, server: str | None = None, authority: Path | None = None, token: str = ""
) -> Path:
    plane = bed.control_plane
    return kubeconfigs.with_token(
        folder / "kubeconfig", server or plane.address, authority or plane.authority.certificate, token or "unused"
    )


@contextmanager
def _account(bed: Bed, name: str, lacking: str = "") -> Iterator[str]:
    """A token of a ServiceAccount that has the rights we ship, less those on one resource (`*`: all)."""
    manifests = [item for file in RIGHTS for item in yaml.safe_load_all(file.read_text())]
    bed.kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all(_renamed(manifests, name, lacking)))
    try:
        yield bed.kubectl("create", "token", name, "--namespace=vnode").stdout.strip()
    finally:
        mine = [item for item in _renamed(manifests, name, lacking) if item["kind"] != "Namespace"]
        bed.kubectl("delete", "--filename=-", stdin=yaml.safe_dump_all(mine))


def _renamed(manifests: Sequence[dict[str, Any]], name: str, lacking: str) -> Iterator[dict[str, Any]]:
    for manifest in manifests:
        item = json.loads(json.dumps(manifest))
        if item["kind"].endswith("Binding"):
            if lacking == "*":
                continue
            item["subjects"][0]["name"] = name
            if item["roleRef"]["name"].startswith("vnode"):
                item["roleRef"]["name"] = item["roleRef"]["name"].replace("vnode", name)
        if item["kind"].endswith("Role"):
            item["rules"] = [rule for rule in item["rules"] if lacking not in rule["resources"]]
        if item["kind"] != "Namespace":
            item["metadata"]["name"] = item["metadata"]["name"].replace("vnode", name)
        yield item


@contextmanager
def _running_job(bed: Bed) -> Iterator[None]:
    task = {"Name": "sleep", "Driver": "raw_exec", "Config": {"command": "/bin/sleep", "args": ["600"]}}
    group = {"Name": "doctor", "Count": 1, "Tasks": [{**task, "Resources": {"CPU": 50, "MemoryMB": 16}}]}
    job = {"ID": "vk-doctor-sleeps", "Type": "batch", "Datacenters": ["*"], "TaskGroups": [group]}
    bed.nomad.api("/v1/jobs", "PUT", {"Job": job})
    allocations = "/v1/job/vk-doctor-sleeps/allocations"
    try:
        wait_until(
            "the allocation to run",
            lambda: any(each["ClientStatus"] == "running" for each in bed.nomad.api(allocations)),
            within=30,
        )
        yield
    finally:
        bed.nomad.api("/v1/job/vk-doctor-sleeps?purge=true", "DELETE")


async def _tried(clinic: Clinic, token: str) -> Verdicts:
    nomad = clinic.bed.nomad
    assert nomad.security
    assert nomad.cli
    settings = NomadSettings(
        addresses=(nomad.address,),
        token=token,
        region="global",
        ca_cert=nomad.security.authority,
        client_cert=nomad.cli.certificate,
        client_key=nomad.cli.key,
    )
    async with connect(settings) as transport:
        return await probe(transport, "default")


@contextmanager
def _small_gc(bed: Bed, name: str, limit: int) -> Iterator[None]:
    """Restart a client with another gc_max_allocs."""
    client = bed.nomad.clients[name]
    file = client.home / "agent.json"
    usual = file.read_text()
    content = json.loads(usual)
    content["client"]["gc_max_allocs"] = limit
    file.write_text(json.dumps(content))
    try:
        client.stop()
        client.start()
        wait_until(f"the agent of {name}", lambda: _answers(bed, name), within=30)
        yield
    finally:
        file.write_text(usual)
        client.stop()
        client.start()
        client.wait_ready()


def _answers(bed: Bed, name: str) -> bool:
    client = bed.nomad.clients[name]
    client.wait_ready()
    address = bed.nomad.api(f"/v1/node/{client.node['ID']}")["HTTPAddr"]
    with bed.nomad.http(token=bed.nomad.management_token) as http:
        scheme = bed.nomad.address.partition(":")[0]
        return bool(http.get(f"{scheme}://{address}/v1/agent/self").is_success)
