"""Who may use which driver, and how: the administrator's word, judged on the finished job.

Judged by us and not only by an admission policy of the cluster, for a Pod may bypass scheduler and webhooks.
Unknown settings are refused when the policy is loaded: a misspelt restriction must not be no restriction.
"""

import posixpath
from collections.abc import Collection, Mapping
from dataclasses import field
from fnmatch import fnmatchcase
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict
from pydantic.dataclasses import dataclass

from translators.errors import Finding, Refused
from translators.records.jobs import Job, Task

DOCKER = "docker"
EXEC = "exec"
RAW_EXEC = "raw_exec"
MOCK = "mock_driver"

#: The drivers that a Pod can be translated for.
DRIVERS = (DOCKER, EXEC, RAW_EXEC, MOCK)

#: Drivers that isolate a task from its host; they need no permission.
ISOLATED = (DOCKER, EXEC)

EVERYTHING = "*"
_ANY = (EVERYTHING,)


def driver_name(text: str) -> str:
    """The driver that a Kubernetes name means: those allow no underscore, so `raw-exec` is `raw_exec`."""
    return text.replace("-", "_")


def _one_is_a_list(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _known_drivers(drivers: dict[str, "DriverPolicy"]) -> dict[str, "DriverPolicy"]:
    named = {driver_name(name): settings for name, settings in drivers.items()}
    unknown = sorted(set(named) - set(DRIVERS))
    if unknown:
        raise ValueError(f"unknown driver {', '.join(unknown)}; known are {', '.join(DRIVERS)}")
    return named


def _none_is_default(value: object) -> object:
    return {} if value is None else value


#: Names or globs; a single one needs no list, and `*` means all.
Globs = Annotated[tuple[str, ...], BeforeValidator(_one_is_a_list)]


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class DriverPolicy:
    """What Pods may do with one driver.

    `namespaces` are Kubernetes namespaces; left out, a driver that isolates is open to all and another to none.
    `commands` are globs over the program that a task starts, where `*` stays inside one directory;
    `artifact_hosts` globs over the hosts of downloads; both allow everything when left out.
    `task_config` names the driver settings that the annotation `task-config` may write. `privileged` are the Kubernetes
    namespaces whose containers may be privileged, none when left out: they own the machine that they run on.
    """

    namespaces: Globs | None = None
    commands: Globs = _ANY
    artifact_hosts: Globs = _ANY
    require_checksum: bool = True
    task_config: Globs | None = None
    privileged: Globs = ()


#: Stands for the Kubernetes namespace of the Pod.
OWN_NAMESPACE = "{namespace}"


def _unambiguous(rules: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    for glob in (glob for globs in rules.values() for glob in globs):
        _, found, rest = glob.partition(OWN_NAMESPACE)
        if found and rest and (rest[0].isalnum() or rest[0] in "-*?["):
            raise ValueError(
                f"{glob!r} does not tell namespaces apart, for one may be named like the beginning of another; put a "
                f"character behind {OWN_NAMESPACE} that no namespace has, as in {OWN_NAMESPACE}_*"
            )
    return rules


#: What is allowed, as globs, by globs of Kubernetes namespaces.
ByNamespace = Annotated[dict[str, Globs], BeforeValidator(_none_is_default), AfterValidator(_unambiguous)]


def _allows(rules: Mapping[str, tuple[str, ...]], namespace: str, name: str) -> bool:
    return any(
        fnmatchcase(name, glob.replace(OWN_NAMESPACE, namespace))
        for spaces, globs in rules.items()
        if fnmatchcase(namespace, spaces)
        for glob in globs
    )


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class VaultPolicy:
    """Which roles of Vault the Pods of a Kubernetes namespace may take; what is not said is not allowed.

    Vault knows a task by its Nomad namespace. Where Kubernetes namespaces share one, it cannot tell their Pods apart,
    and this is what does.
    """

    roles: ByNamespace = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class IdentitiesPolicy:
    """For which audiences the Pods of a Kubernetes namespace get identities of Nomad; what is not said is not allowed.

    An identity for Vault's own audience would let its holder take every role there that Nomad's tasks may take.
    """

    audiences: ByNamespace = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Policy:
    """The `policy` section of the settings.

    `host_paths` says which paths of their hosts Pods may mount, by globs of namespaces; `*` in a path stays inside one
    directory, and what is allowed includes all below it. What is not said is not allowed.
    """

    drivers: Annotated[
        dict[str, Annotated[DriverPolicy, BeforeValidator(_none_is_default)]],
        BeforeValidator(_none_is_default),
        AfterValidator(_known_drivers),
    ] = field(default_factory=dict)
    vault: Annotated[VaultPolicy, BeforeValidator(_none_is_default)] = field(default_factory=VaultPolicy)
    host_paths: ByNamespace = field(default_factory=dict)
    identities: Annotated[IdentitiesPolicy, BeforeValidator(_none_is_default)] = field(default_factory=IdentitiesPolicy)

    def of(self, driver: str) -> DriverPolicy:
        """What is said about a driver; nothing said leaves the defaults."""
        return self.drivers.get(driver, _UNSAID)


_UNSAID = DriverPolicy()


def allows_host_path(policy: Policy, namespace: str, path: str) -> bool:
    """Whether Pods of a namespace may mount a normal, absolute path of their host."""
    return any(
        _is_below(path, glob.replace(OWN_NAMESPACE, namespace))
        for spaces, globs in policy.host_paths.items()
        if fnmatchcase(namespace, spaces)
        for glob in globs
    )


def judge(policy: Policy, namespace: str, job: Job, written: Mapping[str, Collection[str]]) -> None:
    """Look at the finished job of a Pod in a Kubernetes namespace.

    `written` names, by task, the driver settings that the user wrote; a setting that the translation writes
    itself needs no permission.

    Raises:
        Refused: naming the setting of the policy that an administrator would have to change.
    """
    for task in job.task_groups[0].tasks:
        rules = policy.of(task.driver)
        _judge_namespace(rules, namespace, task)
        _judge_privileges(rules, namespace, task, written.get(task.name, ()))
        _judge_task_config(rules, task, written.get(task.name, ()))
        _judge_command(rules, task)
        _judge_artifacts(rules, task)
        _judge_vault(policy.vault, namespace, task)
        _judge_identities(policy.identities, namespace, task)


def _judge_namespace(rules: DriverPolicy, namespace: str, task: Task) -> None:
    allowed = rules.namespaces
    if allowed is None:
        allowed = _ANY if task.driver in ISOLATED else ()
    if not any(fnmatchcase(namespace, glob) for glob in allowed):
        raise _denied(
            task,
            f"driver {task.driver} is not allowed in namespace {namespace}; an administrator allows it with the "
            f"setting policy.drivers.{task.driver}.namespaces",
        )


def _judge_privileges(rules: DriverPolicy, namespace: str, task: Task, written: Collection[str]) -> None:
    wanted = task.config.get("privileged") and "privileged" not in written
    if wanted and not any(fnmatchcase(namespace, glob) for glob in rules.privileged):
        raise _denied(
            task,
            f"privileged containers are not allowed in namespace {namespace}; an administrator allows them with the "
            f"setting policy.drivers.{task.driver}.privileged",
        )


def _judge_task_config(rules: DriverPolicy, task: Task, written: Collection[str]) -> None:
    allowed = rules.task_config
    if allowed is None:
        allowed = _ANY if task.driver == MOCK else ()
    for key in sorted(written):
        if key not in allowed and EVERYTHING not in allowed:
            raise _denied(
                task,
                f"task-config may not set {key!r}; an administrator allows it with the setting "
                f"policy.drivers.{task.driver}.task_config",
            )


def _judge_command(rules: DriverPolicy, task: Task) -> None:
    if EVERYTHING in rules.commands or task.driver == MOCK:
        return
    setting = f"policy.drivers.{task.driver}.commands"
    command = _program(task)
    if command is None:
        raise _denied(task, f"set `command`: the image's own cannot be judged by the setting {setting}")
    if command in {artifact.relative_dest for artifact in task.artifacts if artifact.getter_mode == "file"}:
        return
    path = posixpath.normpath(command)
    if not any(_path_matches(path, glob) for glob in rules.commands):
        raise _denied(task, f"command {command!r} is not among those of the setting {setting}")


def _judge_artifacts(rules: DriverPolicy, task: Task) -> None:
    for artifact in task.artifacts:
        host = urlsplit(artifact.getter_source).hostname or ""
        if not any(fnmatchcase(host, glob.lower()) for glob in rules.artifact_hosts):
            raise _denied(
                task,
                f"artifacts of host {host} are not allowed; an administrator allows them with the setting "
                f"policy.drivers.{task.driver}.artifact_hosts",
            )
        if rules.require_checksum and "checksum" not in artifact.getter_options:
            raise _denied(
                task,
                f"artifact {artifact.getter_source} has no checksum; add checksum=sha256:<64 hex digits> to its "
                f"query, or an administrator sets policy.drivers.{task.driver}.require_checksum to false",
            )


def _judge_vault(rules: VaultPolicy, namespace: str, task: Task) -> None:
    if task.vault is not None and not _allows(rules.roles, namespace, task.vault.role):
        raise _denied(
            task,
            f"role {task.vault.role!r} of Vault is not allowed in namespace {namespace}; an administrator allows it "
            "with the setting policy.vault.roles",
        )


def _judge_identities(rules: IdentitiesPolicy, namespace: str, task: Task) -> None:
    for audience in (audience for identity in task.identities for audience in identity.audience):
        if not _allows(rules.audiences, namespace, audience):
            raise _denied(
                task,
                f"an identity for {audience!r} is not allowed in namespace {namespace}; an administrator allows it "
                "with the setting policy.identities.audiences",
            )


def _program(task: Task) -> str | None:
    """What the finished task starts; None where only the image knows."""
    entrypoint = task.config.get("entrypoint")
    if task.driver == DOCKER:
        return str(entrypoint[0]) if isinstance(entrypoint, list) and entrypoint else None
    return str(task.config.get("command", ""))


def _path_matches(path: str, glob: str) -> bool:
    parts, globs = path.split("/"), glob.split("/")
    return len(parts) == len(globs) and all(map(fnmatchcase, parts, globs))


def _is_below(path: str, glob: str) -> bool:
    parts = [part for part in path.split("/") if part]
    globs = [part for part in glob.split("/") if part]
    return glob == EVERYTHING or (len(parts) >= len(globs) and all(map(fnmatchcase, parts, globs)))


def _denied(task: Task, message: str) -> Refused:
    return Refused(Finding("PolicyDenied", f"spec.containers[{task.name}]", message))
