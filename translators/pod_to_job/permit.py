"""The permit without which nothing of a Pod starts that may run only once.

Nomad starts an allocation anew, or another one for it, in cases that no setting of a job forbids: a client that is lost
while the allocation is pending or waits for a restart, a drain, a preemption, a machine that was rebooted. So each task
of a `Never` Pod waits for a Nomad variable that names its own allocation. It is written when the first allocation is
placed and removed once everything has started: what is started later, here or elsewhere, waits for ever or fails.

The variable stands at the path of the task group, which the group's tasks may read without a policy of their own
(nomad/nomad/structs/variables and the implicit policy of workload identities).
"""

from collections.abc import Container

from translators.errors import Finding, Refused
from translators.records.allocations import Allocation, TaskState
from translators.records.jobs import JobId, Template
from translators.records.pods import PodUid

#: The item that holds the allocation's ID.
ALLOCATION = "allocation"

#: The name of the one group of a job.
GROUP = "pod"

#: The environment variable by which a task knows its allocation.
OWN_ID = "NOMAD_ALLOC_ID"

#: Where the paths of all permits begin.
PREFIX = "nomad/jobs/vk-"

_SUFFIX = f"/{GROUP}"
_DESTINATION = "secrets/.vnode/permit"


def path(job: JobId) -> str:
    """The path of the permit of a job."""
    return f"nomad/jobs/{job}{_SUFFIX}"


def uid_at(path: str) -> PodUid | None:
    """The UID of the Pod whose permit stands at a path, or None where no permit does."""
    if not (path.startswith(PREFIX) and path.endswith(_SUFFIX)):
        return None
    return PodUid(path[len(PREFIX) : -len(_SUFFIX)])


def template(job: JobId) -> Template:
    """The template that a task renders before it starts: it blocks without a permit, and fails with another's."""
    text = (
        f'{{{{ with nomadVar "{path(job)}" }}}}'
        f'{{{{ if ne .{ALLOCATION}.Value (env "{OWN_ID}") }}}}'
        '{{ "a Pod that runs once was started already" | parseInt }}'
        "{{ end }}{{ end }}"
    )
    return Template(embedded_tmpl=text, dest_path=_DESTINATION, once=True)


def missed_since(allocation: Allocation, job: JobId) -> int:
    """When, in nanoseconds of its client's clock, a task that runs began to wait for its permit; 0 where none does.

    An agent that was restarted finds its tasks again and repeats what comes before a start, the permit's template too.
    Until that is through it does not notice that they end (nomad client/allocrunner/taskrunner/task_runner.go: Run).
    """
    tasks = allocation.task_states.values()
    return max((_missed_since(task, path(job)) for task in tasks if task.state == "running"), default=0)


def would_start(allocation: Allocation) -> bool:
    """Whether a permit would start something, too: it is one for all tasks.

    A task that an agent did not find again is pending, as is one that waits for a restart (task_runner.go: Restore).
    """
    return any(task.state == "pending" for task in allocation.task_states.values())


def _missed_since(task: TaskState, permit: str) -> int:
    since = 0
    for event in task.events:
        if event.type == "Started":
            since = 0
        elif event.type == "Template" and permit in event.display_message:
            since = event.time
    return since


def check_environment(names: Container[str], container: str) -> None:
    """Raises Refused where a variable of the container hides its allocation's ID."""
    if OWN_ID in names:
        path = f"spec.containers[{container}].env[{OWN_ID}]"
        message = "Nomad sets it, and what keeps a container from starting too early, or twice, reads it; rename it"
        raise Refused(Finding("InvalidField", path, message))
