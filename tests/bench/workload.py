"""The Pods of the bench, and the same jobs for Nomad alone."""

import json
from dataclasses import dataclass
from uuid import uuid4

from tests.bench.errors import MeasurementError

NODE = "nomad"
_JOB_PREFIX = "vk-"


def pod_names(series: str, count: int) -> list[str]:
    """Names of one length, whatever the count, so that jobs made from them have one length too."""
    return [f"{series}-{number:05}" for number in range(count)]


def manifest(name: str, *, token: bool = False, config_map: str = "") -> bytes:
    """A Pod bound straight to the Node: the scheduler's time is not ours.

    With `token` Kubernetes mounts the default one into it; a `config_map` is mounted as a directory.
    """
    annotations = {
        "nomad.hashinetes.io/driver": "mock_driver",
        "nomad.hashinetes.io/task-config": json.dumps({"run_for": "6h"}),
    }
    resources = {"requests": {"cpu": "1m", "memory": "10Mi"}, "limits": {"memory": "10Mi"}}
    volume = {"name": "data", "configMap": {"name": config_map}}
    mount = {"name": "data", "mountPath": "/data"}
    container = {"name": "main", "image": "registry.example/mock:1", "resources": resources}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "bench"}, "annotations": annotations},
        "spec": {
            "nodeName": NODE,
            "automountServiceAccountToken": token,
            "tolerations": [{"key": "virtual-kubelet.io/provider", "operator": "Exists"}],
            "containers": [{**container, **({"volumeMounts": [mount]} if config_map else {})}],
            **({"volumes": [volume]} if config_map else {}),
        },
    }
    return json.dumps(pod).encode()


def job_id(uid: str) -> str:
    """The job of a Pod."""
    return _JOB_PREFIX + uid


@dataclass(frozen=True)
class JobTemplate:
    """A registration as vnode sent it for one Pod; other Pods of the series differ in name and UID only."""

    body: bytes
    name: str
    uid: str

    @classmethod
    def of(cls, registrations: list[bytes], name: str, uid: str) -> "JobTemplate":
        """The registration of a Pod among those that the recorder kept."""
        for body in registrations:
            if uid.encode() in body and name.encode() in body:
                return cls(body, name, uid)
        raise MeasurementError(f"vnode registered no job for Pod {name}, UID {uid}, by PUT /v1/jobs")

    def jobs(self, names: list[str]) -> dict[str, bytes]:
        """Registrations with new UIDs for these Pod names, by job ID."""
        made = {}
        for name in names:
            if len(name) != len(self.name):
                raise MeasurementError(f"{name} is not as long as {self.name}: the job would not be of the same size")
            uid = str(uuid4())
            made[job_id(uid)] = self.body.replace(self.uid.encode(), uid.encode()).replace(
                self.name.encode(), name.encode()
            )
        return made

    @property
    def logs_disabled(self) -> bool:
        """Whether no task of the job runs Nomad's log collector."""
        job = json.loads(self.body)["Job"]
        return all(
            (task.get("LogConfig") or {}).get("Disabled", False)
            for group in job["TaskGroups"]
            for task in group["Tasks"]
        )
