"""The order of init containers: each but the first waits for its turn, and the others for sidecars that take time.

Nomad starts all tasks of one hook at once, and the main ones as soon as sidecars run. So a task that has to wait
renders a template that blocks until a Nomad variable names its own allocation; it is written when the init container
before has ended well, or the sidecar before has started: its postStart hook is done and its startup probe answered. It
stands at the task's own path, which only that task may read (implicit policy of workload identities), so the data of
such a Pod lies in the first Variable alone, see `translators.variables`.
"""

from translators import variables
from translators.pod_to_job.permit import GROUP, OWN_ID
from translators.records.hooks import HookKind
from translators.records.jobs import JobId, Template
from translators.records.pods import Container, PodSpec

#: What the variable says beside the allocation's ID, which is the name of its item.
TURN = "begin"

_DESTINATION = "secrets/.vnode/turn"


def are_taken(spec: PodSpec) -> bool:
    """Whether a Pod has containers among which an order is to be kept that Nomad does not keep."""
    return len(spec.init_containers) > 1 or _gates_the_others(spec)


def waits(container: Container, spec: PodSpec) -> bool:
    """Whether a container has one before it whose end or start it waits for."""
    if any(container is each for each in spec.init_containers):
        return container is not spec.init_containers[0]
    return _gates_the_others(spec)


def _gates_the_others(spec: PodSpec) -> bool:
    """Whether a sidecar has not started as soon as it runs: Nomad starts the others beside it then."""
    return any(
        each.startup_probe is not None or HookKind.POST_START in each.hooks
        for each in spec.init_containers
        if each.is_sidecar
    )


def path(job: JobId, task: str) -> str:
    """The path of the variable that gives a task its turn."""
    return f"nomad/jobs/{job}/{GROUP}/{task}"


def template(job: JobId, task: str) -> Template:
    """The template without which a task does not start; it is watched, for a path that exists may get another item.

    It waits by naming what is not there, and may be asked for: a task whose template is refused for minutes is killed.
    Where a site has that Variable, the path below the task's own is what is left.
    """
    at = path(job, task)
    text = (
        f'{{{{ with nomadVar "{at}" }}}}'
        f'{{{{ if not (index . (env "{OWN_ID}")).Value }}}}'
        f'{{{{ with nomadVar "{variables.NOWHERE}" }}}}{{{{ with nomadVar "{at}/never" }}}}{{{{ end }}}}{{{{ end }}}}'
        "{{ end }}{{ end }}"
    )
    return Template(embedded_tmpl=text, dest_path=_DESTINATION, once=False)
