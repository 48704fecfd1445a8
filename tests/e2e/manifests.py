"""Kubernetes objects as tests write them: what every Pod for Nomad needs is here, what a test is about stands in it."""

from collections.abc import Mapping, Sequence
from typing import Any

Manifest = dict[str, Any]

PREFIX = "nomad.hashinetes.io/"
BUSYBOX = "busybox:1.36"
NODE = "nomad"
_TOLERATION = {"key": "virtual-kubelet.io/provider", "operator": "Equal", "value": "nomad", "effect": "NoSchedule"}
_SMALL = {"requests": {"cpu": "20m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}}


def container(
    script: str = "", *, name: str = "main", image: str = BUSYBOX, command: Sequence[str] = (), **fields: Any
) -> Manifest:
    """A container that runs a shell script, or a command, or what its image or artifact says."""
    found: Manifest = {"name": name, "image": image, "resources": _SMALL}
    if script:
        found["command"] = ["/bin/sh", "-c", script]
    if command:
        found["command"] = list(command)
    return {**found, **fields}


def pod_spec(*containers: Manifest, node: str = NODE, restart: str = "Always", **fields: Any) -> Manifest:
    """What a Pod and a controller's template have in common."""
    return {
        "nodeSelector": {"kubernetes.io/hostname": node},
        "tolerations": [_TOLERATION],
        "automountServiceAccountToken": False,
        "restartPolicy": restart,
        "containers": list(containers),
        **fields,
    }


def settings(driver: str = "", **annotations: str) -> dict[str, str]:
    """Annotations of ours by the name behind the prefix, `_` standing for `-`."""
    found = {"driver": driver, **{name.replace("_", "-"): text for name, text in annotations.items()}}
    return {PREFIX + name: text for name, text in found.items() if text}


def pod(
    name: str,
    *containers: Manifest | str,
    driver: str = "raw_exec",
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    **spec: Any,
) -> Manifest:
    """A bare Pod; a text among its containers is the script of one called `main`."""
    whole = [container(each) if isinstance(each, str) else each for each in containers]
    metadata = {
        "name": name,
        "labels": dict(labels or {"app": name}),
        "annotations": {**settings(driver), **(annotations or {})},
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec(*whole, **spec)}


def volume_claim(name: str, mode: str = "ReadWriteOnce", **spec: Any) -> Manifest:
    """A claim of a volume that vnode makes, unless the spec says otherwise."""
    own = {"storageClassName": "nomad-host-volume", "resources": {"requests": {"storage": "64Mi"}}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": [mode], **own, **spec},
    }


def claiming(claim: str) -> Manifest:
    """A volume `data` that shows a claim."""
    return {"name": "data", "persistentVolumeClaim": {"claimName": claim}}


def deployment(name: str, script: str, replicas: int, *, driver: str = "raw_exec", **spec: Any) -> Manifest:
    """A Deployment of Pods with one container."""
    return _controlled("apps/v1", "Deployment", name, script, driver, {"replicas": replicas}, spec)


def stateful_set(name: str, script: str, replicas: int, *, driver: str = "raw_exec", **spec: Any) -> Manifest:
    """A StatefulSet of Pods with one container, and no Service."""
    own = {"replicas": replicas, "serviceName": name}
    return _controlled("apps/v1", "StatefulSet", name, script, driver, own, spec)


def job(name: str, script: str, *, backoff_limit: int = 0, driver: str = "raw_exec", **spec: Any) -> Manifest:
    """A Job of one Pod that never restarts its container."""
    template = _template(name, script, driver, {"restart": "Never", **spec})
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": backoff_limit, "template": template},
    }


def _controlled(
    version: str, kind: str, name: str, script: str, driver: str, own: Manifest, spec: Manifest
) -> Manifest:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            **own,
            "selector": {"matchLabels": {"app": name}},
            "template": _template(name, script, driver, spec),
        },
    }


def _template(name: str, script: str, driver: str, spec: Manifest) -> Manifest:
    metadata = {"labels": {"app": name}, "annotations": settings(driver)}
    return {"metadata": metadata, "spec": pod_spec(container(script), **spec)}
