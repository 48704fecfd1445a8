"""A real Vault, initialised and unsealed, with its state in memory; started only for the tests that want it.

It knows Pods by the API server's TokenReview and Nomad's tasks by the signatures of Nomad's identities: two auth
methods, as an administrator of both sets them up. Nomad here demands client certificates, which Vault's jwt method
cannot present, so it is given Nomad's public keys instead of their address.
"""

import base64
import hashlib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.binaries import binary
from tests.e2e.bed.errors import BedError
from tests.e2e.bed.nomad import Client
from tests.e2e.bed.nomad_configuration import VAULT_AUDIENCE, VaultAccess
from tests.e2e.bed.postgresql import SUPERUSER, PostgreSQL
from tests.e2e.bed.processes import wait_until

KUBERNETES_AUTH = "kubernetes"
NOMAD_AUTH = "jwt-nomad"
DATABASE = "database"
_AUTH_PLUGIN = "vault-plugin-auth-kubernetes"
_DATABASE_PLUGIN = "postgresql-database-plugin"
_REVIEWER = "vault"
_START_SECONDS = 60


@dataclass(frozen=True)
class Vault:
    """A running Vault, seen by its administrator."""

    bed: Bed
    address: str
    authority: Path
    http: httpx2.Client

    def api(self, path: str, body: Mapping[str, Any] | None = None, *, token: str = "") -> dict[str, Any]:
        """Write to a path, or read it where there is no body; an error status becomes a BedError."""
        headers = {"X-Vault-Token": token} if token else {}
        answer = self.http.request("GET" if body is None else "POST", f"/v1/{path}", json=body, headers=headers)
        if answer.is_error:
            raise BedError(f"{path}: {answer.status_code} {answer.text}")
        return dict(answer.json()) if answer.content else {}

    def accepts(self, role: str, token: str) -> bool:
        """Whether a ServiceAccount's token is good for a role."""
        body = {"role": role, "jwt": token}
        return self.http.post(f"/v1/auth/{KUBERNETES_AUTH}/login", json=body).is_success

    def let_pods_in(self, role: str, namespace: str, account: str, *, policy: str, seconds: int) -> None:
        """A role for the Pods of a ServiceAccount; its tokens are for the audience `vault`."""
        body = {
            "bound_service_account_names": account,
            "bound_service_account_namespaces": namespace,
            "audience": "vault",
            "token_policies": policy,
            "token_ttl": seconds,
            "token_max_ttl": seconds,
        }
        self.api(f"auth/{KUBERNETES_AUTH}/role/{role}", body)

    def let_tasks_in(self, role: str, nomad_namespace: str, *, policy: str, seconds: int) -> None:
        """A role for the tasks in a namespace of Nomad."""
        body = {
            "role_type": "jwt",
            "bound_audiences": VAULT_AUDIENCE,
            "bound_claims": {"nomad_namespace": nomad_namespace},
            "user_claim": "/nomad_job_id",
            "user_claim_json_pointer": True,
            "token_policies": policy,
            "token_ttl": seconds,
            "token_max_ttl": seconds,
        }
        self.api(f"auth/{NOMAD_AUTH}/role/{role}", body)

    def serve_database(self, server: PostgreSQL) -> None:
        """Let it make users of a database; `issued` there remembers whom it made."""
        self.api(f"sys/mounts/{DATABASE}", {"type": "database"})
        server.query("CREATE TABLE issued (name text)")
        connection = {
            "plugin_name": _DATABASE_PLUGIN,
            "connection_url": server.template,
            "username": SUPERUSER,
            "password": server.password,
            "allowed_roles": "*",
        }
        self.api(f"{DATABASE}/config/postgresql", connection)

    def issue_users(self, role: str, *, seconds: int) -> None:
        """A role whose credentials are a new user of the database, for so long."""
        create = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
        body = {
            "db_name": "postgresql",
            "creation_statements": [create, "INSERT INTO issued VALUES ('{{name}}')"],
            "default_ttl": seconds,
            "max_ttl": seconds,
        }
        self.api(f"{DATABASE}/roles/{role}", body)

    def allow_reading(self, policy: str, *paths: str) -> None:
        """A policy that allows to read these paths."""
        rules = "\n".join(f'path "{path}" {{ capabilities = ["read"] }}' for path in paths)
        self.api(f"sys/policies/acl/{policy}", {"policy": rules})


