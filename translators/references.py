"""Which objects a Pod names: what has to be known before it can be translated."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from translators import annotations
from translators.errors import Refused
from translators.material import CONFIG_MAP, SECRET, ObjectKey, TokenNeed
from translators.pod_to_job import downward, mounts, registries, volumes
from translators.pod_to_job.drivers import driver
from translators.records.pods import Container, Pod
from translators.records.sources import KeyToPath, Projection, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What a Pod names outside of itself.

    `objects` maps each ConfigMap and Secret to the keys of it that are named, `tokens` are the ServiceAccount tokens.
    `live` says that files of the Pod follow their source, `own_fields` that its labels or annotations are a source.
    """

    objects: Mapping[ObjectKey, frozenset[str]] = field(default_factory=dict)
    tokens: frozenset[TokenNeed] = frozenset()
    services: bool = False
    live: bool = False
    own_fields: bool = False


_NOTHING = References()
_SERVICES = References(services=True)


def references(pod: Pod, default_driver: str) -> References:
    """What a Pod names; a Pod that cannot be translated names nothing."""
    mentions = any(one.env_from or one.env for one in pod.spec.every_container)
    mentions = mentions or bool(pod.spec.volumes or pod.spec.image_pull_secrets)
    if not mentions:
        return _SERVICES if pod.spec.enable_service_links else _NOTHING
    try:
        settings = annotations.read(pod)
        drivers = {one.name: driver(one, pod, settings, default_driver) for one in pod.spec.every_container}
    except Refused:
        return _NOTHING
    mounted = mounts.mounted_data(pod, drivers)
    objects: defaultdict[ObjectKey, set[str]] = defaultdict(set)
    for key, names in (*_of_environment(pod.spec.every_container), *_of_volumes(mounted)):
        objects[key] |= names
    for key in registries.named(pod, drivers):
        objects[key] |= set()
    fields = [path for volume in mounted for path in _fields(volume)]
    tokens = frozenset(need for volume in mounted for need in volumes.token_needs(volume))
    own_fields = any(map(downward.changes, fields))
    return References(
        objects={key: frozenset(names) for key, names in objects.items()},
        tokens=tokens,
        services=pod.spec.enable_service_links,
        live=bool(tokens or own_fields or any(True for _ in _of_volumes(mounted))),
        own_fields=own_fields,
    )


def _of_environment(containers: tuple[Container, ...]) -> Iterator[tuple[ObjectKey, set[str]]]:
    for container in containers:
        for every in container.env_from:
            if every.config_map_ref is not None:
                yield ObjectKey(CONFIG_MAP, every.config_map_ref.name), set()
            elif every.secret_ref is not None:
                yield ObjectKey(SECRET, every.secret_ref.name), set()
        for variable in container.env:
            source = variable.value_from
            if source is None or variable.value:
                continue
            if source.config_map_key_ref is not None:
                yield ObjectKey(CONFIG_MAP, source.config_map_key_ref.name), {source.config_map_key_ref.key}
            elif source.secret_key_ref is not None:
                yield ObjectKey(SECRET, source.secret_key_ref.name), {source.secret_key_ref.key}


def _of_volumes(mounted: tuple[Volume, ...]) -> Iterator[tuple[ObjectKey, set[str]]]:
    for volume in mounted:
        for each in volumes.projections(volume):
            if each.config_map is not None:
                yield ObjectKey(CONFIG_MAP, each.config_map.name), _keys(each.config_map.items)
            elif each.secret is not None:
                yield ObjectKey(SECRET, each.secret.name), _keys(each.secret.items)


def _keys(items: tuple[KeyToPath, ...]) -> set[str]:
    return {item.key for item in items}


def _fields(volume: Volume) -> Iterator[str]:
    for each in volumes.projections(volume):
        yield from _paths(each)


def _paths(projection: Projection) -> Iterator[str]:
    if projection.downward_api is not None:
        yield from (file.field_ref.field_path for file in projection.downward_api.items if file.field_ref is not None)
