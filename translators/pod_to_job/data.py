"""The data of a Pod: its environment and its files, gathered into the items that travel beside the job."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from translators import annotations, variables
from translators.annotations import Annotations
from translators.errors import Finding, Hindrance, Refused, Waiting
from translators.identity import job_id
from translators.material import Material
from translators.pod_to_job import mounts, registries, restarts, services, turns, volumes
from translators.pod_to_job.context import JobContext
from translators.pod_to_job.environment import PRIVATE_PATH, Environment, environment
from translators.policy import EXEC
from translators.records.jobs import Template
from translators.records.pods import Pod

#: As whom exec runs a task that says nothing (drivers/exec: the user nobody), by its number on Linux.
_NOBODY = "65534"


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The environments by container, what is mounted, and the items of both; `count` as in `translators.variables`."""

    environments: Mapping[str, Environment]
    mountable: mounts.Data
    items: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    count: int = 0
    logins: Mapping[str, registries.Login] = field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()

    def private_environment(self, container: str) -> tuple[Template, ...]:
        """The template that gives a container the variables that its job must not hold."""
        if not self.environments[container].private:
            return ()
        text = variables.template(self.mountable.job, container, self.count, _environment_item(container))
        return (Template(embedded_tmpl=text, dest_path=PRIVATE_PATH, envvars=True),)


def gather(
    pod: Pod,
    settings: Annotations,
    drivers: Mapping[str, str],
    context: JobContext,
    material: Material,
    *,
    pod_ip: str,
) -> Data:
    """Gather the data of a Pod; one that has none costs next to nothing.

    Raises:
        Refused: for data that cannot be carried, or is too much.
        Waiting: for an object that is not there yet.
    """
    if material.services is None:
        raise Waiting(Hindrance())
    contents = {volume.name: volumes.content(pod, volume, material) for volume in mounts.mounted_data(pod, drivers)}
    known = services.variables(context.kubernetes_service, material.services)
    environments = {
        container.name: environment(container, pod, material, known, pod_ip=pod_ip)
        for container in pod.spec.every_container
    }
    items = {file.item: file.content for content in contents.values() for file in content.files}
    items |= {_environment_item(name): found.private for name, found in environments.items() if found.private}
    pulled = registries.logins(pod, drivers, material)
    items |= pulled.items
    most = variables.ONE if pulled.by_container else _most(pod)
    count = _count(items, most, deep=context.large_data)
    return Data(
        environments=environments,
        mountable=mounts.Data(
            job=job_id(pod.uid),
            count=count,
            contents=contents,
            scratch=mounts.scratch(pod, drivers),
            users=_users(pod, settings, drivers),
        ),
        items=items,
        count=count,
        logins=pulled.by_container,
        warnings=(*pulled.warnings, *(warning for found in environments.values() for warning in found.warnings)),
    )


def _most(pod: Pod) -> int:
    """In how many Variables the data of a Pod may lie; other things of it stand in the rest."""
    if turns.are_taken(pod.spec):
        return variables.ONE
    return variables.TWO if pod.spec.restart_policy == restarts.NEVER else variables.THREE


def _count(items: Mapping[str, bytes], most: int, *, deep: bool) -> int:
    if not items:
        return 0
    try:
        return variables.count(items, most, deep=deep)
    except ValueError as error:
        more = "" if deep else ", or let an administrator set nomad-policy-token-file"
        message = (
            f"the ConfigMaps, Secrets and tokens of the Pod are too large: {error}; mount fewer keys, by `items`{more}"
        )
        raise Refused(Finding("DataTooLarge", "spec.volumes", message)) from None


def _users(pod: Pod, settings: Annotations, drivers: Mapping[str, str]) -> dict[str, str]:
    users = {name: _NOBODY for name, used in drivers.items() if used == EXEC}
    for container in pod.spec.every_container:
        setting = settings.setting(annotations.USER, container.name)
        if setting is not None and setting.text:
            users[container.name] = setting.text
    return users


def _environment_item(container: str) -> str:
    return variables.item_name("env", container)
