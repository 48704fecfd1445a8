"""A Pod as a Nomad job: one job, one group, one task for each container."""

from dataclasses import dataclass

from translators import annotations, identity, policy, support
from translators.annotations import Annotations
from translators.errors import Finding, Refused
from translators.pod_to_job import files, placement, ports, resources, restarts
from translators.pod_to_job.context import JobContext
from translators.pod_to_job.drivers import driver
from translators.pod_to_job.permit import GROUP
from translators.pod_to_job.tasks import LOG_MB, Surroundings, task
from translators.policy import DOCKER, MOCK, Policy
from translators.records.jobs import EphemeralDisk, Job, JobUi, Link, ReschedulePolicy, Task, TaskGroup
from translators.records.pods import Pod

_LONGEST_DESCRIPTION = 1000
_NO_RESCHEDULE = ReschedulePolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A Pod's job, and what its author should know about it."""

    job: Job
    warnings: tuple[Finding, ...]


def translate(pod: Pod, context: JobContext, rules: Policy) -> Translation:
    """The job that runs a Pod; the same Pod and context always make the same job.

    Raises:
        Refused: for a Pod that cannot run here as it is written, with the field or annotation and the way out.
    """
    if not pod.spec.containers:
        raise Refused(Finding("InvalidField", "spec.containers", "a Pod needs a container"))
    settings = annotations.read(pod)
    drivers = {one.name: driver(one, pod, settings, context.default_driver) for one in pod.spec.containers}
    unsupported = support.findings(pod, drivers)
    around = Surroundings(
        pod=pod,
        settings=settings,
        drivers=drivers,
        context=context,
        address=ports.reached_at(pod, settings, drivers, routable=context.routable_allocations),
        network_mode=ports.mode(pod, drivers),
    )
    tasks = [task(container, around) for container in pod.spec.containers]
    job = _job(around, tuple(one for one, _ in tasks))
    policy.judge(rules, pod.metadata.namespace, job, {one.name: keys for one, keys in tasks})
    return Translation(job=job, warnings=(*settings.warnings, *unsupported, *_warnings(pod, settings, drivers)))


def _job(around: Surroundings, tasks: tuple[Task, ...]) -> Job:
    pod, context, settings = around.pod, around.context, around.settings
    return Job(
        id=identity.job_id(pod.uid),
        name=f"{pod.metadata.namespace}/{pod.metadata.name}",
        type=restarts.job_type(pod.spec),
        namespace=context.nomad_namespace,
        region=context.region,
        datacenters=placement.datacenters(settings, context.datacenters),
        node_pool=placement.node_pool(settings, context.node_pool),
        meta=identity.meta(pod, context.cluster_id, context.node_name),
        task_groups=(_group(around, tasks),),
        priority=placement.priority(settings),
        constraints=placement.constraints(settings),
        affinities=placement.affinities(settings),
        update=restarts.update(pod.spec),
        ui=_ui(pod, context),
    )


def _group(around: Surroundings, tasks: tuple[Task, ...]) -> TaskGroup:
    shared = ports.network(around.pod, around.settings, around.drivers)
    return TaskGroup(
        name=GROUP,
        tasks=tasks,
        restart_policy=restarts.restart_policy(around.pod.spec),
        reschedule_policy=_NO_RESCHEDULE,
        disconnect=restarts.DISCONNECT,
        ephemeral_disk=EphemeralDisk(size_mb=resources.disk(around.pod.spec.containers, LOG_MB)),
        networks=() if shared is None else (shared,),
    )


def _ui(pod: Pod, context: JobContext) -> JobUi:
    metadata = pod.metadata
    owner = next((one for one in metadata.owner_references if one.controller), None)
    owned = f" of {owner.kind} `{owner.name}`" if owner else ""
    description = f"Kubernetes Pod `{metadata.namespace}/{metadata.name}`{owned} on Node `{context.node_name}`"
    url = context.pod_link.replace("{namespace}", metadata.namespace).replace("{pod}", metadata.name)
    return JobUi(
        description=description[:_LONGEST_DESCRIPTION], links=(Link(label="Pod in Kubernetes", url=url),) if url else ()
    )


def _warnings(pod: Pod, settings: Annotations, drivers: dict[str, str]) -> tuple[Finding, ...]:
    found = [*placement.warnings(settings), *ports.warnings(pod, settings, drivers), *files.warnings(pod, drivers)]
    for container in pod.spec.containers:
        if drivers[container.name] != MOCK:
            found += resources.warnings(container)
    if pod.spec.hostname and (pod.spec.host_network or any(name != DOCKER for name in drivers.values())):
        message = "a task that shares the host's name space sees the host's name instead"
        found.append(Finding("FieldIgnored", "spec.hostname", message))
    return (*found, *restarts.warnings(pod.spec))
