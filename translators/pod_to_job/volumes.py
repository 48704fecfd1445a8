"""What is in the volumes of a Pod: files, their modes, and the items of the Pod's data that they come from.

Messages are those of a kubelet: kubernetes pkg/volume/configmap, secret, projected, downwardapi.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from translators.errors import Finding, Hindrance, Refused, Waiting
from translators.material import CONFIG_MAP, SECRET, Material, ObjectKey, TokenNeed
from translators.pod_to_job import downward
from translators.records.pods import Pod
from translators.records.sources import (
    DownwardFile,
    DownwardProjection,
    KeyToPath,
    ObjectProjection,
    Projection,
    TokenProjection,
    Volume,
)
from translators.variables import item_name

#: The volumes that the admission plugin ServiceAccount makes are named like this.
INJECTED = "kube-api-access-"

_MODE = 0o644


@dataclass(frozen=True, slots=True)
class File:
    """A file at a path below its volume; `live` says whether its content may change while the Pod runs."""

    path: str
    item: str
    content: bytes = field(repr=False)
    mode: int
    live: bool = True


@dataclass(frozen=True, slots=True)
class Content:
    """The files of a volume; `private` when one of them is secret."""

    files: tuple[File, ...]
    private: bool


def projections(volume: Volume) -> tuple[Projection, ...]:
    """Any volume of files, told as a projected one; nothing for a volume of another kind."""
    if volume.projected is not None:
        return volume.projected.sources
    if volume.config_map is not None:
        source = volume.config_map
        whole = ObjectProjection(name=source.name, items=source.items, optional=source.optional)
        return (Projection(config_map=whole),)
    if volume.secret is not None:
        hidden = volume.secret
        whole = ObjectProjection(name=hidden.secret_name, items=hidden.items, optional=hidden.optional)
        return (Projection(secret=whole),)
    if volume.downward_api is not None:
        return (Projection(downward_api=DownwardProjection(items=volume.downward_api.items)),)
    return ()


def is_data(volume: Volume) -> bool:
    """Whether a volume is made of files that we deliver."""
    kinds = (volume.config_map, volume.secret, volume.downward_api, volume.projected)
    return any(kind is not None for kind in kinds)


def content(pod: Pod, volume: Volume, material: Material) -> Content:
    """The files of a volume.

    Raises:
        Waiting: for an object or key that is not there.
        Refused: for a path or field that cannot be.
    """
    try:
        files = {
            file.path: file for projection in projections(volume) for file in _files(pod, volume, projection, material)
        }
    except Waiting as waiting:
        message = waiting.hindrance.message
        if not message:
            raise
        told = f'MountVolume.SetUp failed for volume "{volume.name}" : {message}'
        raise Waiting(Hindrance("FailedMount", told)) from None
    private = any(each.secret is not None or each.service_account_token is not None for each in projections(volume))
    return Content(tuple(files[path] for path in sorted(files)), private)


def token_needs(volume: Volume) -> Iterator[TokenNeed]:
    """The tokens that a volume shows."""
    for projection in projections(volume):
        if projection.service_account_token is not None:
            yield _need(projection.service_account_token)


def token_item(need: TokenNeed) -> str:
    """The item in which a token travels."""
    return item_name("token", need.audience, str(need.expiration_seconds))


def _need(token: TokenProjection) -> TokenNeed:
    return TokenNeed(token.audience, token.expiration_seconds)


def _files(pod: Pod, volume: Volume, projection: Projection, material: Material) -> Iterator[File]:
    default = _default_mode(volume)
    if projection.config_map is not None:
        yield from _of_object(CONFIG_MAP, projection.config_map, volume, default, material)
    elif projection.secret is not None:
        yield from _of_object(SECRET, projection.secret, volume, default, material)
    elif projection.downward_api is not None:
        for file in projection.downward_api.items:
            yield _of_pod(pod, volume, file, default)
    elif projection.service_account_token is not None:
        yield _of_token(projection.service_account_token, volume, default, material)


def _of_object(kind: str, source: ObjectProjection, volume: Volume, default: int, material: Material) -> Iterator[File]:
    key = ObjectKey(SECRET if kind == SECRET else CONFIG_MAP, source.name)
    found = material.find(key) if source.optional else material.get(key)
    if found is None:
        return
    chosen = source.items or tuple(KeyToPath(key=name, path=name) for name in sorted(found.files))
    for item in chosen:
        path = _checked(item.path, volume)
        if item.key not in found.files:
            if source.optional:
                continue
            raise Waiting(Hindrance(message=_missing_key(kind, item.key)))
        yield File(
            path,
            item_name(kind.lower(), source.name, item.key),
            found.files[item.key],
            default if item.mode is None else item.mode,
            live=not found.immutable,
        )


def _of_pod(pod: Pod, volume: Volume, file: DownwardFile, default: int) -> File:
    path = _checked(file.path, volume)
    where = f"spec.volumes[{volume.name}].items[{file.path}]"
    live = False
    if file.field_ref is not None:
        text, live = downward.field(pod, file.field_ref.field_path, where), downward.changes(file.field_ref.field_path)
    elif file.resource_field_ref is not None:
        selector = file.resource_field_ref
        container = next((one for one in pod.spec.every_container if one.name == selector.container_name), None)
        if container is None:
            raise Refused(Finding("InvalidField", where, f"the Pod has no container {selector.container_name!r}"))
        text = downward.resource(container, selector, where)
    else:
        raise Refused(Finding("PodFeatureUnsupported", where, "shows nothing that is known; use fieldRef"))
    item = item_name("pod", volume.name, path)
    return File(path, item, text.encode(), default if file.mode is None else file.mode, live=live)


def _of_token(token: TokenProjection, volume: Volume, default: int, material: Material) -> File:
    need = _need(token)
    found = material.tokens.get(need)
    if found is None:
        raise Waiting(Hindrance())
    return File(_checked(token.path, volume), token_item(need), found.value.encode(), default)


def _default_mode(volume: Volume) -> int:
    source = volume.config_map or volume.secret or volume.downward_api or volume.projected
    mode = source.default_mode if source is not None else None
    return _MODE if mode is None else mode


def _missing_key(kind: str, key: str) -> str:
    if kind == SECRET:
        return f"references non-existent secret key: {key}"
    return f"configmap references non-existent config key: {key}"


def _checked(path: str, volume: Volume) -> str:
    """A path as Nomad writes it; what it would interpolate, or what leaves the volume, is refused."""
    if "${" in path or "\0" in path or path.startswith("/") or ".." in path.split("/"):
        message = f"the path {path!r} cannot be written: it holds ${{, leaves the volume, or is absolute"
        raise Refused(Finding("InvalidField", f"spec.volumes[{volume.name}]", message))
    return path


def by_name(pod: Pod) -> Mapping[str, Volume]:
    """The volumes of a Pod."""
    return {volume.name: volume for volume in pod.spec.volumes}
