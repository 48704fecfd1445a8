"""Both sides as the reconciler sees them, scripted: what they answer, and what they were asked."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.unit.pods.observations import NOW, pod
from translators.allocation_to_status import EventNote, UnreadMessage
from translators.container_id import ContainerId, LogPosition, StreamPosition
from translators.material import Token, TokenNeed
from translators.records.allocations import Allocation, Evaluation
from translators.records.hooks import HookKind
from translators.records.jobs import Job, JobRegistration, JobStub
from translators.records.pods import Pod
from vnode.errors import Conflict, Denied, PeerError
from vnode.nomad.records import HeldVariable
from vnode.pods.peers import Peers

_REPLACED = ("hostIPs", "podIPs")


class Script:
    """Answers of both sides by the name of the call; an error is raised, anything else returned."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[Any, ...]] = []

    def peers(self) -> Peers:
        return Peers(
            pods=_Pods(self),
            jobs=_Jobs(self),
            variables=Variables(self),
            events=_Events(self),
            logs=_Logs(self),
            messages=_Messages(self),
            hooks=_Hooks(self),
            link=_Link(self),
            tokens=_Tokens(self),
        )

    def ask(self, call: str, *arguments: object, default: Any = None) -> Any:
        self.calls.append((call, *arguments))
        answer = self.answers.get(call, default)
        if isinstance(answer, PeerError):
            raise answer
        return answer

    @property
    def names(self) -> list[str]:
        return [call[0] for call in self.calls]


class _Pods:
    def __init__(self, script: Script) -> None:
        self._script = script

    async def patch_status(self, namespace: str, name: str, body: Mapping[str, Any]) -> Pod:
        status = {
            **body["status"],
            **{key: [each for each in body["status"].get(key, ()) if "$patch" not in each] for key in _REPLACED},
        }
        written = pod(status=status)
        patched = replace(written, metadata=replace(written.metadata, resource_version="99"))
        found = self._script.ask("patch_status", namespace, name, default=patched)
        assert isinstance(found, Pod)
        return found

    async def delete(self, namespace: str, name: str, uid: str, *, grace: int | None) -> None:
        self._script.ask("delete" if grace == 0 else "evict", namespace, name, uid)

    async def get(self, namespace: str, name: str) -> Pod | None:
        found = self._script.ask("get", namespace, name)
        assert found is None or isinstance(found, Pod)
        return found


class _Jobs:
    def __init__(self, script: Script) -> None:
        self._script = script

    async def register(self, job: Job, *, check_index: int = 0) -> JobRegistration:
        over = (check_index,) if check_index else ()
        answer = self._script.ask("register", job.id, *over, default=JobRegistration(eval_id="e", job_modify_index=7))
        assert isinstance(answer, JobRegistration)
        return answer

    async def stop(self, namespace: str, job_id: str) -> JobRegistration:
        answer = self._script.ask("stop", namespace, job_id, default=JobRegistration(eval_id="e"))
        assert isinstance(answer, JobRegistration)
        return answer

    async def purge(self, namespace: str, job_id: str) -> JobRegistration:
        self._script.ask("purge", namespace, job_id)
        return JobRegistration()

    async def signal(self, allocation_id: str, task: str, signal: str) -> None:
        self._script.ask("signal", allocation_id, task, signal)

    async def job(self, namespace: str, job_id: str) -> JobStub | None:
        answer = self._script.ask("job", namespace, job_id)
        assert answer is None or isinstance(answer, JobStub)
        return answer

    async def job_allocations(self, namespace: str, job_id: str) -> list[Allocation]:
        return list(self._script.ask("job_allocations", namespace, job_id, default=[]))

    async def job_evaluations(self, namespace: str, job_id: str) -> list[Evaluation]:
        return list(self._script.ask("job_evaluations", namespace, job_id, default=[]))


class _Events:
    def __init__(self, script: Script) -> None:
        self._script = script

    def record(self, pod: Pod, event: EventNote) -> None:
        self._script.ask("event", pod.metadata.name, event.reason)


class _Messages:
    def __init__(self, script: Script) -> None:
        self._script = script

    async def read(self, message: UnreadMessage) -> str:
        return str(self._script.ask("read_message", str(message.run), default=""))


class _Hooks:
    def __init__(self, script: Script) -> None:
        self._script = script

    def begin(self, pod: Pod, name: str, run: ContainerId, kind: HookKind, within: float | None) -> None:
        self._script.ask("hook", pod.metadata.name, name, str(run), kind, within)


class _Link:
    def __init__(self, script: Script) -> None:
        self._script = script

    def up(self) -> None:
        """Nothing that a test asks about."""

    def denied(self, error: Denied) -> None:
        self._script.ask("denied", str(error))


class Variables:
    """Nomad's variables, as far as they are written; every call can be scripted to fail."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.held: dict[str, HeldVariable] = {}
        self._index = 0

    async def get(self, namespace: str, path: str) -> HeldVariable | None:
        self._script.ask("read variable", namespace, path)
        return self.held.get(path)

    async def put(self, namespace: str, path: str, items: Mapping[str, str]) -> None:
        self._script.ask("put variable", namespace, path)
        self._index += 1
        self.held[path] = HeldVariable(items=dict(items), modify_index=self._index)

    async def create(self, namespace: str, path: str, items: Mapping[str, str], *, index: int = 0) -> None:
        self._script.ask("create variable", namespace, path, dict(items))
        known = self.held.get(path)
        if index != (known.modify_index if known is not None else 0):
            raise Conflict("somebody else changed it")
        self._index += 1
        self.held[path] = HeldVariable(items=dict(items), modify_index=self._index)

    async def delete(self, namespace: str, path: str) -> None:
        self._script.ask("delete variable", namespace, path)
        self.held.pop(path, None)

    async def paths(self, namespace: str, prefix: str) -> list[str]:
        self._script.ask("list variables", namespace, prefix)
        return [path for path in self.held if path.startswith(prefix)]


class _Tokens:
    def __init__(self, script: Script) -> None:
        self._script = script

    async def request(self, pod: Pod, need: TokenNeed) -> Token:
        answer = self._script.ask("token", pod.metadata.name, need, default=Token("t", NOW, NOW + timedelta(hours=1)))
        assert isinstance(answer, Token)
        return answer


class _Logs:
    def __init__(self, script: Script) -> None:
        self._script = script

    async def position(self, allocation_id: str, task: str) -> LogPosition:
        default = LogPosition(stdout=StreamPosition(0, 12), stderr=StreamPosition(0, 0))
        answer = self._script.ask("position", allocation_id, task, default=default)
        assert isinstance(answer, LogPosition)
        return answer