@contextmanager
def vault(bed: Bed) -> Iterator[Vault]:
    """Run one until the block ends, with both auth methods and no role."""
    port, authority = bed.free_port(), bed.control_plane.authority
    place = f"{bed.node_address}:{port}"
    serving = authority.issue("vault", "vault", names=("localhost", bed.node_address))
    home = bed.directory / "vault"
    home.mkdir()
    configuration = home / "vault.hcl"
    configuration.write_text(
        f'storage "inmem" {{}}\ndisable_mlock = true\napi_addr = "https://{place}"\n'
        f'plugin_directory = "{_plugins(home)}"\n'
        f'listener "tcp" {{\n  address = "{place}"\n'
        f'  tls_cert_file = "{serving.certificate}"\n  tls_key_file = "{serving.key}"\n}}\n'
    )
    child = bed.children.add("vault", binary("vault"), "server", f"-config={configuration}")
    context = ssl.create_default_context(cafile=str(authority.certificate))
    child.start()
    with httpx2.Client(base_url=f"https://{place}", verify=context, trust_env=False, timeout=60) as http:
        server = Vault(bed, f"https://{place}", authority.certificate, http)
        try:
            what = "Vault to begin"
            wait_until(what, lambda: "initialized" in server.api("sys/init"), within=_START_SECONDS, of=[child])
            _open(server)
            wait_until("Vault to be active", lambda: http.get("/v1/sys/health").is_success, within=_START_SECONDS)
            _know_pods(server)
            _know_tasks(server)
            yield server
        finally:
            child.stop()


@contextmanager
def client_with_vault(server: Vault) -> Iterator[Client]:
    """One more Nomad client, the only one that knows of a Vault: tasks that want one are placed here by Nomad."""
    access = VaultAccess(server.address, server.authority, NOMAD_AUTH)
    client = server.bed.nomad.add_client("default", vault=access)
    try:
        client.wait_ready()
        wait_until("the client to find Vault", lambda: "vault.version" in client.attributes, within=_START_SECONDS)
        yield client
    finally:
        client.remove()


def _open(server: Vault) -> None:
    """Initialise and unseal it; the key is forgotten, for it never comes back."""
    found = server.api("sys/init", {"secret_shares": 1, "secret_threshold": 1})
    server.api("sys/unseal", {"key": found["keys"][0]})
    server.http.headers["X-Vault-Token"] = found["root_token"]


def _know_pods(server: Vault) -> None:
    """TokenReview by an account that may do nothing else."""
    bed = server.bed
    control_plane = bed.control_plane
    bed.kubectl("create", "serviceaccount", _REVIEWER, "--namespace=kube-system")
    binding = ("--clusterrole=system:auth-delegator", f"--serviceaccount=kube-system:{_REVIEWER}")
    bed.kubectl("create", "clusterrolebinding", f"{_REVIEWER}:reviewer", *binding)
    reviewer = bed.kubectl("create", "token", _REVIEWER, "--namespace=kube-system", "--duration=24h").stdout.strip()
    _register(server, "auth", _AUTH_PLUGIN)
    server.api(f"sys/auth/{KUBERNETES_AUTH}", {"type": _AUTH_PLUGIN})
    configuration = {
        "kubernetes_host": control_plane.address,
        "kubernetes_ca_cert": control_plane.authority.certificate.read_text(),
        "token_reviewer_jwt": reviewer,
        "disable_local_ca_jwt": True,
    }
    server.api(f"auth/{KUBERNETES_AUTH}/config", configuration)


def _know_tasks(server: Vault) -> None:
    _register(server, "database", _DATABASE_PLUGIN)
    keys = server.bed.nomad.api("/.well-known/jwks.json")["keys"]
    server.api(f"sys/auth/{NOMAD_AUTH}", {"type": "jwt"})
    server.api(f"auth/{NOMAD_AUTH}/config", {"jwt_validation_pubkeys": [_pem(key) for key in keys]})


def _register(server: Vault, kind: str, plugin: str) -> None:
    digest = hashlib.sha256(binary(plugin).read_bytes()).hexdigest()
    server.api(f"sys/plugins/catalog/{kind}/{plugin}", {"sha256": digest, "command": plugin})


def _plugins(home: Path) -> Path:
    """A folder with the plugins and nothing else; Vault follows no links out of it."""
    folder = home / "plugins"
    folder.mkdir()
    for plugin in (_AUTH_PLUGIN, _DATABASE_PLUGIN):
        (folder / plugin).hardlink_to(binary(plugin))
    return folder


def _pem(key: Mapping[str, str]) -> str:
    """A public key of a JWKS (RFC 7517) as PEM."""
    public = (
        Ed25519PublicKey.from_public_bytes(_bytes(key["x"]))
        if key["kty"] == "OKP"
        else RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
    )
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text))


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")
