"""Answers of Nomad that only this package reads; everything about Pods is in `translators.records`.

Source of names and shapes: nomad/api jobs.go, agent.go, fs.go, node_pools.go, operator.go.
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from translators.records.base import NOMAD, Text
from translators.records.jobs import Job


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Submission:
    """The source that a job was made from, kept beside it; up to 1 MB, readable with `read-job`."""

    source: str
    format: str = "json"


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Registration:
    """The body of a registration; it goes through only while the job has `job_modify_index` (0: does not exist)."""

    job: Job
    job_modify_index: int
    enforce_index: bool = True
    submission: Submission | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class FileInfo:
    """A file or directory of an allocation; `size` in bytes."""

    name: str
    size: int = 0
    is_dir: bool = False
    mod_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class VariableStub:
    """A variable as a list shows it, without its items."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Variable:
    """A variable; its items may be secret and are in no `repr`."""

    path: str
    items: Annotated[dict[str, str], Field(repr=False)]


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class HeldVariable:
    """A variable as it is read, with the index that a write may presume."""

    items: Annotated[dict[str, str], Field(repr=False)]
    modify_index: int


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class NamespaceStub:
    """A Nomad namespace as a list shows it."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class SchedulerConfiguration:
    """The part of the scheduler's configuration that decides how memory is asked for; None is "not said here"."""

    memory_oversubscription_enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class NodePool:
    """A node pool; its own scheduler configuration beats the cluster's (Nomad Enterprise only)."""

    name: str
    scheduler_configuration: SchedulerConfiguration | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class OperatorScheduler:
    """The answer about the cluster's scheduler."""

    scheduler_config: SchedulerConfiguration


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class AgentVersion:
    """The version of an agent, e.g. 1.11.3; `version_prerelease` is e.g. beta.1."""

    version: str
    version_prerelease: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class AgentConfiguration:
    """What an agent says about itself."""

    version: AgentVersion
    region: Text = ""
    datacenter: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Agent:
    """The agent that answers at the address in use."""

    configuration: Annotated[AgentConfiguration, Field(alias="config")]

    @property
    def version(self) -> str:
        """Its version with the prerelease, e.g. `1.11.3` or `2.1.0-beta.1`."""
        version = self.configuration.version
        return f"{version.version}-{version.version_prerelease}" if version.version_prerelease else version.version


@dataclass(frozen=True, slots=True, kw_only=True, config=NOMAD)
class Signal:
    """The body of a signal to one task."""

    task: str
    signal: str
