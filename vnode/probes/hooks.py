"""Runs hooks: each in a task of its own, for it takes as long as it takes, and what it came to goes into the view.

What says nothing about the container, such as a Nomad that does not answer, is tried again until the time is over.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from translators.allocation_to_status import EventNote
from translators.container_id import ContainerId
from translators.hooks import HookOfRun, HookState
from translators.records.hooks import Hook, HookKind
from translators.records.pods import Container, Pod, PodUid
from vnode.probes.answers import Answer, Outcome
from vnode.view.runs import RunWatch
from vnode.view.view import View

#: Seconds before a hook is tried again that nobody could be asked to run.
_AGAIN = 2.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HookCall:
    """A hook of a run of a container."""

    pod: Pod
    container: Container
    run: ContainerId
    kind: HookKind
    hook: Hook


class Doing(Protocol):
    """Does what a hook says: `vnode.probes.questions.Questions`."""

    async def do(self, call: HookCall) -> Answer:
        """Do it once; raises nothing for whatever goes wrong with it."""


class Events(Protocol):
    """Where Events about Pods go; it never blocks."""

    def record(self, pod: Pod, event: EventNote) -> None:
        """Take over an Event to be written."""


class HookRunner:
    """Runs hooks when it is told to; `changed` is called with every Pod of which one is over."""

    def __init__(self, view: View, runs: RunWatch, events: Events, changed: Callable[[PodUid], None]) -> None:
        self._view = view
        self._runs = runs
        self._events = events
        self._changed = changed
        #: As many as the containers that start or end at this moment.
        self._calls: asyncio.Queue[tuple[HookCall, float | None]] = asyncio.Queue()

    def begin(self, pod: Pod, name: str, run: ContainerId, kind: HookKind, within: float | None) -> None:
        """Take over a hook, and never wait; it is given up after `within` seconds."""
        container = next(each for each in pod.spec.lasting_containers if each.name == name)
        hook = container.hooks.get(kind)
        if hook is not None:
            self._note(pod, run, kind, HookState.BEGUN)
            self._calls.put_nowait((HookCall(pod, container, run, kind, hook), within))

    async def run(self, doing: Doing) -> None:
        """See the hooks through that are begun, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                call, within = await self._calls.get()
                tasks.create_task(self._see_through(doing, call, within))

    async def _see_through(self, doing: Doing, call: HookCall, within: float | None) -> None:
        try:
            async with asyncio.timeout(within):
                state = await self._until_ended(doing, call)
        except TimeoutError:
            state = HookState.LATE
        except Exception:  # noqa: BLE001 - a defect met with one hook must not end those of all others
            _log.exception("a defect of vnode, please report it", uid=call.pod.uid)
            state = HookState.FAILED
        if state is HookState.FAILED:
            # What a command said is not for an Event, as with a kubelet: it may hold secrets.
            path = call.pod.spec.path_of(call.container.name)
            note = EventNote("Warning", f"Failed{call.kind}Hook", f"{call.kind}Hook failed", path)
            self._events.record(call.pod, note)
        self._note(call.pod, call.run, call.kind, state)
        self._changed(call.pod.uid)

    async def _until_ended(self, doing: Doing, call: HookCall) -> HookState:
        """What a hook came to, which is nothing when its run has ended before."""
        hook = asyncio.create_task(_outcome(doing, call))
        run = asyncio.create_task(self._runs.wait_until_ended(call.pod.uid, str(call.run)))
        try:
            await asyncio.wait((hook, run), return_when=asyncio.FIRST_COMPLETED)
            return hook.result() if hook.done() else HookState.DONE
        finally:
            for task in (hook, run):
                task.cancel()
            await asyncio.gather(hook, run, return_exceptions=True)

    def _note(self, pod: Pod, run: ContainerId, kind: HookKind, state: HookState) -> None:
        """Remember it, and forget hooks of earlier runs of the container."""
        known = self._view.observation(pod.uid).memory.hooks
        kept = {
            hook: told for hook, told in known.items() if hook.run == str(run) or not hook.run.startswith(run.of_task)
        }
        self._view.remember(pod.uid, hooks={**kept, HookOfRun(str(run), kind): state})


async def _outcome(doing: Doing, call: HookCall) -> HookState:
    if call.hook.sleep is not None:
        await asyncio.sleep(call.hook.sleep.seconds)
        return HookState.DONE
    while True:
        answer = await doing.do(call)
        if answer.outcome is not Outcome.UNKNOWN:
            return HookState.FAILED if answer.outcome is Outcome.FAILURE else HookState.DONE
        _log.info("a hook is tried again", uid=call.pod.uid, container=call.container.name, error=answer.text)
        await asyncio.sleep(_AGAIN)
