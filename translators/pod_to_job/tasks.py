"""One container of a Pod as one task of its job."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from translators import annotations, identity, variables
from translators.annotations import Annotations, Setting
from translators.errors import Finding, Refused
from translators.interpolation import Expression
from translators.pod_to_job import permit, ports, registries, resources, restarts, turns
from translators.pod_to_job.artifacts import artifacts
from translators.pod_to_job.context import JobContext
from translators.pod_to_job.data import Data
from translators.pod_to_job.drivers import Launch, config, task_config
from translators.pod_to_job.environment import Environment
from translators.pod_to_job.identities import identities
from translators.pod_to_job.mounts import mounted
from translators.pod_to_job.resolver import of_docker
from translators.pod_to_job.security import Security, security
from translators.pod_to_job.termination_message import message_file
from translators.pod_to_job.vault_files import vault_part
from translators.policy import DOCKER, EXEC, MOCK, RAW_EXEC
from translators.records.jobs import Artifact, Dns, LogConfig, Task, Template, VolumeRequest
from translators.records.pods import Container, Pod
from translators.vault import Wanted

LOGS = LogConfig()

#: What the logs of one task may take, MiB: two streams.
LOG_MB = 2 * LOGS.max_files * LOGS.max_file_size_mb

#: Nomad's directory beside those of the tasks.
_RESERVED_NAME = "alloc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all tasks of a Pod share."""

    pod: Pod
    settings: Annotations
    drivers: Mapping[str, str]
    context: JobContext
    network_mode: str
    data: Data
    volumes: Mapping[str, VolumeRequest]
    vault: Wanted | None = None
    dns: Dns | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A task, the driver settings that the user wrote for it, and what is not as asked for."""

    task: Task
    written: frozenset[str]
    warnings: tuple[Finding, ...]


def task(container: Container, around: Surroundings) -> Made:
    """The task of a container.

    Raises:
        Refused: for whatever part of the container cannot be run as it is written.
    """
    if container.name == _RESERVED_NAME:
        message = f"Nomad allows no task of the name {_RESERVED_NAME!r}; rename the container"
        raise Refused(Finding("InvalidField", f"spec.containers[{container.name}].name", message))
    driver = around.drivers[container.name]
    setting = around.settings.setting
    runs_itself = driver in {EXEC, RAW_EXEC} and not container.command
    downloads = artifacts(setting(annotations.ARTIFACT, container.name), runs_itself=runs_itself)
    found = around.data.environments[container.name]
    there = mounted(container, driver, around.pod, around.drivers, around.data.mountable)
    secret = vault_part(around.vault, container.name, driver)
    signed = identities(around.settings, container.name)
    last_words = message_file(container, driver)
    path = f"spec.containers[{container.name}]"
    command = tuple(found.expand(text, f"{path}.command") for text in container.command)
    if command and isinstance(command[0], Expression):
        wrong = "a program may not be named by data of an object or by an address; name it, and pass these as arguments"
        raise Refused(Finding("PodFeatureUnsupported", f"{path}.command", wrong))
    named = setting(annotations.USER, container.name)
    secured = security(container, around.pod, named, around.network_mode) if driver == DOCKER else Security(config={})
    login = around.data.logins.get(container.name)
    launch = Launch(
        command=command or _downloaded(downloads, runs_itself=runs_itself),
        args=tuple(found.expand(text, f"{path}.args") for text in container.args),
        work_dir=_work_dir(container, setting(annotations.WORK_DIR, container.name)),
        host_network=around.network_mode == ports.HOST,
        hostname=ports.hostname(around.pod) if around.network_mode == ports.OWN and driver == DOCKER else "",
        binds=(*there.binds, *secret.mounted.binds, *last_words.binds),
        mounts=there.mounts,
        hosts=_hosts(around.pod),
        security=secured.config,
        auth=login.auth if login is not None else {},
        resolver={} if around.network_mode == ports.BRIDGE else of_docker(around.dns),
    )
    templates = found.templates
    if around.pod.spec.restart_policy == restarts.NEVER:
        permit.check_environment(found.values, container.name)
        templates = (permit.template(identity.job_id(around.pod.uid)), *templates)
    if turns.waits(container, around.pod.spec):
        permit.check_environment(found.values, container.name)
        templates = (*templates, turns.template(identity.job_id(around.pod.uid), container.name))
    written, keys = task_config(setting(annotations.TASK_CONFIG, container.name))
    made = Task(
        name=container.name,
        driver=driver,
        config=config(driver, container, launch, written),
        resources=resources.resources(
            resources.of_whole_pod(container, around.pod.spec), around.context, secret_bytes=there.secret_bytes
        ),
        user=_user(named) or secured.user,
        env={**there.env, **secret.mounted.env, **signed.env, **found.env},
        kill_timeout=restarts.kill_timeout(around.pod.spec),
        kill_signal=restarts.kill_signal(driver),
        restart_policy=restarts.restart_policy_of(container, around.pod.spec),
        lifecycle=restarts.lifecycle(container, around.pod.spec),
        log_config=LogConfig(disabled=True) if driver == MOCK else LOGS,
        artifacts=downloads,
        templates=_together(
            (
                *templates,
                *around.data.private_environment(container.name),
                *there.templates,
                *secret.mounted.templates,
                *last_words.templates,
            )
        ),
        vault=secret.login,
        identities=signed.identities,
        volume_mounts=there.volumes,
        secrets=registries.secrets(login, variables.own_path(around.data.mountable.job, container.name)),
    )
    warnings = (
        *there.warnings,
        *secret.mounted.warnings,
        *last_words.warnings,
        *_exposed(found, container, driver),
    )
    return Made(task=made, written=keys, warnings=warnings)


def _exposed(found: Environment, container: Container, driver: str) -> tuple[Finding, ...]:
    if driver not in {EXEC, RAW_EXEC} or not found.exposes((*container.command, *container.args)):
        return ()
    message = (
        "Nomad's clients log the arguments of this driver, and these hold data of a ConfigMap or Secret; let the "
        "program read the variable itself"
    )
    return (Finding("SecretInArguments", f"spec.containers[{container.name}].args", message),)


def _together(templates: tuple[Template, ...]) -> tuple[Template, ...]:
    """Templates of which one is watched are all watched, where one is an environment.

    A client renders those that are read once, and those that it watches, side by side, and whichever is done last sets
    the whole environment (nomad/client template_hook.go renderTemplates, template.go SetTemplateEnv). A watched
    environment does not change either: that takes a change mode.
    """
    if all(one.once for one in templates) or not any(one.envvars for one in templates):
        return templates
    return tuple(replace(one, once=False) for one in templates)


def _downloaded(downloads: tuple[Artifact, ...], *, runs_itself: bool) -> tuple[str, ...]:
    return (downloads[0].relative_dest,) if runs_itself and downloads else ()


def _hosts(pod: Pod) -> tuple[str, ...]:
    return tuple(f"{name}:{alias.ip}" for alias in pod.spec.host_aliases for name in alias.hostnames)


def _work_dir(container: Container, setting: Setting | None) -> str:
    return setting.text if setting is not None and setting.text else container.working_dir


def _user(setting: Setting | None) -> str | None:
    if setting is None or not setting.text:
        return None
    if "${" in setting.text or "\0" in setting.text:
        raise setting.refused("may not hold ${ or NUL, for Nomad would replace it")
    return setting.text
