"""Hooks of a container, as the Kubernetes API serves them.

Source of names and shapes: kubernetes/api core/v1/types.go, Lifecycle and LifecycleHandler.
"""

from enum import StrEnum

from pydantic.dataclasses import dataclass

from translators.records.base import KUBERNETES
from translators.records.probes import ExecAction, HttpGetAction


class HookKind(StrEnum):
    """When a hook runs; the values are a kubelet's words in its Events."""

    POST_START = "PostStart"
    PRE_STOP = "PreStop"


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class SleepAction:
    """A time that passes, seconds."""

    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Hook:
    """What is done at one moment of a container's life: one of the three."""

    exec: ExecAction | None = None
    http_get: HttpGetAction | None = None
    sleep: SleepAction | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Lifecycle:
    """The hooks of a container: right after its start, and before it is asked to end."""

    post_start: Hook | None = None
    pre_stop: Hook | None = None

    @property
    def hooks(self) -> dict[HookKind, Hook]:
        """Those that there are."""
        found = {HookKind.POST_START: self.post_start, HookKind.PRE_STOP: self.pre_stop}
        return {kind: hook for kind, hook in found.items() if hook is not None}
