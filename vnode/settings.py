"""Settings of `vnode`: flags, `VNODE_*` environment and the keys of a YAML file, one and the same set.

A flag beats the environment, the environment beats the file, and the standard variables of kubectl and Nomad
(`KUBECONFIG`, `NOMAD_ADDR`, …) stand in where none of them speaks.
"""

import ipaddress
import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from translators.devices import checked as checked_devices
from translators.namespaces import nomad_namespace
from translators.policy import Policy
from translators.priorities import checked as checked_priorities

_STANDARD_VARIABLES = {
    "kubeconfig": "KUBECONFIG",
    "nomad_address": "NOMAD_ADDR",
    "nomad_token": "NOMAD_TOKEN",
    "nomad_region": "NOMAD_REGION",
    "namespace_map": "NOMAD_NAMESPACE",
    "nomad_ca_cert": "NOMAD_CACERT",
    "nomad_client_cert": "NOMAD_CLIENT_CERT",
    "nomad_client_key": "NOMAD_CLIENT_KEY",
    "nomad_tls_server_name": "NOMAD_TLS_SERVER_NAME",
}


_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

Endpoint = tuple[str, int]

#: 64 characters of a common name, less `system:node:`.
_LONGEST_BOOTSTRAPPED_NAME = 52


class SettingsError(Exception):
    """A flag, variable or file that cannot be used; the text names it and says what to write instead."""


def _separated(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _address(value: object) -> str:
    address = ipaddress.ip_address(str(value))
    if address.is_unspecified:
        raise ValueError("must be an address at which the API server reaches vnode, not a wildcard")
    return str(address)


def _namespace_map(pattern: str) -> str:
    nomad_namespace(pattern, "x")
    return pattern


def _own_namespace() -> str:
    """That of the Pod we run in; elsewhere the one that deploy/ makes."""
    return _NAMESPACE_FILE.read_text().strip() if _NAMESPACE_FILE.exists() else "vnode"


def _own_identity() -> str:
    return f"{socket.gethostname()}_{secrets.token_hex(4)}"


#: A list that a variable or a single flag writes with commas.
Separated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_separated)]


