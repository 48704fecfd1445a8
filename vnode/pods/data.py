"""The hands of the decisions about a Pod's data: tokens are asked for, data is written, looked up, removed."""

from typing import Protocol

from translators.allocation_to_status import EventNote
from translators.material import Token, TokenNeed
from translators.pod_to_job.volumes import token_item
from translators.records.pods import Pod, PodUid
from translators.tokens import remembered
from vnode.errors import Denied, PeerError, Unavailable, Withheld
from vnode.pods import actions
from vnode.pods.actions import Layout
from vnode.pods.courier import Courier
from vnode.pods.queue import KeyedQueue
from vnode.view.observation import Observation
from vnode.view.view import View

_REKEYED = (
    "A ConfigMap or Secret of the Pod has other keys than when it was started: keys that were added come, and keys "
    "that were removed go, with the Pod's next start"
)

DataAction = actions.RequestTokens | actions.Deliver | actions.Recall | actions.Withdraw


class TokenApi(Protocol):
    """Where tokens come from."""

    async def request(self, pod: Pod, need: TokenNeed) -> Token:
        """A token of the Pod's ServiceAccount, bound to the Pod."""


class Events(Protocol):
    """Where Events about Pods go."""

    def record(self, pod: Pod, event: EventNote) -> None:
        """Take over an Event to be written."""


class Link(Protocol):
    """Keeps whether Nomad serves us."""

    def denied(self, error: Denied) -> None:
        """It denied us a write."""


class DataHand:
    """Carries out what was decided about the data of a Pod."""

    def __init__(
        self, view: View, queue: KeyedQueue[PodUid], courier: Courier, tokens: TokenApi, events: Events, link: Link
    ) -> None:
        self._view = view
        self._queue = queue
        self._courier = courier
        self._tokens = tokens
        self._events = events
        self._link = link

    async def perform(self, action: DataAction, observation: Observation) -> None:
        """Do it; raises the kinds of `vnode.errors`, after an Event that tells the Pod's author."""
        match action:
            case actions.RequestTokens(needs):
                await self._request(needs, observation)
            case actions.Deliver():
                await self._deliver(action, observation)
            case actions.Recall(layout, needs):
                await self._recall(layout, needs, observation)
            case actions.Withdraw(layout):
                await self._courier.remove(layout)
                self._view.remember(observation.uid, withdrawn=True, delivered="")

    async def _request(self, needs: frozenset[TokenNeed], observation: Observation) -> None:
        pod = observation.pod
        if pod is None:
            return
        for need in sorted(needs):
            try:
                token = await self._tokens.request(pod, need)
            except Denied as error:
                message = (
                    f"vnode may not ask for tokens in namespace {pod.metadata.namespace}; an administrator binds the "
                    f"ClusterRole vnode-workloads there ({error})"
                )
                self._events.record(pod, EventNote("Warning", "FailedMount", message, ""))
                raise
            except Withheld:
                raise
            except PeerError as error:
                message = f"failed to fetch token: {error}"
                self._events.record(pod, EventNote("Warning", "FailedMount", message, ""))
                raise
            self._view.objects.fold_token(pod.uid, need, token)
        self._queue.add(pod.uid)

    async def _deliver(self, action: actions.Deliver, observation: Observation) -> None:
        try:
            complete = await self._courier.write(action.layout, action.items, fresh=action.fresh)
        except (Denied, Unavailable) as error:
            if observation.pod is not None:
                message = f"{error}; the data of the Pod cannot be written"
                self._events.record(observation.pod, EventNote("Warning", "NomadUnavailable", message, ""))
            if isinstance(error, Denied):
                self._link.denied(error)
            raise
        self._view.remember(observation.uid, delivered=action.stamp, withdrawn=False)
        if not complete and observation.pod is not None and observation.memory.hindrance != _REKEYED:
            self._events.record(observation.pod, EventNote("Warning", "KeysChanged", _REKEYED, ""))
            self._view.remember(observation.uid, hindrance=_REKEYED)

    async def _recall(self, layout: Layout, needs: frozenset[TokenNeed], observation: Observation) -> None:
        items = await self._courier.read(layout)
        for need in needs:
            token = remembered(items.get(token_item(need), b""), need)
            if token is not None:
                self._view.objects.fold_token(observation.uid, need, token)
        self._view.remember(observation.uid, recalled=True)
        self._queue.add(observation.uid)
