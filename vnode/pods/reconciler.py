"""The hands of the decisions: workers that take a UID, observe, decide, and carry the actions out in order.

The first failure ends a round. A successful write is folded into the view before the key is released, so that
nothing is sent twice for want of an echo.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from translators.allocation_to_status import EventNote, UnreadMessage
from translators.container_id import ContainerId
from translators.errors import Finding
from translators.identity import owner_of, spec_hash
from translators.pod_to_job import permit, turns
from translators.records.jobs import JobId, JobStub
from translators.records.pods import Pod, PodUid
from vnode.errors import Conflict, Denied, NotFound, PeerError, Rejected, Unavailable, Withheld
from vnode.metrics import Metrics
from vnode.nomad.errors import NamespaceMissing
from vnode.pods import actions
from vnode.pods.actions import Action, Decision
from vnode.pods.courier import Courier
from vnode.pods.data import DataHand
from vnode.pods.decide import Circumstances, changes, decide, decide_orphan
from vnode.pods.peers import Peers
from vnode.pods.queue import KeyedQueue
from vnode.view.observation import JobFacts, Observation
from vnode.view.view import View

_log = structlog.get_logger(__name__)

_WAY_OUT = "the Nomad token of vnode has expired or lacks rights, `vnode doctor` tells an administrator which"
_OF_VOLUMES = "the Nomad token of vnode may lack what docs/data.md says of claims for the volumes"

#: Rounds without an answer of Nomad's that a Pod's author is not told of: seven seconds, in which another server leads.
_FORGIVEN = 4

#: How loudly each kind of failure is told.
_KINDS: dict[type[Exception], int] = {
    Conflict: logging.INFO,
    Unavailable: logging.WARNING,
    Denied: logging.ERROR,
    NotFound: logging.WARNING,
    Rejected: logging.ERROR,
}


class Reconciler:
    """Carries decisions out, one UID at a time.

    `circumstances` gives what a decision about a Pod of a Kubernetes namespace rests on. While that is not known
    (clients not listed, Nomad namespace not followed), it gives the reason where somebody can do something about it,
    and whoever completes the knowledge adds the UID again.
    `published` is called with a UID whose status was written, when the starts in it are told. `now` is wall time,
    `clock` monotonic seconds.
    """

    def __init__(
        self,
        *,
        view: View,
        queue: KeyedQueue[PodUid],
        peers: Peers,
        circumstances: Callable[[str], Circumstances | str],
        metrics: Metrics,
        published: Callable[[PodUid], None],
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._view = view
        self._queue = queue
        self._peers = peers
        self._circumstances = circumstances
        self._published = published
        self._now = now
        self._data = DataHand(
            view, queue, Courier(peers.variables, peers.grants), peers.tokens, peers.events, peers.link
        )

    async def work(self) -> None:
        """Take UIDs for ever; several of these run side by side."""
        while True:
            uid = await self._queue.get()
            try:
                await self._attempt(uid)
            finally:
                self._queue.done(uid)

    async def _attempt(self, uid: PodUid) -> None:
        try:
            await self.round(uid)
        except Withheld:
            # Whoever lets us write again has everything looked at again.
            self._queue.succeeded(uid)
        except Unavailable as error:
            self._retry(uid, error, at_least=error.retry_after or 0.0)
        except PeerError as error:
            self._retry(uid, error)
        except Exception as error:  # noqa: BLE001 - a defect met with one Pod must not end the work on the others
            self._retry(uid, error)
            _log.exception("a defect of vnode, please report it", uid=uid)
        else:
            self._queue.succeeded(uid)

    def _retry(self, uid: PodUid, error: Exception, at_least: float = 0.0) -> None:
        kind = next((kind for kind in _KINDS if isinstance(error, kind)), Exception)
        delay = self._queue.failed(uid, at_least=at_least)
        self._metrics.failures.labels(kind.__name__).inc()
        _log.log(_KINDS.get(kind, logging.ERROR), "a round failed", uid=uid, error=str(error), retry_in=delay)

    async def round(self, uid: PodUid) -> None:
        """Look at one UID, decide, and do what was decided."""
        self._queue.forget_due(uid)
        observation = self._view.observation(uid)
        if observation.pod is None and observation.job is None:
            await self._carry_out(decide_orphan(observation), observation)
            return
        circumstances = self._circumstances(_namespace(observation))
        if isinstance(circumstances, str):
            if circumstances and observation.pod is not None:
                self._peers.events.record(observation.pod, _unavailable(f"{circumstances}; {_WAY_OUT}"))
            return
        await self._carry_out(decide(observation, circumstances, self._now()), observation)

    async def _carry_out(self, decision: Decision, observation: Observation) -> None:
        uid = observation.uid
        self._tell(observation, decision)
        self._metrics.rounds.inc()
        published = _published_by(decision.actions)
        for index, action in enumerate(decision.actions):
            await self._perform(action, observation)
            self._metrics.actions.labels(type(action).__name__).inc()
            if index == published:
                self._published(uid)
        if published is None:
            # What was read led to no write: the time to one is not counted from here.
            self._view.jobs.take_read_at(uid)
        if decision.wake_at is not None:
            self._queue.add_after(uid, (decision.wake_at - self._now()).total_seconds())

    def _tell(self, observation: Observation, decision: Decision) -> None:
        if not decision.actions:
            return
        kinds = [type(action).__name__ for action in decision.actions]
        _log.debug(decision.why, uid=observation.uid, actions=kinds)

    async def _perform(self, action: Action, observation: Observation) -> None:  # noqa: C901, PLR0912 - one arm an action
        uid, view, peers = observation.uid, self._view, self._peers
        match action:
            case actions.Register():
                await self._register(action, observation)
            case actions.Stop(namespace, job_id):
                await self._stop(uid, namespace, job_id)
            case actions.Purge(namespace, job_id):
                await peers.jobs.purge(namespace, job_id)
                view.jobs.forget(uid)
            case actions.Kill():
                await self._kill(action, observation)
            case actions.Signal():
                await self._signal(action, uid)
            case actions.PatchStatus(body, failed_for):
                await self._patch(observation, body, failed_for)
            case actions.DeletePod():
                pod = _pod(observation)
                await peers.pods.delete(pod.metadata.namespace, pod.metadata.name, uid, grace=0)
                view.remember(uid, deleted=True)
            case actions.EvictPod():
                pod = _pod(observation)
                await peers.pods.delete(pod.metadata.namespace, pod.metadata.name, uid, grace=None)
            case actions.Permit():
                await self._permit(action, observation)
            case actions.Forbid(namespace, job_id):
                await peers.variables.delete(namespace, permit.path(job_id))
                view.jobs.fold_permit(uid, "")
            case actions.TakeTurn(namespace, job_id, allocation, task):
                await peers.variables.put(namespace, turns.path(job_id, task), {allocation: turns.TURN})
            case actions.Note(event):
                peers.events.record(_pod(observation), event)
            case actions.Remember(changes):
                view.remember(uid, **changes)
            case actions.ConfirmAbsence(namespace, name):
                await self._confirm_absence(uid, namespace, name)
            case actions.MeasureLogs():
                await self._measure_logs(action, uid)
            case actions.ReadMessage(message):
                await self._read_message(uid, message)
            case actions.RunHook(name, run, kind, within):
                peers.hooks.begin(_pod(observation), name, run, kind, within)
            case actions.Reread(namespace, job_id):
                await self._reread(uid, namespace, job_id)
            case actions.RequestTokens() | actions.Deliver() | actions.Recall() | actions.Withdraw():
                await self._data.perform(action, observation)
            case actions.Forget():
                view.forget(uid)

    async def _register(self, action: actions.Register, observation: Observation) -> None:
        uid, job = observation.uid, action.job
        try:
            reply = await self._peers.jobs.register(job, check_index=action.over)
        except Conflict:
            await self._reread(uid, job.namespace, JobId(job.id))
            raise
        except NamespaceMissing as error:
            message = f"Nomad has no namespace {job.namespace!r}; an administrator creates it: nomad namespace apply"
            self._peers.events.record(_pod(observation), EventNote("Warning", "NomadNamespaceMissing", message, ""))
            raise Unavailable(str(error)) from error
        except Rejected as error:
            self._reject(action, observation, error)
            return
        except Denied as error:
            volumes = sorted({each.source for group in job.task_groups for each in group.volumes.values()})
            way_out = f"{_OF_VOLUMES} {', '.join(volumes)}" if volumes else _WAY_OUT
            self._peers.events.record(_pod(observation), _unavailable(f"{error}; {way_out}"))
            if not volumes:
                # Of a volume it says nothing about other Pods.
                self._peers.link.denied(error)
            raise
        except Unavailable as error:
            self._view.remember(uid, submitted_to=job.namespace)
            if self._queue.failures(uid) >= _FORGIVEN:
                self._peers.events.record(_pod(observation), _unavailable(str(error)))
            raise
        self._peers.link.up()
        identity = owner_of(JobStub(id=job.id, meta=job.meta))
        if identity is None:
            raise AssertionError(f"a job was translated without its identity: {job.id}")
        if (read_at := self._view.pods.take_read_at(uid)) is not None:
            self._metrics.submission_latency.observe(self._clock() - read_at)
        index = reply.job_modify_index
        self._view.jobs.fold(
            JobFacts(
                id=JobId(job.id),
                namespace=job.namespace,
                identity=identity,
                modify_index=index,
                job_modify_index=index,
            )
        )

    def _reject(self, action: actions.Register, observation: Observation, error: Rejected) -> None:
        """A Pod that has no job is refused; one that has goes on with it."""
        if not action.over:
            finding = Finding("NomadRejected", "", f"Nomad refuses the job: {error}")
            self._view.remember(observation.uid, refusal=finding)
        else:
            pod = _pod(observation)
            self._peers.events.record(pod, changes.kept(pod, f"Nomad refuses the job: {error}"))
            self._view.remember(observation.uid, changed=spec_hash(pod))
        self._queue.add(observation.uid)

    async def _stop(self, uid: PodUid, namespace: str, job_id: JobId) -> None:
        reply = await self._peers.jobs.stop(namespace, job_id)
        if reply.eval_id:
            self._view.jobs.fold_stopped(uid, resolved=False)
            self._view.remember(uid, stop_evaluation=reply.eval_id)
            return
        # There is no such job: somebody removed it, allocations and all.
        self._view.jobs.forget(uid)
        self._queue.add(uid)

    async def _permit(self, action: actions.Permit, observation: Observation) -> None:
        items = {permit.ALLOCATION: action.allocation}
        try:
            await self._peers.variables.create(action.namespace, permit.path(action.job), items)
        except Conflict:
            # Written already, and the answer was lost; were it for another allocation, this one would never start.
            _log.info("a permit is there already", uid=observation.uid, allocation=action.allocation)
        except Denied as error:
            self._peers.events.record(_pod(observation), _unavailable(f"{error}; {_WAY_OUT}"))
            self._peers.link.denied(error)
            raise
        self._view.jobs.fold_permit(observation.uid, action.namespace)

    async def _signal(self, action: actions.Signal, uid: PodUid) -> None:
        try:
            await self._peers.jobs.signal(action.allocation, action.task, action.signal)
        except (NotFound, Conflict) as error:
            _log.info("a task ended before it was sent a signal", uid=uid, task=action.task, error=str(error))

    async def _kill(self, action: actions.Kill, observation: Observation) -> None:
        await self._signal(actions.Signal(action.allocation, action.task, "SIGKILL"), observation.uid)
        known = self._view.observation(observation.uid).memory.killed
        self._view.remember(observation.uid, killed=known | {(action.allocation, action.task)})

    async def _patch(self, observation: Observation, body: Mapping[str, Any], failed_for: str) -> None:
        pod = _pod(observation)
        try:
            patched = await self._peers.pods.patch_status(pod.metadata.namespace, pod.metadata.name, body)
        except NotFound:
            self._view.pods.lose(observation.uid)
            return
        self._view.pods.fold(patched)
        if (read_at := self._view.jobs.take_read_at(observation.uid)) is not None:
            self._metrics.status_latency.observe(self._clock() - read_at)
        if failed_for:
            self._view.remember_failure(pod, failed_for, self._now())

    async def _measure_logs(self, action: actions.MeasureLogs, uid: PodUid) -> None:
        try:
            position = await self._peers.logs.position(action.allocation, action.task)
        except NotFound:
            position = None
        begun = ContainerId(allocation=action.allocation, task=action.task, run=action.run, position=position)
        known = self._view.observation(uid).memory.positions
        self._view.remember(uid, positions={**known, action.task: str(begun)})
        self._queue.add(uid)

    async def _read_message(self, uid: PodUid, message: UnreadMessage) -> None:
        left = await self._peers.messages.read(message)
        run = message.run
        known = self._view.observation(uid).memory.messages
        kept = {each: text for each, text in known.items() if not each.startswith(run.of_task)}
        self._view.remember(uid, messages={**kept, f"{run.of_task}{run.run}": left})

    async def _confirm_absence(self, uid: PodUid, namespace: str, name: str) -> None:
        found = await self._peers.pods.get(namespace, name)
        if found is None or found.uid != uid:
            self._view.confirm_absence(uid)
            self._queue.add(uid)
        else:
            self._view.pods.find(found)

    async def _reread(self, uid: PodUid, namespace: str, job_id: JobId) -> None:
        jobs = self._peers.jobs
        stub = await jobs.job(namespace, job_id)
        if stub is None:
            self._view.jobs.replace_one(uid, None, (), ())
            return
        allocations = await jobs.job_allocations(namespace, job_id)
        evaluations = await jobs.job_evaluations(namespace, job_id)
        self._view.jobs.replace_one(uid, stub, allocations, evaluations)


def _published_by(carried_out: Sequence[Action]) -> int | None:
    """By which action a status is written, and every start in it told; None where none is written."""
    if not any(isinstance(each, actions.PatchStatus) for each in carried_out):
        return None
    return max(
        index for index, each in enumerate(carried_out) if isinstance(each, actions.PatchStatus) or _starts(each)
    )


def _starts(action: Action) -> bool:
    return isinstance(action, actions.Note) and action.event.reason == "Started"


def _pod(observation: Observation) -> Pod:
    if observation.pod is None:
        raise AssertionError(f"an action on a Pod was decided without one: {observation.uid}")
    return observation.pod


def _unavailable(message: str) -> EventNote:
    return EventNote("Warning", "NomadUnavailable", message, "")


def _namespace(observation: Observation) -> str:
    if observation.pod is not None:
        return observation.pod.metadata.namespace
    return observation.job.identity.namespace if observation.job is not None else ""
