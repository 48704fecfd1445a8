"""What a task needs to have what its Pod wants of Vault: a login, templates, and the way to the files."""

import posixpath
from dataclasses import dataclass

from translators.errors import Finding
from translators.pod_to_job.mounts import Mounted
from translators.policy import DOCKER, RAW_EXEC
from translators.records.jobs import Template, Vault
from translators.vault import DIRECTORY, PREFIX, SecretFile, Wanted

#: By this name the injector mounts its files, so that the variable which tells where they are is that of its volume.
_VARIABLE = "VNODE_MOUNT_VAULT_SECRETS"

_NOTHING = Mounted()


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultPart:
    """The login of a task, if it has one, and its files."""

    login: Vault | None = None
    mounted: Mounted = _NOTHING


def vault_part(wanted: Wanted | None, container: str, driver: str) -> VaultPart:
    """What one container gets.

    Docker binds the directories of the files to where the injector has them. For the other drivers they stand on the
    tmpfs of the task, for what is secret rests on no disk.
    """
    if wanted is None or container not in wanted.containers:
        return VaultPart()
    login = Vault(role=wanted.role, namespace=wanted.namespace, disable_file=not wanted.token)
    directories = tuple(dict.fromkeys(file.directory for file in wanted.files))
    bound = driver == DOCKER
    place = {path: f"secrets/.vnode/vault/{n}" if bound else f"secrets{path}" for n, path in enumerate(directories)}
    first = directories[0] if directories else DIRECTORY
    return VaultPart(
        login=login,
        mounted=Mounted(
            templates=tuple(_template(file, place[file.directory], once=wanted.once) for file in wanted.files),
            binds=tuple(f"{place[path]}:{path}:ro" for path in directories) if bound else (),
            env={_VARIABLE: first if bound else f"${{NOMAD_SECRETS_DIR}}{first}"} if directories else {},
            warnings=tuple(_elsewhere(wanted, directories, driver)),
        ),
    )


def _template(file: SecretFile, directory: str, *, once: bool) -> Template:
    left, right = file.delimiters
    return Template(
        embedded_tmpl=file.template,
        dest_path=posixpath.join(directory, file.name),
        once=once,
        perms=f"{int(file.mode, 8):04o}",
        left_delim=left,
        right_delim=right,
        err_missing_key=file.error_on_missing_key or None,
    )


def _elsewhere(wanted: Wanted, directories: tuple[str, ...], driver: str) -> list[Finding]:
    found = []
    field = f"metadata.annotations[{PREFIX}agent-inject]"
    if directories and driver != DOCKER:
        where = "$NOMAD_SECRETS_DIR" if driver == RAW_EXEC else "/secrets"
        message = f"driver {driver} mounts nothing: {', '.join(directories)} is below {where}, as {_VARIABLE} tells"
        found.append(Finding("MountedElsewhere", field, message))
    if wanted.token:
        message = "Vault's token is in $NOMAD_SECRETS_DIR/vault_token"
        found.append(Finding("MountedElsewhere", f"metadata.annotations[{PREFIX}agent-inject-token]", message))
    return found