class Settings(BaseSettings):
    """Everything that `vnode run` can be told; the descriptions are its `--help`."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix="VNODE_", env_ignore_empty=True)

    kubeconfig: Path | None = Field(None, description="How to reach Kubernetes; inside a cluster none is needed.")
    cluster_id: str = Field("", description="Identity of the cluster in Nomad (default: UID of kube-system).")
    node_name: str = Field("nomad", min_length=1, max_length=63, description="Name of the virtual Node.")
    node_address: Annotated[str, BeforeValidator(_address)] = Field(
        "127.0.0.1", description="Address at which the API server reaches this process."
    )
    zone: str = Field("", description="Zone label of the Node (default: <region>-<node pool>).")
    taint: bool = Field(default=True, description="Keep Pods away that do not tolerate the provider's taint.")
    max_pods: PositiveInt = Field(250, description="Pods for each Nomad client that sets no limit of its own.")
    kubelet_port: int = Field(10250, ge=1, le=65535, description="Port of the kubelet API.")
    kubelet_certificate: Path | None = Field(None, description="Serving certificate of the kubelet API, PEM.")
    kubelet_key: Path | None = Field(None, description="Key of the serving certificate, PEM.")
    server_tls_bootstrap: bool = Field(
        default=False, description="Let the cluster sign the serving certificate (CertificateSigningRequest)."
    )
    client_ca_file: Path | None = Field(
        None, description="CA of the API server's client certificate (default: the cluster's own)."
    )
    websocket_streaming: bool = Field(
        default=True,
        description="API servers from 1.36 on hand WebSockets on to this Node instead of translating them.",
    )
    streaming_idle_limit: PositiveFloat = Field(
        4 * 60 * 60, description="Seconds without a byte after which exec, attach and port-forward end."
    )
    nomad_address: Separated = Field(("http://127.0.0.1:4646",), description="Nomad's HTTP API; repeat for failover.")
    nomad_token: SecretStr = Field(SecretStr(""), description="Nomad's ACL token; a file is safer.")
    nomad_token_file: Path | None = Field(None, description="File with the ACL token, read again when it changes.")
    nomad_policy_token_file: Path | None = Field(
        None, description="File with a management token of Nomad: data of more than 144 KiB reach a Pod by a policy."
    )
    nomad_region: str = Field("global", description="Region of Nomad that runs the Pods.")
    nomad_ca_cert: Path | None = Field(None, description="CA of Nomad's certificate, PEM.")
    nomad_client_cert: Path | None = Field(None, description="Our certificate towards Nomad, PEM.")
    nomad_client_key: Path | None = Field(None, description="Key of our certificate, PEM.")
    nomad_tls_server_name: str = Field("", description="Name in Nomad's certificate, e.g. server.global.nomad.")
    nomad_streams: PositiveInt = Field(
        48, description="Logs and exec sessions at once; for more, raise Nomad's http_max_conns_per_client too."
    )
    nomad_client_agents: bool = Field(
        default=True,
        description="Run commands through the agent of a Pod's Nomad client where it can be reached, else the servers.",
    )
    namespace_map: Annotated[str, AfterValidator(_namespace_map)] = Field(
        "default", description="Nomad namespace, or a pattern such as k8s-{namespace}."
    )
    datacenters: Separated = Field(("*",), description="Datacenters of Nomad that may run the Pods.")
    node_pool: str = Field("default", description="Node pool of Nomad that runs the Pods.")
    default_driver: str = Field("docker", description="Driver of Pods that name none.")
    mhz_per_core: PositiveFloat | None = Field(None, description="MHz of one CPU (default: the slowest client's).")
    kubernetes_service: str = Field(
        "", pattern=r"^(.+:[0-9]+)?$", description="host:port of the API server as Nomad's tasks reach it."
    )
    persistent_volumes: bool = Field(
        default=False, description="Serve PersistentVolumeClaims by volumes of Nomad, and make such volumes."
    )
    routable_allocations: bool = Field(
        default=False, description="The cluster reaches the addresses of Nomad's bridge and CNI networks."
    )
    observe: bool = Field(default=False, description="Write nothing to either side; log what would be written.")
    leader_elect: bool = Field(
        default=False, description="Let several replicas elect the one that looks after the Node."
    )
    leader_elect_namespace: str = Field(
        default_factory=_own_namespace,
        min_length=1,
        description="Namespace of the election's Lease (default: our own).",
    )
    leader_identity: str = Field(
        default_factory=_own_identity,
        min_length=1,
        description="Who we are in the election; no two processes may share it (default: host name and a random part).",
    )
    metrics_port: int = Field(0, ge=0, le=65535, description="Port of /metrics and /healthz on loopback; 0 is none.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    log_format: Literal["auto", "console", "json"] = Field("auto", description="console on a terminal, else json.")
    devices: Annotated[dict[str, str], AfterValidator(checked_devices)] = Field(
        default_factory=dict,
        description="Extended resources of the Node and Nomad's devices behind them; only in the file.",
    )
    priorities: Annotated[dict[str, int], AfterValidator(checked_priorities)] = Field(
        default_factory=dict,
        description="Nomad's priorities of Pods, by the names of their PriorityClasses; only in the file.",
    )
    policy: Policy = Field(default_factory=Policy, description="Who may use what; only in the file.")

    @model_validator(mode="after")
    def _certificate_with_key(self) -> Self:
        if bool(self.kubelet_certificate) != bool(self.kubelet_key):
            raise ValueError("kubelet-certificate and kubelet-key belong together; one of the two is missing")
        return self

    @model_validator(mode="after")
    def _one_source_of_the_certificate(self) -> Self:
        if self.server_tls_bootstrap and self.kubelet_certificate:
            raise ValueError("server-tls-bootstrap and kubelet-certificate exclude each other; leave one of them out")
        if self.server_tls_bootstrap and len(self.node_name) > _LONGEST_BOOTSTRAPPED_NAME:
            raise ValueError(
                f"node-name: with server-tls-bootstrap it has at most {_LONGEST_BOOTSTRAPPED_NAME} characters, for the "
                "common name of a certificate, system:node:<name>, has 64"
            )
        return self

    @property
    def kubernetes_endpoint(self) -> Endpoint | None:
        """Host and port of `kubernetes_service`."""
        host, _, port = self.kubernetes_service.rpartition(":")
        return (host.strip("[]"), int(port)) if host else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: flags, `VNODE_*`, the file, the standard variables."""
        flags = init_settings() if isinstance(init_settings, InitSettingsSource) else {}
        file = flags.pop("config_file", {})
        return (
            InitSettingsSource(settings_cls, flags),
            env_settings,
            InitSettingsSource(settings_cls, file),
            InitSettingsSource(settings_cls, _standard(os.environ)),
        )


def load(flags: Mapping[str, Any], config: Path | None) -> Settings:
    """Put flags, environment and file together.

    Raises:
        SettingsError: with one line for each thing that is wrong.
    """
    file = _read(config) if config else {}
    try:
        return Settings(**{**flags, "config_file": file})
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(problem) for problem in error.errors())) from None


def _standard(environment: Mapping[str, str]) -> dict[str, Any]:
    return {field: environment[name] for field, name in _STANDARD_VARIABLES.items() if environment.get(name)}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingsError(f"--config {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"--config {path} is not YAML: {error}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"--config {path}: expected settings by name, found {type(content).__name__}")
    return {str(key).replace("-", "_"): value for key, value in content.items()}


def _sentence(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if not name:
        return str(problem["msg"]).removeprefix("Value error, ")
    flag = name.replace("_", "-")
    if problem["type"] == "extra_forbidden":
        return f"{flag}: there is no such setting"
    given = "" if "token" in name else f" (got {problem['input']!r})"
    return f"--{flag}: {problem['msg'].removeprefix('Value error, ')}{given}"
