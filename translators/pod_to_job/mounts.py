"""Where a container finds its volumes.

Docker binds directories of the task at their `mountPath`: a bound directory shows every later change, a bound file,
which is how a `subPath` is mounted, never does, as in Kubernetes. exec cannot bind: its chroot is the task's directory,
so that ordinary files stand at their `mountPath` in it, while what is secret stays on the tmpfs of the task. raw_exec
has no file system of its own. The variable VNODE_MOUNT_<VOLUME> says for every driver where a volume is.
"""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from translators import quantity
from translators.errors import Finding, Refused
from translators.pod_to_job.volumes import INJECTED, Content, File, by_name, is_data
from translators.policy import DOCKER, EXEC, RAW_EXEC
from translators.records import jobs
from translators.records.jobs import MILLISECOND, Template, Wait
from translators.records.pods import Container, Pod
from translators.records.sources import HostPathVolumeSource, Volume, VolumeMount
from translators.variables import template

#: Live files are written as soon as the client learns of a change: Nomad waits 5 s by default.
_AT_ONCE = Wait(min=MILLISECOND, max=MILLISECOND)

_MEMORY = "Memory"
_ANYBODY_MAY_WRITE = 0o1777

#: Directories of an allocation that every user may write; whatever else Nomad makes belongs to root.
_SHARED = ("data", "tmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """What a task needs to have its volumes: templates, docker's binds and mounts, and variables that say where.

    `volumes` are those of Nomad, which it mounts itself.
    """

    templates: tuple[Template, ...] = ()
    binds: tuple[str, ...] = ()
    mounts: tuple[Mapping[str, Any], ...] = ()
    volumes: tuple[jobs.VolumeMount, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()
    secret_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The Pod's data, ready to be mounted: the files of its volumes, and in how many Variables they travel.

    `scratch` says where its empty directories are, relative to the directory of a task; `users` as whom containers run
    whose user is known by number.
    """

    job: str
    count: int = 0
    contents: Mapping[str, Content] = field(default_factory=dict)
    scratch: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)


def delivered(mount: VolumeMount, driver: str) -> bool:
    """Whether a container gets a volume: nobody puts a ServiceAccount token onto a host who did not ask for it."""
    return not (driver == RAW_EXEC and mount.name.startswith(INJECTED))


def mounted_data(pod: Pod, drivers: Mapping[str, str]) -> tuple[Volume, ...]:
    """The volumes of files that at least one container gets, in the Pod's order; a kubelet waits for no others."""
    wanted = {
        mount.name
        for container in pod.spec.every_container
        for mount in container.volume_mounts
        if delivered(mount, drivers[container.name])
    }
    return tuple(volume for volume in pod.spec.volumes if volume.name in wanted and is_data(volume))


def scratch(pod: Pod, drivers: Mapping[str, str]) -> dict[str, str]:
    """Where the empty directories of a Pod are, relative to the directory of a task.

    Raises:
        Refused: for more of them than there are directories that everybody may write.
    """
    found: dict[str, str] = {}
    places = [f"../alloc/{name}" for name in _SHARED]
    of_docker = [
        f"../{container.name}/{name}"
        for container in pod.spec.every_container
        if drivers[container.name] == DOCKER
        for name in ("tmp", "local")
    ]
    for volume in pod.spec.volumes:
        if volume.empty_dir is None or _is_tmpfs(volume, pod, drivers):
            continue
        only_docker = all(drivers[one.name] == DOCKER for one in _users(volume, pod))
        candidates = places or (of_docker if only_docker else [])
        if not candidates:
            message = "there are no more directories for it in an allocation; let emptyDirs share one by subPath"
            raise Refused(Finding("PodFeatureUnsupported", f"spec.volumes[{volume.name}].emptyDir", message))
        found[volume.name] = candidates.pop(0)
    return found


def mounted(container: Container, driver: str, pod: Pod, drivers: Mapping[str, str], data: Data) -> Mounted:
    """What the task of a container needs.

    Raises:
        Refused: for a mount that the driver cannot make.
    """
    if not container.volume_mounts:
        return Mounted()
    volumes = by_name(pod)
    parts = [
        _mount(container, driver, mount, volumes[mount.name], pod, drivers, data)
        for mount in container.volume_mounts
        if mount.name in volumes and delivered(mount, driver)
    ]
    templates = {each.dest_path: each for part in parts for each in part.templates}
    env: dict[str, str] = {}
    for part in parts:
        for name, value in part.env.items():
            env.setdefault(name, value)
    return Mounted(
        templates=tuple(templates.values()),
        binds=tuple(bind for part in parts for bind in part.binds),
        mounts=tuple(mount for part in parts for mount in part.mounts),
        volumes=tuple(volume for part in parts for volume in part.volumes),
        env=env,
        warnings=tuple(warning for part in parts for warning in part.warnings),
        secret_bytes=sum(part.secret_bytes for part in parts),
    )


