"""The examination of Kubernetes, from the outside in: address, version, identity, clock, rights, certificates."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import aiohttp

from vnode.doctor import clocks, rights, serving, tls, versions
from vnode.doctor.findings import Finding, fine, skipped, trouble
from vnode.doctor.problems import Problem
from vnode.doctor.tls import TlsTrouble
from vnode.errors import Denied, NotFound, PeerError
from vnode.kube.api import Requests, decode_object, encode
from vnode.settings import Settings

_WITHIN = 10.0
_PODS_LIMIT = "500"
#: Where a Pod finds the authority of its cluster.
_IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
_CLIENT_AUTHORITY = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
_ROOT_AUTHORITY = "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt"
_SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

_CREDENTIALS, _API, _VERSION = "credentials for Kubernetes", "Kubernetes API", "version of Kubernetes"
_IDENTITY, _CLOCK, _RIGHTS = "identity in Kubernetes", "clock of Kubernetes", "rights in Kubernetes"
_AUTHORITY = "authority of the API server's client certificate"
_ELECTION = frozenset(rights.election("vnode"))
_ORDER = (_API, _VERSION, _IDENTITY, _CLOCK, _RIGHTS, _AUTHORITY)


class KubernetesExamination:
    """One look at the API server through the connection that a run uses; nothing is written."""

    def __init__(self, settings: Settings, kubernetes: Requests, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._kubernetes = kubernetes
        self._now = now

    async def run(self) -> tuple[Finding, ...]:
        """All findings, in order."""
        try:
            version = decode_object(await self._kubernetes.request("GET", "/version", within=_WITHIN))
            introduction = await self._introduce()
        except PeerError as error:
            return unreachable(error), *await _rest(self._settings, _VERSION)
        user, clock = introduction
        authority, about_authority = await self._client_authority()
        return (
            fine(_API, "answers"),
            judge_version(str(version.get("gitVersion", ""))),
            fine(_IDENTITY, user),
            clock,
            *await rights.examine(self._kubernetes, needed_rights(self._settings), user),
            about_authority,
            await _judge_serving(self._settings, await self._authorities(authority)),
        )

    async def _introduce(self) -> tuple[str, Finding]:
        """Who we are to the API server, and its clock: it stamps the review, and stores nothing."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        asked = self._now()
        try:
            body = await self._kubernetes.request("POST", _SELF, body=encode(review), within=_WITHIN)
        except NotFound:
            # Older than 1.28, of which the version speaks.
            return "unknown", skipped(_CLOCK, "because it tells no time")
        answer, answered = decode_object(body), self._now()
        stamp = answer["metadata"].get("creationTimestamp")
        user = str(answer["status"]["userInfo"]["username"])
        if not stamp:
            return user, skipped(_CLOCK, "because it tells no time")
        return user, clocks.compare("Kubernetes", datetime.fromisoformat(stamp), asked, answered)

    async def _client_authority(self) -> tuple[str, Finding]:
        given = self._settings.client_ca_file
        try:
            if given:
                authority, source = await asyncio.to_thread(given.read_text), str(given)
            else:
                authority, source = await self._config_map(_CLIENT_AUTHORITY, "client-ca-file"), "the cluster's own"
        except (OSError, ValueError, PeerError) as error:
            return "", trouble(Problem.CLIENT_CA, _AUTHORITY, f"{given or ''} {error}".strip())
        if not authority:
            return "", trouble(Problem.CLIENT_CA, _AUTHORITY, "the cluster publishes none")
        return authority, fine(_AUTHORITY, source)

    async def _authorities(self, client_authority: str) -> list[str]:
        """All that the API server may trust kubelets by: most clusters sign everything with one authority."""
        known = [client_authority]
        try:
            known.append(await self._config_map(_ROOT_AUTHORITY, "ca.crt"))
        except PeerError:
            # Not among the rights of a run.
            known.append("")
        if self._settings.kubeconfig is None and await asyncio.to_thread(_IN_CLUSTER.is_file):
            known.append(await asyncio.to_thread(_IN_CLUSTER.read_text))
        return [authority for authority in known if authority]

    async def _config_map(self, path: str, key: str) -> str:
        config_map = decode_object(await self._kubernetes.request("GET", path, within=_WITHIN))
        return str((config_map.get("data") or {}).get(key) or "")


async def namespaces_of_pods(kubernetes: Requests, node: str) -> frozenset[str]:
    """The namespaces whose Pods are bound to our Node, of its first 500; raises `vnode.errors.PeerError`."""
    query = {"fieldSelector": f"spec.nodeName={node}", "limit": _PODS_LIMIT}
    pods = decode_object(await kubernetes.request("GET", "/api/v1/pods", query=query, within=_WITHIN))
    return frozenset(str(pod["metadata"]["namespace"]) for pod in pods.get("items") or ())


async def _judge_serving(settings: Settings, authorities: list[str] | None) -> Finding:
    """The serving certificate of the settings; reads its files."""
    if settings.server_tls_bootstrap:
        return trouble(Problem.SERVING_APPROVAL, serving.CHECKED, "the cluster is asked to sign one")
    files = settings.kubelet_certificate, settings.kubelet_key
    return await asyncio.to_thread(serving.examine, *files, settings.node_address, authorities)


async def unusable(settings: Settings, error: Denied) -> tuple[Finding, ...]:
    """All findings when not even a connection could be prepared."""
    found = trouble(Problem.KUBERNETES_CREDENTIALS, _CREDENTIALS, str(error))
    return found, *await _rest(settings, _API)


def unreachable(error: PeerError) -> Finding:
    """Why the first requests failed; the library's error stands behind ours as its cause."""
    if isinstance(error, Denied):
        return trouble(Problem.KUBERNETES_CREDENTIALS, _CREDENTIALS, str(error))
    cause = error.__cause__
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        refused = cause.certificate_error
        if isinstance(refused, ssl.SSLCertVerificationError):
            name = tls.judge(refused) is TlsTrouble.NAME
            problem = Problem.KUBERNETES_TLS_NAME if name else Problem.KUBERNETES_CA
            return trouble(problem, _API, f"{cause.host}:{cause.port}: {tls.said(refused)}")
    return trouble(Problem.KUBERNETES_ADDRESS, _API, str(error))


def judge_version(git_version: str) -> Finding:
    """Whether the API server is new enough."""
    version, minimum = versions.parse(git_version), versions.KUBERNETES_MINIMUM
    if version is None or version >= minimum:
        return fine(_VERSION, git_version or "not told")
    return trouble(Problem.KUBERNETES_VERSION, _VERSION, git_version, minimum=versions.written(minimum))


def needed_rights(settings: Settings) -> list[rights.Right]:
    """The rights that a run with these settings uses."""
    unused = {
        *([rights.CLUSTER_IDENTITY] if settings.cluster_id else []),
        *(rights.CLIENT_AUTHORITY if settings.client_ca_file is not None else []),
        *(rights.SERVING_CERTIFICATE if not settings.server_tls_bootstrap else []),
        *(rights.PERSISTENT_VOLUMES if not settings.persistent_volumes else []),
    }
    needed = [right for right in rights.RIGHTS if right not in _ELECTION and right not in unused]
    return [*needed, *(rights.election(settings.leader_elect_namespace) if settings.leader_elect else ())]


async def _rest(settings: Settings, first: str) -> tuple[Finding, ...]:
    """What cannot be asked, and the serving certificate, whose own faults show without a cluster."""
    because = "because Kubernetes gave no answer that can be used"
    unasked = (skipped(name, because) for name in _ORDER[_ORDER.index(first) :])
    return *unasked, await _judge_serving(settings, None)
