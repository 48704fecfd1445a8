"""Pods and contexts that the tests of the translation start from."""

from typing import Any, TypeAlias

from pydantic import TypeAdapter

from translators.pod_to_job import JobContext, Translation, translate
from translators.policy import Policy
from translators.records.jobs import Job, Task, TaskGroup
from translators.records.pods import Pod
from translators.support import decode_pod

#: What a field of a manifest may hold.
Value: TypeAlias = Any

CONTEXT = JobContext(
    cluster_id="c1",
    node_name="nomad",
    nomad_namespace="default",
    region="global",
    datacenters=("*",),
    node_pool="default",
    mhz_per_core=2000.0,
    memory_oversubscription=False,
    default_driver="docker",
)

OPEN = TypeAdapter(Policy).validate_python(
    {"drivers": {"raw_exec": {"namespaces": "*", "task_config": "*"}, "mock_driver": {"namespaces": "*"}}}
)


def container(name: str = "web", **fields: Value) -> dict[str, Any]:
    """A container as the API server completes it."""
    return {
        "name": name,
        "image": "busybox:1.36",
        "imagePullPolicy": "IfNotPresent",
        "resources": {},
        **fields,
    }


def pod(*containers: dict[str, Any], annotations: dict[str, str] | None = None, **spec: Value) -> Pod:
    """A Pod as the API server completes it; annotations are written without their prefix."""
    return decode_pod(
        {
            "metadata": {
                "name": "web-0",
                "namespace": "team-a",
                "uid": "6f1d0c5e-9a55-4a8e-8a5c-2f4a1f5a0001",
                "labels": {"app": "web"},
                "annotations": {f"nomad.hashinetes.io/{key}": text for key, text in (annotations or {}).items()},
            },
            "spec": {
                "containers": list(containers) or [container()],
                "nodeName": "nomad",
                "restartPolicy": "Always",
                "terminationGracePeriodSeconds": 30,
                "dnsPolicy": "ClusterFirst",
                "serviceAccountName": "default",
                "serviceAccount": "default",
                "securityContext": {},
                "schedulerName": "default-scheduler",
                "tolerations": [{"key": "virtual-kubelet.io/provider", "operator": "Exists"}],
                "priority": 0,
                "enableServiceLinks": True,
                "preemptionPolicy": "PreemptLowerPriority",
                **spec,
            },
        }
    )


def binary(name: str = "web", **fields: Value) -> dict[str, Any]:
    """A container that starts a program of its host."""
    return container(name, **{"image": "nomad.local/binary", "command": ["/bin/serve"], **fields})


def translation(subject: Pod, context: JobContext = CONTEXT, policy: Policy = OPEN) -> Translation:
    return translate(subject, context, policy)


def job(subject: Pod, context: JobContext = CONTEXT, policy: Policy = OPEN) -> Job:
    return translate(subject, context, policy).job


def group(subject: Pod, context: JobContext = CONTEXT) -> TaskGroup:
    return job(subject, context).task_groups[0]


def task(subject: Pod, context: JobContext = CONTEXT) -> Task:
    return group(subject, context).tasks[0]