def _mount(
    container: Container,
    driver: str,
    mount: VolumeMount,
    volume: Volume,
    pod: Pod,
    drivers: Mapping[str, str],
    data: Data,
) -> Mounted:
    path = f"spec.containers[{container.name}].volumeMounts[{mount.name}]"
    if any("${" in text or "\0" in text for text in (mount.mount_path, mount.sub_path)) or ":" in mount.sub_path:
        raise Refused(Finding("InvalidField", path, "Nomad cannot carry ${, ':' and NUL in a path of a mount"))
    if volume.empty_dir is not None:
        return _empty_dir(driver, mount, volume, path, pod, drivers, data)
    if volume.host_path is not None:
        return _of_host(driver, mount, volume.host_path, path)
    if volume.claim(pod.metadata.name):
        return _claimed(mount, volume, path)
    found = data.contents.get(volume.name)
    if found is None:
        raise Refused(
            Finding("PodFeatureUnsupported", f"spec.volumes[{volume.name}]", "is of a kind that is not known")
        )
    if driver == DOCKER:
        return _bound(container, mount, found, data)
    return _placed(container, driver, mount, found, path, data)


def _of_host(driver: str, mount: VolumeMount, source: HostPathVolumeSource, path: str) -> Mounted:
    place = posixpath.normpath(posixpath.join(source.path, mount.sub_path))
    if driver == DOCKER:
        bind = f"{place}:{mount.mount_path}{':ro' if mount.read_only else ''}"
        return Mounted(binds=(bind,), env=_named(mount, mount.mount_path))
    message = f"driver {driver} does not enforce it"
    warnings = (Finding("FieldIgnored", f"{path}.readOnly", message),) if mount.read_only else ()
    return Mounted(env=_named(mount, place), warnings=warnings)


def _claimed(mount: VolumeMount, volume: Volume, path: str) -> Mounted:
    if mount.sub_path:
        message = "Nomad cannot mount a part of a volume; mount it whole, and let the program use a directory in it"
        raise Refused(Finding("PodFeatureUnsupported", f"{path}.subPath", message))
    claim = volume.persistent_volume_claim
    read_only = mount.read_only or (claim is not None and claim.read_only)
    asked = jobs.VolumeMount(volume=volume.name, destination=mount.mount_path, read_only=read_only)
    return Mounted(volumes=(asked,), env=_named(mount, mount.mount_path))


def _bound(container: Container, mount: VolumeMount, found: Content, data: Data) -> Mounted:
    base = f"secrets/.vnode/volumes/{mount.name}"
    source = f"{base}/{mount.sub_path}" if mount.sub_path else base
    return Mounted(
        templates=tuple(_template(file, f"{base}/{file.path}", container.name, data) for file in found.files),
        binds=(f"{source}:{mount.mount_path}:ro",),
        env=_named(mount, mount.mount_path),
        secret_bytes=_size(found.files),
    )


def _placed(container: Container, driver: str, mount: VolumeMount, found: Content, path: str, data: Data) -> Mounted:
    inside = driver == EXEC and not found.private
    at = posixpath.normpath(f"/{mount.mount_path}").lstrip("/")
    base = at if inside else posixpath.join("secrets", at)
    files = tuple(_below(found.files, mount.sub_path))
    warnings: tuple[Finding, ...] = ()
    if driver == EXEC and found.private:
        message = f"driver exec cannot mount what is secret at {mount.mount_path}; it is in /secrets/{at}"
        warnings = (Finding("MountedElsewhere", path, f"{message}, as {_name(mount)} tells the program"),)
    return Mounted(
        templates=tuple(
            _template(file, posixpath.join(base, file.path), container.name, data, live=not mount.sub_path)
            for file in files
        ),
        env=_named(mount, f"/{at}" if inside else f"${{NOMAD_SECRETS_DIR}}/{at}"),
        warnings=warnings,
        secret_bytes=0 if inside else _size(files),
    )


def _below(files: tuple[File, ...], sub_path: str) -> Iterator[File]:
    """The files at or below a path, by their paths from there."""
    sub_path = posixpath.normpath(sub_path) if sub_path else ""
    for file in files:
        if not sub_path:
            yield file
        elif file.path == sub_path or file.path.startswith(f"{sub_path}/"):
            rest = file.path[len(sub_path) :].lstrip("/")
            yield File(rest, file.item, file.content, file.mode, file.live)


