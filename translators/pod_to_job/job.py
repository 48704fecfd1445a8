"""A Pod as a Nomad job: one job, one group, one task for each container."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from translators import annotations, identity, policy, support, vault
from translators.annotations import Annotations
from translators.errors import Finding, Refused
from translators.material import NOTHING, Material
from translators.pod_to_job import (
    claims,
    host_paths,
    placement,
    ports,
    probes,
    registries,
    resources,
    restarts,
    turns,
)
from translators.pod_to_job.context import JobContext
from translators.pod_to_job.data import gather
from translators.pod_to_job.drivers import driver
from translators.pod_to_job.initialization import placed, telling
from translators.pod_to_job.permit import GROUP
from translators.pod_to_job.resolver import resolver
from translators.pod_to_job.tasks import LOG_MB, Surroundings, task
from translators.policy import DOCKER, MOCK, Policy
from translators.records.jobs import EphemeralDisk, Job, JobUi, Link, Network, ReschedulePolicy, Task, TaskGroup
from translators.records.pods import Pod

_LONGEST_DESCRIPTION = 1000
_NO_RESCHEDULE = ReschedulePolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A Pod's job, what its author should know about it, and the data that travels beside it, in Nomad Variables."""

    job: Job
    warnings: tuple[Finding, ...]
    items: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def translate(pod: Pod, context: JobContext, rules: Policy, material: Material = NOTHING) -> Translation:
    """The job that runs a Pod; the same Pod, context and keys of its objects always make the same job.

    No value of an object is in the job: they are in the items.

    Raises:
        Refused: for a Pod that cannot run here as it is written, with the field or annotation and the way out.
        Waiting: for an object of the Pod that is not there yet.
    """
    with telling(pod):
        found = _translate(pod, context, rules, material)
    return replace(found, warnings=tuple(placed(pod, warning) for warning in found.warnings))


def placed_where_it_is(translation: Translation) -> Translation:
    """For a job in the place of another: its allocation is placed on that one's client, if it can be.

    Source: nomad scheduler/generic_sched.go findPreferredNode.
    """
    group = translation.job.task_groups[0]
    sticky = replace(group, ephemeral_disk=replace(group.ephemeral_disk, sticky=True))
    return replace(translation, job=replace(translation.job, task_groups=(sticky,)))


def data_items(pod: Pod, context: JobContext, material: Material) -> Mapping[str, bytes]:
    """The data of a Pod that has a job already, as its templates know it.

    Raises:
        Refused: as `translate`.
        Waiting: as `translate`.
    """
    settings = annotations.read(pod)
    drivers = {one.name: driver(one, pod, settings, context.default_driver) for one in pod.spec.every_container}
    address = ports.reached_at(pod, settings, drivers, routable=context.routable_allocations)
    pod_ip = ports.pod_ip(pod, settings, drivers, address)
    return gather(pod, settings, drivers, context, material, pod_ip=pod_ip).items


def _translate(pod: Pod, context: JobContext, rules: Policy, material: Material) -> Translation:
    if not pod.spec.containers:
        raise Refused(Finding("InvalidField", "spec.containers", "a Pod needs a container"))
    settings = annotations.read(pod)
    drivers = {one.name: driver(one, pod, settings, context.default_driver) for one in pod.spec.every_container}
    unsupported = support.findings(pod, drivers)
    probes.check(pod.spec.every_container, drivers)
    of_hosts = host_paths.judge(pod, drivers, rules)
    volumes = claims.requests(pod, drivers, material.claims)
    address = ports.reached_at(pod, settings, drivers, routable=context.routable_allocations)
    data = gather(pod, settings, drivers, context, material, pod_ip=ports.pod_ip(pod, settings, drivers, address))
    around = Surroundings(
        pod=pod,
        settings=settings,
        drivers=drivers,
        context=context,
        network_mode=ports.mode(pod, drivers),
        data=data,
        volumes=volumes,
        vault=vault.read(pod),
        dns=resolver(pod, drivers),
    )
    made = [task(container, around) for container in pod.spec.every_container]
    job = _job(around, tuple(one.task for one in made))
    policy.judge(rules, pod.metadata.namespace, job, {one.task.name: one.written for one in made})
    mounts = (warning for one in made for warning in one.warnings)
    of_vault = () if around.vault is None else around.vault.warnings
    warnings = (
        *settings.warnings,
        *of_vault,
        *of_hosts,
        *unsupported,
        *_warnings(pod, settings, drivers),
        *data.warnings,
        *mounts,
    )
    return Translation(job=job, warnings=tuple(dict.fromkeys(warnings)), items=data.items)


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
        meta=identity.meta(
            pod,
            context.cluster_id,
            context.node_name,
            variables=around.data.count,
            turns=turns.are_taken(pod.spec),
            logins=bool(around.data.logins),
        ),
        task_groups=(_group(around, tasks),),
        priority=placement.priority(settings, pod.spec.priority_class_name, context.priorities),
        constraints=(*placement.constraints(settings), *((registries.CONSTRAINT,) if around.data.logins else ())),
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
        ephemeral_disk=EphemeralDisk(size_mb=resources.disk(around.pod.spec.every_container, LOG_MB)),
        networks=() if shared is None else (_resolving(shared, around),),
        volumes=dict(around.volumes),
    )


def _resolving(shared: Network, around: Surroundings) -> Network:
    return replace(shared, dns=around.dns) if shared.mode == ports.BRIDGE else shared


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
    found = [*placement.warnings(settings), *ports.warnings(pod, settings, drivers)]
    for container in pod.spec.every_container:
        if drivers[container.name] != MOCK:
            found += resources.warnings(resources.of_whole_pod(container, pod.spec))
    if pod.spec.hostname and (pod.spec.host_network or any(name != DOCKER for name in drivers.values())):
        message = "a task that shares the host's name space sees the host's name instead"
        found.append(Finding("FieldIgnored", "spec.hostname", message))
    return (*found, *restarts.warnings(pod.spec))
