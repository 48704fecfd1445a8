"""The worker of the talk: it logs in to Vault as what it is, gets a user of the database, and prints the user's name.

Once it is a ServiceAccount of Kubernetes, by a token that is projected into it, and talks to Vault itself. Once it is
a task of Nomad, by the annotations of Vault's agent injector, and only reads a file. Vault, PostgreSQL, TokenReview and
Nomad's workload identities are the real ones.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from tests.e2e.bed import postgresql as databases
from tests.e2e.bed import vault as vaults
from tests.e2e.bed.bed import REPOSITORY, Bed
from tests.e2e.bed.binaries import binary
from tests.e2e.bed.postgresql import PostgreSQL
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vault import Vault
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest, container, pod, settings
from tests.e2e.namespace import LATER, SOON, Namespace, phase
from tests.e2e.objects import config_map

_EXAMPLES = REPOSITORY / "deploy" / "examples"
_IMAGE = "worker:1"
_DRIVERS = ("raw_exec", "docker")
_CREDENTIALS = f"{vaults.DATABASE}/creds/worker"
#: How long a user of the database lives, and the login that it hangs on.
_LEASE = 8
_VAULT = "vault.hashicorp.com/"

pytestmark = pytest.mark.timeout(400, func_only=True)


@dataclass(frozen=True)
class Show:
    """What is on the stage: one namespace, Vault and a database behind it."""

    namespace: Namespace
    vault: Vault
    database: PostgreSQL

    @property
    def role(self) -> str:
        return f"{self.namespace.name}_worker"

    def exist(self) -> set[str]:
        """The users that Vault has made and not yet removed."""
        return set(self.database.query("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'"))

    def issued(self) -> set[str]:
        """Every user that Vault has ever made."""
        return set(self.database.query("SELECT name FROM issued"))


@pytest.fixture(scope="module")
def show(bed: Bed, vnode: VnodeProcess, namespaces: Namespaces) -> Iterator[Show]:
    vnode.child.must_live()
    with (
        databases.postgresql(bed) as database,
        vaults.vault(bed) as vault,
        vaults.client_with_vault(vault),
        namespaces() as namespace,
    ):
        found = Show(namespace, vault, database)
        vault.serve_database(database)
        vault.issue_users("worker", seconds=_LEASE)
        vault.allow_reading("worker", _CREDENTIALS)
        vault.let_pods_in(found.role, namespace.name, "worker", policy="worker", seconds=_LEASE)
        vault.let_tasks_in(found.role, "default", policy="worker", seconds=_LEASE)
        bed.docker.add_image(_IMAGE, bed.directory / "rootfs", binary("vault"))
        namespace.kubectl("create", "serviceaccount", "worker")
        namespace.create(config_map("vault", {"ca.crt": vault.authority.read_text()}))
        yield found


def _worker(show: Show, example: str, driver: str) -> Manifest:
    """The Job of an example, of a name of its own and for this Vault."""
    text = (_EXAMPLES / f"worker-{example}.yaml").read_text()
    for shown, real in {"https://vault.example.com:8200": show.vault.address, "shop_worker": show.role}.items():
        text = text.replace(shown, real)
    [found] = [each for each in yaml.safe_load_all(text) if each["kind"] == "Job"]
    name = f"{example}-{driver.replace('_', '-')}"
    found["metadata"]["name"] = name
    template = found["spec"]["template"]
    template["metadata"]["labels"] = {"app": name}
    template["metadata"]["annotations"] = {**template["metadata"].get("annotations", {}), **settings(driver)}
    [main] = template["spec"]["containers"]
    if main["image"].startswith("hashicorp/"):
        main["image"] = _IMAGE
    if driver == "docker":
        # What a container says last may never reach Nomad (docs/logs.md).
        main["command"][2] += "; sleep 2"
    main.setdefault("env", []).append({"name": "PATH", "value": f"/bin:/usr/bin:{binary('vault').parent}"})
    return dict(found)


def _annotations(role: str) -> dict[str, str]:
    template = f'{{{{ with secret "{_CREDENTIALS}" }}}}{{{{ .Data.username }}}}{{{{ end }}}}'
    said = {"agent-inject": "true", "role": role, "agent-inject-template-user": template}
    return {_VAULT + key: text for key, text in said.items()}


def _identity() -> Manifest:
    token = {"path": "token", "audience": "vault", "expirationSeconds": 600}
    return {"name": "identity", "projected": {"sources": [{"serviceAccountToken": token}]}}


def _users(show: Show, names: list[str]) -> dict[str, str]:
    """What each worker printed, once all of them are done."""
    for name in names:
        show.namespace.wait("", "to be done", lambda found: phase(found) in {"Succeeded", "Failed"}, app=name)
    return {name: _said(show, name) for name in names}


def _said(show: Show, name: str) -> str:
    """The log of a worker; a client may write it a moment after the end of its task."""
    return wait_until(f"the log of {name}", lambda: show.namespace.logs(f"job/{name}").strip(), within=SOON)


def test_each_worker_gets_a_user_that_expires_and_can_run_again_at_once(show: Show) -> None:
    jobs = [_worker(show, example, driver) for example in ("token", "vault") for driver in _DRIVERS]
    names = [each["metadata"]["name"] for each in jobs]
    show.namespace.create(*jobs)
    first = _users(show, names)
    assert set(first.values()) <= show.issued(), first
    assert len(set(first.values())) == len(names), first
    show.namespace.kubectl("delete", "jobs", *names)
    show.namespace.create(*jobs)
    second = _users(show, names)
    assert set(second.values()) <= show.issued() - set(first.values()), second
    everybody = {*first.values(), *second.values()}
    wait_until("the users to vanish with their leases", lambda: not everybody & show.exist(), within=LATER)


def test_a_token_of_a_pod_that_is_gone_opens_nothing(show: Show) -> None:
    mount = {"name": "identity", "mountPath": "/identity"}
    sleeper = container("sleep 3600", volumeMounts=[mount])
    show.namespace.create(pod("holder", sleeper, serviceAccountName="worker", volumes=[_identity()]))
    uid = show.namespace.wait_ready("holder")["metadata"]["uid"]
    items = show.namespace.bed.nomad.api(f"/v1/var/nomad/jobs/vk-{uid}")["Items"]
    [token] = [base64.b64decode(text).decode() for name, text in items.items() if name.startswith("token-")]
    assert show.vault.accepts(show.role, token)
    show.namespace.delete("holder", grace=1)
    show.namespace.wait_gone("holder")
    wait_until("Vault to refuse the token", lambda: not show.vault.accepts(show.role, token), within=SOON)


def test_a_pod_that_the_injector_has_changed_runs_without_its_agent(show: Show) -> None:
    """Nobody runs an injector here: this is what one leaves of a Pod (hashicorp/vault-k8s agent-inject/agent)."""
    mounted = {"name": "vault-secrets", "mountPath": "/vault/secrets"}
    home = {"name": "home-sidecar", "mountPath": "/home/vault"}
    main = container("cat /vault/secrets/user && echo; sleep 2", volumeMounts=[mounted])
    agent = container("exit 1", name="vault-agent", image="hashicorp/vault:1.21.0", volumeMounts=[mounted, home])
    first = {**agent, "name": "vault-agent-init"}
    memory = [{"name": name, "emptyDir": {"medium": "Memory"}} for name in ("home-sidecar", "vault-secrets")]
    annotations = {**settings("docker"), **_annotations(show.role), f"{_VAULT}agent-inject-status": "injected"}
    spec: Manifest = {"initContainers": [first], "volumes": memory, "restart": "Never"}
    show.namespace.create(pod("injected", main, agent, annotations=annotations, **spec))
    show.namespace.wait_phase("injected", "Succeeded", "Failed")
    user = wait_until("its log", lambda: show.namespace.logs("injected", "--container=main").strip(), within=SOON)
    assert user in show.issued()


def test_a_namespace_gets_no_role_of_another(show: Show, namespaces: Namespaces) -> None:
    """Vault's jwt method would let it in, for both are in one namespace of Nomad."""
    with namespaces() as other:
        annotations = {**settings("raw_exec"), **_annotations(show.role)}
        other.create(pod("thief", container("cat $VNODE_MOUNT_VAULT_SECRETS/user"), annotations=annotations))
        other.wait_event("thief", "PolicyDenied", show.role, "policy.vault.roles")
        assert other.nomad_jobs() == []


def test_a_role_that_vault_does_not_have_is_said_in_an_event(show: Show) -> None:
    annotations = {**settings("raw_exec"), **_annotations(f"{show.namespace.name}_nobody")}
    show.namespace.create(pod("nobody", container("sleep 1"), annotations=annotations))
    show.namespace.wait_event("nobody", "Failed", "Vault", "_nobody", within=LATER)