def _template(file: File, destination: str, task: str, data: Data, *, live: bool = True) -> Template:
    changes = live and file.live
    owner, _, group = data.users.get(task, "").partition(":")
    return Template(
        embedded_tmpl=template(data.job, task, data.count, file.item),
        dest_path=destination.rstrip("/"),
        once=not changes,
        perms=f"{file.mode:04o}",
        wait=_AT_ONCE if changes else None,
        uid=int(owner) if owner.isdigit() else None,
        gid=int(group) if group.isdigit() else None,
    )


def _empty_dir(
    driver: str, mount: VolumeMount, volume: Volume, path: str, pod: Pod, drivers: Mapping[str, str], data: Data
) -> Mounted:
    if _is_tmpfs(volume, pod, drivers):
        return _tmpfs(mount, volume, path)
    warnings = _unkept(volume)
    place = data.scratch[volume.name]
    if driver == DOCKER:
        source = f"{place}/{mount.sub_path}" if mount.sub_path else place
        bind = f"{source}:{mount.mount_path}{':ro' if mount.read_only else ''}"
        return Mounted(binds=(bind,), env=_named(mount, mount.mount_path), warnings=warnings)
    where = f"${{NOMAD_ALLOC_DIR}}/{place.removeprefix('../alloc/')}"
    if mount.sub_path:
        message = f"driver {driver} cannot mount a part of an emptyDir; mount it whole"
        raise Refused(Finding("PodFeatureUnsupported", f"{path}.subPath", message))
    if driver == EXEC:
        message = f"driver exec cannot mount it at {mount.mount_path}; it is where {_name(mount)} tells the program"
        warnings = (*warnings, Finding("MountedElsewhere", path, message))
    if mount.read_only:
        warnings = (*warnings, Finding("FieldIgnored", f"{path}.readOnly", f"driver {driver} does not enforce it"))
    return Mounted(env=_named(mount, where), warnings=warnings)


def _tmpfs(mount: VolumeMount, volume: Volume, path: str) -> Mounted:
    options: dict[str, Any] = {"mode": _ANYBODY_MAY_WRITE}
    if volume.empty_dir is not None and volume.empty_dir.size_limit is not None:
        options["size"] = _bytes(volume)
    if mount.sub_path:
        message = "docker cannot mount a part of an emptyDir in memory; mount it whole"
        raise Refused(Finding("PodFeatureUnsupported", f"{path}.subPath", message))
    block = {
        "type": "tmpfs", "target": mount.mount_path, "readonly": mount.read_only, "tmpfs_options": [options],
    }  # fmt: skip
    message = "a restart of its container empties it; without medium: Memory it is kept as long as the Pod"
    warning = Finding("EmptiedByRestart", f"spec.volumes[{volume.name}].emptyDir.medium", message)
    return Mounted(mounts=(block,), env=_named(mount, mount.mount_path), warnings=(warning,))


def _is_tmpfs(volume: Volume, pod: Pod, drivers: Mapping[str, str]) -> bool:
    """Whether an empty directory is in memory: docker can do that, for one container and one mount."""
    if volume.empty_dir is None or volume.empty_dir.medium != _MEMORY:
        return False
    users = _users(volume, pod)
    return len(users) == 1 and all(drivers[one.name] == DOCKER for one in users)


def _users(volume: Volume, pod: Pod) -> list[Container]:
    return [one for one in pod.spec.every_container for mount in one.volume_mounts if mount.name == volume.name]


def _unkept(volume: Volume) -> tuple[Finding, ...]:
    """What is asked of an empty directory and not done."""
    source, path = volume.empty_dir, f"spec.volumes[{volume.name}].emptyDir"
    if source is None:
        return ()
    found = []
    if source.medium == _MEMORY:
        found.append(Finding("FieldIgnored", f"{path}.medium", "it is on the client's disk, for tasks share no memory"))
    if source.size_limit is not None:
        _bytes(volume)
        found.append(Finding("LimitNotEnforced", f"{path}.sizeLimit", "Nomad does not limit a directory"))
    return tuple(found)


def _bytes(volume: Volume) -> int:
    limit = volume.empty_dir.size_limit if volume.empty_dir is not None else None
    try:
        return quantity.whole(quantity.parse(limit if limit is not None else "0"))
    except ValueError as error:
        path = f"spec.volumes[{volume.name}].emptyDir.sizeLimit"
        raise Refused(Finding("InvalidResources", path, str(error))) from None


def _named(mount: VolumeMount, where: str) -> dict[str, str]:
    return {} if mount.name.startswith(INJECTED) else {_name(mount): where}


def _name(mount: VolumeMount) -> str:
    return f"VNODE_MOUNT_{mount.name.upper().replace('-', '_')}"


def _size(files: tuple[File, ...]) -> int:
    return sum(len(file.content) for file in files)
