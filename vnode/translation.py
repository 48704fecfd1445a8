"""`vnode translate`: what a manifest would become in Nomad, without asking any server."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from translators.errors import Refused, Waiting
from translators.material import SECRET, Claims, DataObject, Material, ObjectKey, Token
from translators.namespaces import nomad_namespace
from translators.pod_to_job import JobContext, claims, registries, translate
from translators.records.jobs import Job
from translators.records.pods import Pod
from translators.references import references
from translators.support import decode_pod
from vnode.job_context import job_context
from vnode.settings import Settings

_JOB = TypeAdapter(Job)
#: Where no Nomad is asked, one CPU counts this many MHz.
_ASSUMED_MHZ_PER_CORE = 1000.0
_NEVER = datetime.fromtimestamp(0, UTC)
_NIL_UID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Translated:
    """The job as JSON, or None when the manifest is refused; and what its author should know."""

    job: bytes | None
    messages: tuple[str, ...]


def translate_manifest(document: Any, settings: Settings) -> Translated:
    """Translate a Pod, or the Pod of a workload's template."""
    pod = _pod_manifest(document)
    if pod is None:
        kind = document.get("kind", "no kind") if isinstance(document, dict) else type(document).__name__
        return Translated(None, (f"error: expected a Pod or something with a Pod template, found {kind}",))
    try:
        decoded = decode_pod(pod)
        context = _context(settings, decoded.metadata.namespace)
        found = translate(decoded, context, settings.policy, _assumed(decoded, settings))
    except ValidationError as error:
        problems = tuple(f"error: {'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
        return Translated(None, problems)
    except Refused as refused:
        return Translated(None, (f"error: {refused}",))
    except Waiting as waiting:
        return Translated(None, (f"error: {waiting}",))
    warnings = tuple(f"warning: {finding}" for finding in found.warnings)
    return Translated(_JOB.dump_json(found.job, by_alias=True, exclude_none=True), warnings)


def _assumed(pod: Pod, settings: Settings) -> Material:
    """Objects that hold the keys that the Pod names, and nothing in them: a job shows no values anyhow.

    Of an object that is taken whole no key is known here, so its files and variables are not in the job. Registries
    have an account for the Pod, and claims, where they are served, are bound to a volume of their name.
    """
    named = references(pod, settings.default_driver)
    empty = {key: dict.fromkeys(keys, b"") for key, keys in named.objects.items()}
    objects = {key: DataObject("", keys, keys) for key, keys in empty.items()}
    for each in pod.spec.image_pull_secrets:
        objects[ObjectKey(SECRET, each.name)] = DataObject("", {}, {registries.FILE: registries.assumed(pod)})
    return Material(
        objects=objects,
        tokens=dict.fromkeys(named.tokens, Token("", _NEVER, _NEVER)),
        claims=claims.assumed(pod) if settings.persistent_volumes else Claims(),
    )


def _pod_manifest(document: Any) -> dict[str, Any] | None:
    """The Pod that a manifest describes, with the identity that the API server would give it."""
    if not isinstance(document, dict):
        return None
    spec = document.get("spec")
    if not isinstance(spec, Mapping):
        return None
    if document.get("kind") == "CronJob":
        return _pod_manifest({**spec.get("jobTemplate", {}), "kind": "Job", "metadata": document.get("metadata")})
    source = document if document.get("kind") == "Pod" else spec.get("template")
    if not isinstance(source, Mapping):
        return None
    outer = document.get("metadata") or {}
    identity = {"namespace": "default", "name": "pod", "uid": _NIL_UID}
    metadata = {**identity, **_named(outer), **(source.get("metadata") or {})}
    return {"metadata": metadata, "spec": _with_claims(source.get("spec") or {}, spec, metadata["name"])}


def _with_claims(pod_spec: dict[str, Any], owner: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A Pod's spec with the volumes that the controller of StatefulSets adds: claims, here those of its first Pod."""
    templates = [each for each in owner.get("volumeClaimTemplates") or () if isinstance(each, Mapping)]
    named = [_named(each.get("metadata") or {}).get("name", "") for each in templates]
    added = [{"name": each, "persistentVolumeClaim": {"claimName": f"{each}-{name}-0"}} for each in named]
    return {**pod_spec, "volumes": [*(pod_spec.get("volumes") or ()), *added]} if added else pod_spec


def _named(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: metadata[key] for key in ("name", "namespace") if metadata.get(key)}


def _context(settings: Settings, namespace: str) -> JobContext:
    return job_context(
        settings,
        settings.cluster_id or "offline",
        nomad_namespace(settings.namespace_map, namespace),
        settings.mhz_per_core or _ASSUMED_MHZ_PER_CORE,
        memory_oversubscription=False,
    )
