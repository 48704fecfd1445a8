"""The probes and hooks of a Node, put to its Pods."""

import asyncio
import secrets
from collections.abc import Callable

from translators.port_addresses import Placement
from translators.records.pods import PodUid
from vnode.nomad.budget import StreamBudget
from vnode.nomad.task_commands import task_commands
from vnode.nomad.transport import Transport
from vnode.probes.hooks import HookRunner
from vnode.probes.network import network_probes
from vnode.probes.prober import COMMANDS, Prober
from vnode.probes.questions import HOOKS, Questions

#: Connections of probes and hooks: a probe is asked while the one before it is being ended; a hook waits for that.
_STREAMS = 2 * COMMANDS + HOOKS


async def ask_and_run(
    prober: Prober,
    hooks: HookRunner,
    transport: Transport,
    placements: Callable[[PodUid], Placement | None],
    *,
    version: str,
    default_driver: str,
    routable: bool,
) -> None:
    """Ask probes and run hooks until cancelled; `version` is that of the cluster, by which a kubelet calls itself."""
    agent = f"kube-probe/{'.'.join(version.removeprefix('v').split('.')[:2])}"
    async with (
        network_probes(agent) as network,
        task_commands(transport, lambda: secrets.token_hex(16), StreamBudget(_STREAMS)) as commands,
    ):
        questions = Questions(network, commands, placements, default_driver=default_driver, routable=routable)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(prober.run(questions))
            tasks.create_task(hooks.run(questions))
