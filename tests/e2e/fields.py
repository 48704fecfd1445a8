"""The fields of a Pod's spec that need a row in `translators.fields`, as a real API server describes them."""

from collections.abc import Iterator, Mapping
from typing import Any

Schemas = Mapping[str, Any]

_PREFIX = "io.k8s.api.core.v1."
#: Where the fields of a type stand in a Pod, and the type's name.
_PLACES = {
    "spec.": "PodSpec",
    "spec.securityContext.": "PodSecurityContext",
    "spec.volumes[].": "Volume",
    "spec.volumes[].projected.sources[].": "VolumeProjection",
    "spec.containers[].": "Container",
    "spec.containers[].securityContext.": "SecurityContext",
    "spec.containers[].volumeMounts[].": "VolumeMount",
    "spec.containers[].lifecycle.": "Lifecycle",
    "spec.containers[].lifecycle.postStart.": "LifecycleHandler",
    "spec.containers[].lifecycle.postStart.httpGet.": "HTTPGetAction",
    "spec.containers[].lifecycle.preStop.": "LifecycleHandler",
    "spec.containers[].lifecycle.preStop.httpGet.": "HTTPGetAction",
    "spec.containers[].livenessProbe.": "Probe",
    "spec.containers[].livenessProbe.httpGet.": "HTTPGetAction",
    "spec.containers[].livenessProbe.tcpSocket.": "TCPSocketAction",
    "spec.containers[].readinessProbe.": "Probe",
    "spec.containers[].readinessProbe.httpGet.": "HTTPGetAction",
    "spec.containers[].readinessProbe.tcpSocket.": "TCPSocketAction",
    "spec.containers[].startupProbe.": "Probe",
    "spec.containers[].startupProbe.httpGet.": "HTTPGetAction",
    "spec.containers[].startupProbe.tcpSocket.": "TCPSocketAction",
}
#: A field of a type that has no other row of its own.
_SINGLE = {"spec.containers[].resources.claims": ("ResourceRequirements", "claims")}


def paths(document: Mapping[str, Any]) -> list[str]:
    """The paths, sorted; `document` is what `/openapi/v3/api/v1` answers."""
    return sorted(_paths(document["components"]["schemas"]))


def _paths(schemas: Schemas) -> Iterator[str]:
    for prefix, name in _PLACES.items():
        for field in schemas[_PREFIX + name]["properties"]:
            yield prefix + field
    for path, (name, field) in _SINGLE.items():
        if field in schemas[_PREFIX + name]["properties"]:
            yield path
