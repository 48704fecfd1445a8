"""What a Pod's status is judged from, beside the Pod itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from translators.errors import Finding, Hindrance
from translators.health import Health
from translators.hooks import HookOfRun, HookState
from translators.records.allocations import Allocation, Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known in Nomad about one Pod.

    `allocations` are all of its job, oldest first; `evaluation` is the newest. `submitted` says that its job
    exists in Nomad. `host_ip` is the address of the client that runs it, empty while unknown. `reached_at` says at
    whose address every declared port is reachable under its own number: the host's, the allocation's own in its
    bridge or CNI network, or nobody's; only such an address is published as podIP. `refusal` keeps a Pod waiting
    with the reason why it can never run as it is written; `hindrance` is what it waits for before it is submitted.
    `run_positions` holds by task name the containerID, with its log position, of the run that began last. `health`
    holds by task name what probes say; a container that has some and is not in it has not been asked yet. `messages`
    holds by run what containers left to say about their end, `hooks` how far hooks have come. `unseen` says that
    containers may have run of which nothing was seen.
    """

    allocations: tuple[Allocation, ...] = ()
    evaluation: Evaluation | None = None
    host_ip: str = ""
    submitted: bool = False
    unseen: bool = False
    reached_at: Literal["host", "allocation", ""] = ""
    refusal: Finding | None = None
    hindrance: Hindrance | None = None
    run_positions: Mapping[str, str] = field(default_factory=dict)
    health: Mapping[str, Health] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    hooks: Mapping[HookOfRun, HookState] = field(default_factory=dict)
