"""Every field of a Pod and what becomes of it: one table, from which Pods are judged and the documentation is made.

The fields are those of PodSpec and Container in Kubernetes 1.36 (api core/v1/types.go).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from translators.policy import DOCKER, EXEC, RAW_EXEC


class Verdict(StrEnum):
    """What we do with a field that is set to something other than its default."""

    HONOURED = "honoured"
    IGNORED = "not ours"
    WARNED = "warning"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Row:
    """One field: what becomes of it and why; `drivers` limits the verdict, none means all.

    `harmless` recognises the values that change nothing.
    """

    path: str
    verdict: Verdict
    note: str
    drivers: tuple[str, ...] = ()
    harmless: Callable[[Any], bool] = lambda value: not value


def _is_one_of(*values: object) -> Callable[[Any], bool]:
    return lambda value: value in values


def _is_not_false(value: object) -> bool:
    return value is not False


def _honoured(prefix: str, notes: Mapping[str, str]) -> tuple[Row, ...]:
    return tuple(Row(f"{prefix}{name}", Verdict.HONOURED, note) for name, note in notes.items())


def _not_ours(prefix: str, notes: Mapping[str, str]) -> tuple[Row, ...]:
    return tuple(Row(f"{prefix}{name}", Verdict.IGNORED, note) for name, note in notes.items())


def _refused(prefix: str, notes: Mapping[str, str]) -> tuple[Row, ...]:
    return tuple(Row(f"{prefix}{name}", Verdict.REFUSED, note) for name, note in notes.items())


def _says_nothing(value: object) -> bool:
    """Whether a setting is not set; 0 is a user and a group."""
    return value is None or value is False or value in ([], {}, "")


def _by_docker_only(path: str, note: str, harmless: Callable[[Any], bool] = _says_nothing) -> Row:
    """A field that docker enforces and other drivers refuse."""
    return Row(path, Verdict.REFUSED, note if "docker" in note else f"{note}; docker honours it", _BINARIES, harmless)


def _by_docker(prefix: str, notes: Mapping[str, str]) -> tuple[Row, ...]:
    return tuple(_by_docker_only(f"{prefix}{name}", note) for name, note in notes.items())


_BINARIES = (EXEC, RAW_EXEC)
_IDENTITY_NOTES = {
    "runAsUser": "is not enforced; use the annotation nomad.hashinetes.io/user",
    "runAsGroup": "is not enforced; use the annotation nomad.hashinetes.io/user",
    "runAsNonRoot": "is not enforced; the annotation nomad.hashinetes.io/user sets the user",
    "seccompProfile": "seccomp profiles are not enforced; with docker RuntimeDefault is always on",
    "appArmorProfile": "AppArmor profiles are not enforced; with docker RuntimeDefault is always on",
}

SPEC = "spec."
SPEC_SECURITY = "spec.securityContext."
CONTAINER = "spec.containers[]."
CONTAINER_SECURITY = "spec.containers[].securityContext."
VOLUME = "spec.volumes[]."
PROJECTION = "spec.volumes[].projected.sources[]."
MOUNT = "spec.containers[].volumeMounts[]."
LIFECYCLE = "lifecycle."
HOOKS = ("postStart", "preStop")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")

_PROBE_NOTES = {
    "exec": "run through Nomad's exec API, a few at a time",
    "httpGet": "asked by vnode where the port is published; see its fields",
    "tcpSocket": "asked by vnode where the port is published; see its fields",
    "initialDelaySeconds": "",
    "timeoutSeconds": "",
    "periodSeconds": "",
    "successThreshold": "",
    "failureThreshold": "",
    "terminationGracePeriodSeconds": "",
}
_HTTP_NOTES = {
    "httpGet.path": "",
    "httpGet.port": "a number, or the name of a port of the container",
    "httpGet.scheme": "certificates are not verified, as by a kubelet",
    "httpGet.httpHeaders": "",
}
_HOOK_NOTES = {
    "exec": "run through Nomad's exec API, eight at a time",
    "httpGet": "asked by vnode where the port is published; see its fields",
    "sleep": "",
}
_ACTION_NOTES = {
    **_HTTP_NOTES,
    "tcpSocket.port": "a number, or the name of a port of the container",
    "grpc": "asked by vnode where the port is published",
}
_ONLY_ITSELF = "a probe asks the Pod itself; for the name of a virtual host use the header Host"

ROWS: tuple[Row, ...] = (
    *_honoured(
        SPEC,
        {
            "containers": "one task each",
            "initContainers": "in order, before the containers; what follows a sidecar waits until that has started",
            "nodeName": "the Pod is ours by it",
            "restartPolicy": "",
            "terminationGracePeriodSeconds": "a client caps it at its max_kill_timeout, 30 s unless raised",
            "activeDeadlineSeconds": "",
            "hostNetwork": "",
            "hostname": "docker without hostNetwork; elsewhere a warning",
            "runtimeClassName": "nomad-<driver> selects the driver; any other is refused",
            "priorityClassName": "Nomad's priority where the setting priorities says so; else for the scheduler alone",
            "serviceAccountName": "for fieldRef and for tokens",
            "volumes": "see their kinds",
            "imagePullSecrets": "docker, with Nomad 1.11 or later: the entry that fits the image best",
            "enableServiceLinks": "variables of the namespace's Services; KUBERNETES_SERVICE_* are where configured",
            "readinessGates": "the Pod is Ready only when others have set these conditions",
            "securityContext": "see its fields",
            "dnsPolicy": "None with dnsConfig; the others are the resolver of the host",
            "dnsConfig": "docker; without dnsPolicy None only its options",
            "resources": "cpu and memory, of a Pod with one container and no sidecar, which has them all; else refused",
        },
    ),
    *_not_ours(
        SPEC,
        {
            "serviceAccount": "the old name of serviceAccountName",
            "automountServiceAccountToken": "acted upon when the Pod is admitted",
            "nodeSelector": "for the scheduler; Nomad's constraints are annotations",
            "affinity": "for the scheduler; Nomad's affinities are annotations",
            "tolerations": "for the scheduler and the taint controller",
            "topologySpreadConstraints": "for the scheduler",
            "schedulerName": "for the scheduler",
            "schedulingGates": "for the scheduler",
            "schedulingGroup": "for the scheduler",
            "priority": "for the scheduler; Nomad's priority is an annotation, or by priorityClassName",
            "preemptionPolicy": "for the scheduler",
            "overhead": "for the scheduler",
            "subdomain": "read by the EndpointSlice controller",
        },
    ),
    *_refused(
        SPEC,
        {
            "hostPID": "the host's process IDs cannot be shared; remove it",
            "hostIPC": "the host's IPC cannot be shared; remove it",
            "shareProcessNamespace": "containers cannot share process IDs; put the programs into one container",
            "setHostnameAsFQDN": "the host name cannot be qualified; remove it",
            "hostnameOverride": "is not supported; use hostname",
            "resourceClaims": "dynamic resource allocation is not supported",
        },
    ),
    Row(
        "spec.os",
        Verdict.REFUSED,
        "only linux is supported",
        harmless=_is_one_of(None, {}, {"name": "linux"}),
    ),
    Row(
        "spec.hostUsers",
        Verdict.REFUSED,
        "user namespaces are not supported; remove it",
        harmless=_is_not_false,
    ),
    Row(
        "spec.ephemeralContainers",
        Verdict.WARNED,
        "ephemeral containers are not run; use kubectl exec, or kubectl debug --copy-to",
    ),
    *_refused(
        SPEC_SECURITY,
        {
            "seLinuxOptions": "SELinux labels are not enforced",
            "windowsOptions": "only linux is supported",
        },
    ),
    *_by_docker(SPEC_SECURITY, {**_IDENTITY_NOTES, "supplementalGroups": "groups are not enforced"}),
    Row(
        "spec.securityContext.fsGroup",
        Verdict.REFUSED,
        "the group of volumes is not set; for claims let the StorageClass say uid, gid or mode",
        harmless=_is_one_of(None),
    ),
    _by_docker_only("spec.securityContext.sysctls", "are not set; docker honours those that a kubelet holds for safe"),
    _by_docker_only("spec.hostAliases", "/etc/hosts is the host's own; use names that resolve"),
    *_not_ours(
        SPEC_SECURITY,
        {
            "fsGroupChangePolicy": "without effect where fsGroup is refused",
            "supplementalGroupsPolicy": "without effect where supplementalGroups are refused",
            "seLinuxChangePolicy": "without effect where seLinuxOptions are refused",
        },
    ),
    *_honoured(
        VOLUME,
        {
            "name": "",
            "configMap": "existing keys follow their source, added and removed ones at the next start of the Pod",
            "secret": "as configMap; the files are on a tmpfs",
            "downwardAPI": "labels and annotations follow the Pod",
            "projected": "tokens are renewed in place; see its sources",
            "emptyDir": "medium Memory: docker, for one container; sizeLimit is enforced there only",
            "hostPath": "docker and raw_exec, where the policy allows the path; the type is not checked",
            "persistentVolumeClaim": "docker and exec, with `--persistent-volumes`: volumes of Nomad, mounted whole",
            "ephemeral": "as persistentVolumeClaim",
        },
    ),
    *_refused(
        VOLUME,
        {
            "csi": "needs a CSI driver on a Kubernetes node",
            "image": "images as volumes are not supported",
            **dict.fromkeys(
                [
                    "awsElasticBlockStore",
                    "azureDisk",
                    "azureFile",
                    "cephfs",
                    "cinder",
                    "fc",
                    "flexVolume",
                    "flocker",
                    "gcePersistentDisk",
                    "gitRepo",
                    "glusterfs",
                    "iscsi",
                    "nfs",
                    "photonPersistentDisk",
                    "portworxVolume",
                    "quobyte",
                    "rbd",
                    "scaleIO",
                    "storageos",
                    "vsphereVolume",
                ],
                "needs a Kubernetes node that mounts it",
            ),
        },
    ),
    *_honoured(
        PROJECTION, {"configMap": "", "secret": "", "downwardAPI": "", "serviceAccountToken": "bound to the Pod"}
    ),
    *_refused(
        PROJECTION,
        {
            "clusterTrustBundle": "trust bundles are not supported; mount a ConfigMap",
            "podCertificate": "Pod certificates are not supported",
        },
    ),
    *_honoured(
        MOUNT,
        {
            "name": "",
            "mountPath": "",
            "subPath": "docker, and files of every driver; never updated, as in Kubernetes",
            "readOnly": "docker; ConfigMaps, Secrets and tokens are read-only in any case",
        },
    ),
    Row(f"{MOUNT}subPathExpr", Verdict.REFUSED, "variables in subPath are not supported; use subPath"),
    Row(
        f"{MOUNT}mountPropagation",
        Verdict.REFUSED,
        "mounts are not propagated",
        harmless=_is_one_of(None, "", "None"),
    ),
    Row(
        f"{MOUNT}recursiveReadOnly",
        Verdict.REFUSED,
        "is not enforced",
        harmless=_is_one_of(None, "", "Disabled", "IfPossible"),
    ),
    *_honoured(
        CONTAINER,
        {
            "name": "the task's name",
            "image": "docker; ignored by exec and raw_exec, by convention nomad.local/binary; changed of a Pod "
            "that runs where only a restart follows from that (docs/differences.md), else an Event says why not",
            "command": "",
            "args": "",
            "workingDir": "",
            "ports": "TCP and UDP; SCTP on the host's network only",
            "env": "value, fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef; fileKeyRef is refused. What "
            "comes from a ConfigMap or Secret must be UTF-8, below 64 KB, in a name of letters, digits, '_' and '.'",
            "envFrom": "names that Nomad cannot carry are skipped with a warning",
            "resources": "cpu, memory, ephemeral-storage and those of the setting devices; limits of cpu and "
            "ephemeral-storage only warn; other resources are refused",
            "volumeMounts": "docker: at mountPath; exec: what is secret is below /secrets, a warning says where; "
            "raw_exec: where VNODE_MOUNT_<VOLUME> says",
            "securityContext": "see its fields",
            "livenessProbe": "a container that fails it is ended, and started again by the Pod's restartPolicy",
            "readinessProbe": "",
            "startupProbe": "as livenessProbe; the other probes wait for it",
            "lifecycle": "see its fields; preStop not where Nomad ends a container by itself: a drain, a sidecar at "
            "the end of its Pod",
            "terminationMessagePath": "docker; exec outside of /dev, /proc, /sys and /secrets; raw_exec has none",
            "terminationMessagePolicy": "in FallbackToLogsOnError the end of stdout comes before that of stderr",
        },
    ),
    *(
        row
        for probe in PROBES
        for prefix in (f"{CONTAINER}{probe}.",)
        for row in (
            *_honoured(prefix, {**_PROBE_NOTES, **_ACTION_NOTES}),
            *_refused(
                prefix,
                {
                    "httpGet.host": _ONLY_ITSELF,
                    "tcpSocket.host": _ONLY_ITSELF,
                },
            ),
        )
    ),
    *(
        row
        for hook in HOOKS
        for prefix in (f"{CONTAINER}{LIFECYCLE}{hook}.",)
        for row in (
            *_honoured(prefix, {**_HOOK_NOTES, **_HTTP_NOTES}),
            *_refused(
                prefix,
                {
                    "httpGet.host": "a hook asks the Pod itself; use exec",
                    "tcpSocket": "is run by no kubelet either; use exec",
                },
            ),
        )
    ),
    *_honoured(
        CONTAINER + LIFECYCLE, {"postStart": "the container is running when it is done", "preStop": "within the grace"}
    ),
    Row(f"{CONTAINER}{LIFECYCLE}stopSignal", Verdict.REFUSED, "is not sent; trap SIGTERM, or remove it"),
    *_not_ours(
        CONTAINER,
        {
            "resizePolicy": "resizes of running Pods are refused by the API server",
        },
    ),
    *_refused(
        CONTAINER,
        {
            "restartPolicy": "a container has no restart policy of its own here; use the Pod's",
            "restartPolicyRules": "rules of restarts are not supported; use the Pod's restartPolicy",
            "volumeDevices": "block devices are not supported",
            "resources.claims": "dynamic resource allocation is not supported",
        },
    ),
    Row(
        "spec.containers[].imagePullPolicy",
        Verdict.WARNED,
        "the docker driver pulls an image that the client does not have, also with Never",
        drivers=(DOCKER,),
        harmless=_is_one_of(None, "", "Always", "IfNotPresent"),
    ),
    *(
        Row(f"{CONTAINER}{name}", Verdict.WARNED, "a task has no standard input of its own; use kubectl exec")
        for name in ("stdin", "stdinOnce", "tty")
    ),
    *_refused(
        CONTAINER_SECURITY,
        {
            "seLinuxOptions": "SELinux labels are not enforced",
            "windowsOptions": "only linux is supported",
        },
    ),
    *_by_docker(CONTAINER_SECURITY, _IDENTITY_NOTES),
    _by_docker_only(
        f"{CONTAINER_SECURITY}privileged",
        "is not honoured; with docker where policy.drivers.docker.privileged and the client's plugin allow it",
    ),
    _by_docker_only(f"{CONTAINER_SECURITY}readOnlyRootFilesystem", "is not enforced"),
    _by_docker_only(f"{CONTAINER_SECURITY}allowPrivilegeEscalation", "is not enforced", _is_not_false),
    _by_docker_only(
        f"{CONTAINER_SECURITY}capabilities",
        "are neither added nor dropped; with docker a client adds what its plugin's allow_caps allows",
        lambda value: not isinstance(value, Mapping) or not any(value.values()),
    ),
    Row(
        f"{CONTAINER_SECURITY}procMount",
        Verdict.REFUSED,
        "is not enforced",
        harmless=_is_one_of(None, "", "Default"),
    ),
)
