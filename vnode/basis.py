"""What decisions about Pods rest on, once both sides are known."""

from collections.abc import Callable
from functools import lru_cache, partial

from translators.clients_to_node import min_mhz_per_core
from translators.namespaces import nomad_namespace
from vnode.fence import Fence
from vnode.following import ClientsSink, Following
from vnode.job_context import job_context
from vnode.pods.decide import Circumstances
from vnode.pods.decide.circumstances import SETTLING, SETTLING_OF_MANY
from vnode.settings import Settings
from vnode.view.view import View

#: Pods that wait for a later look: more than these are being started, or in trouble, at once.
_MANY = 50
_UNKNOWN_SPEED = 1000.0
#: Nomad namespaces in use; what is beyond is made anew.
_CONTEXTS = 256


class Basis:
    """The settings, and what the clients of Nomad are; `later` tells how many Pods wait for a later look."""

    def __init__(
        self, settings: Settings, cluster: str, view: View, clients: ClientsSink, fence: Fence, later: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._view = view
        self._clients = clients
        self._fence = fence
        self._later = later
        #: MHz of one CPU: the setting, or the slowest client's as long as there was one.
        self._speed = settings.mhz_per_core
        self._clients_known = False
        self._job_context = lru_cache(_CONTEXTS)(partial(job_context, settings, cluster))

    @property
    def mhz_per_core(self) -> float:
        """What one CPU of Kubernetes is in Nomad; a guess until a client is known."""
        return self._speed or _UNKNOWN_SPEED

    def learn(self) -> bool:
        """Take up what the clients are now; whether Pods that waited for that are to be looked at."""
        known, before = self._view.clients.synced, self._speed
        self._speed = self._settings.mhz_per_core or min_mhz_per_core(self._view.clients) or before
        awaited = known and not (self._clients_known and before)
        self._clients_known |= awaited
        return awaited

    def circumstances(self, kubernetes_namespace: str, following: Following | None) -> Circumstances | str:
        """What decisions about Pods of a namespace rest on, or why there are none until both sides are known."""
        settings, view = self._settings, self._view
        namespace = nomad_namespace(settings.namespace_map, kubernetes_namespace)
        if following is None or (self._fence.reason and not settings.observe):
            return ""
        followed = following.follow(namespace)
        if not (followed.synced and view.pods.synced and view.clients.synced):
            return followed.problem
        oversubscription = self._clients.memory_oversubscription
        job = self._job_context(namespace, self.mhz_per_core, memory_oversubscription=oversubscription)
        settling = SETTLING_OF_MANY if self._later() > _MANY else SETTLING
        return Circumstances(job=job, policy=settings.policy, placeable=bool(self._speed), settling=settling)
