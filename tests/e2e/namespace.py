"""A Kubernetes namespace of one test's own: what is created in it, what becomes of that, and the way it is emptied."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import Manifest
from tests.e2e.objects import texts_of

#: Deadline of a wait that takes a second or two on an idle machine.
SOON = 60.0
#: Deadline of a wait that includes restarts, whose pauses are Nomad's.
LATER = 100.0
#: Deadline of what becomes empty, which may hold hundreds.
_EMPTY = 180.0
#: Deadline of what controllers do, which look for an API server that was away only after up to 60 s (client-go's
#: reflector: a back-off of 30 s, and once more as much by chance).
_CONTROLLED = 180.0

_FOLDERS = {"v1": "/api/v1", "apps/v1": "/apis/apps/v1", "batch/v1": "/apis/batch/v1"}
_CONTROLLERS = ("/apis/apps/v1/{}/deployments", "/apis/apps/v1/{}/statefulsets", "/apis/batch/v1/{}/jobs")


class Namespace:
    """What a test sees of its namespace, in Kubernetes and in Nomad."""

    def __init__(self, bed: Bed, name: str) -> None:
        """Made by `created`."""
        self.bed = bed
        self.name = name

    @classmethod
    @contextmanager
    def created(cls, bed: Bed, name: str) -> Iterator["Namespace"]:
        """Create it; at the end nothing of it is left in Nomad, and Kubernetes removes it in its own time."""
        bed.control_plane.api("/api/v1/namespaces", "POST", {"metadata": {"name": name}})
        namespace = cls(bed, name)
        namespace.bind_workloads()
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        wait_until(f"the ServiceAccount of {name}", lambda: bed.control_plane.api(account), within=_CONTROLLED)
        try:
            yield namespace
        finally:
            namespace.empty()
            bed.control_plane.api(f"/api/v1/namespaces/{name}", "DELETE")

    def bind_workloads(self) -> None:
        """Do what an administrator does for a namespace whose Pods may run on Nomad."""
        self.bed.bind_workloads(self.name)

    def empty(self) -> None:
        """Delete everything and wait until neither side holds anything of it."""
        for path in _CONTROLLERS:
            folder = path.format(f"namespaces/{self.name}")
            self.bed.control_plane.api(folder, "DELETE", {"propagationPolicy": "Background"})
        # Of hundreds this takes a busy API server longer than an answer may take.
        wait_until(f"the Pods of {self.name} to be deleted", self._delete_all, within=_EMPTY)
        wait_until(f"the Pods of {self.name} to leave", self._is_without_pods, within=_EMPTY)
        self.wait_until_nomad_is_empty(within=_EMPTY)

    def kubectl(
        self, *arguments: str, version: str | None = None, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl in this namespace, as administrator; `arguments` may end with `-- command`."""
        return self.bed.kubectl(f"--namespace={self.name}", *arguments, version=version, stdin=stdin, check=check)

    def create(self, *manifests: Manifest) -> None:
        """Create objects, in order."""
        for manifest in manifests:
            kind = manifest["kind"].lower() + "s"
            if manifest["kind"] == "Secret":
                self.bed.secrets |= texts_of(manifest)
            path = f"{_FOLDERS[manifest['apiVersion']]}/namespaces/{self.name}/{kind}"
            self.bed.control_plane.api(path, "POST", manifest)

    def apply(self, manifest: Manifest) -> None:
        """`kubectl apply`, as a person would."""
        self.kubectl("apply", "--filename=-", stdin=json.dumps(manifest))

    def delete(self, pod: str, *, grace: int | None = None) -> None:
        """Ask for the deletion of a Pod, and do not wait for it; without `grace`, the Pod's own."""
        body = {} if grace is None else {"gracePeriodSeconds": grace}
        self.bed.control_plane.api(f"{self._pods}/{pod}", "DELETE", body)

    def pods(self, app: str = "") -> list[Manifest]:
        """All Pods, or those with a label `app`."""
        query = f"?labelSelector=app%3D{app}" if app else ""
        return list(self.bed.control_plane.api(f"{self._pods}{query}")["items"])

    def pod(self, name: str) -> Manifest:
        """One Pod; a BedError if there is none."""
        return dict(self.bed.control_plane.api(f"{self._pods}/{name}"))

    def holds(self, name: str) -> bool:
        """Whether the API holds a Pod of this name."""
        return any(pod["metadata"]["name"] == name for pod in self.pods())

    def wait(
        self, pod: str, what: str, true: Callable[[Manifest], object], *, within: float = SOON, app: str = ""
    ) -> Manifest:
        """Wait until something is true of a Pod, of the only one with a label `app` where that is given; return it."""
        seen: list[Manifest] = []

        def check() -> Manifest | None:
            found = next(iter(self.pods(app)), None) if app else self.pod(pod)
            if found is None:
                return None
            seen[:] = [found]
            return found if true(found) else None

        try:
            return wait_until(f"Pod {pod or app} {what}", check, within=within)
        except Exception as problem:
            problem.add_note(f"its status: {json.dumps(seen[0]['status'] if seen else None)}")
            problem.add_note(f"its Events: {self.events(pod)}")
            raise

    def wait_phase(self, pod: str, *phases: str, within: float = SOON) -> Manifest:
        """Wait until a Pod has one of these phases."""
        return self.wait(pod, f"to be {' or '.join(phases)}", lambda found: phase(found) in phases, within=within)

    def wait_ready(self, pod: str, within: float = SOON) -> Manifest:
        """Wait until a Pod is Ready."""
        return self.wait(pod, "to be Ready", is_ready, within=within)

    def wait_gone(self, pod: str, within: float = SOON) -> None:
        """Wait until the API holds the Pod no more."""
        wait_until(f"Pod {pod} to leave", lambda: not self.holds(pod), within=within)

    def events(self, pod: str, reason: str = "") -> list[Manifest]:
        """The Events about a Pod, with a certain reason or all of them."""
        path = f"/api/v1/namespaces/{self.name}/events?fieldSelector=involvedObject.name%3D{pod}"
        found = self.bed.control_plane.api(path)["items"]
        return [event for event in found if reason in {"", event["reason"]}]

    def wait_event(self, pod: str, reason: str, *words: str, within: float = SOON) -> Manifest:
        """Wait for an Event with a reason whose message holds all the words."""

        def check() -> Manifest | None:
            fitting = (event for event in self.events(pod, reason) if all(word in event["message"] for word in words))
            return next(fitting, None)

        try:
            return wait_until(f"Event {reason} with {words} about {pod}", check, within=within)
        except Exception as problem:
            problem.add_note(f"its Events: {[(e['reason'], e['message']) for e in self.events(pod)]}")
            raise

    def logs(self, *arguments: str) -> str:
        """What `kubectl logs` prints."""
        return self.kubectl("logs", *arguments).stdout

    def nomad_jobs(self) -> list[dict[str, Any]]:
        """The jobs in Nomad, in any of its namespaces, of Pods of this namespace."""
        jobs = self.bed.nomad.api("/v1/jobs?namespace=*&meta=true")
        return [job for job in jobs if (job.get("Meta") or {}).get("vk_namespace") == self.name]

    def allocations(self, pod: Manifest) -> list[dict[str, Any]]:
        """The allocations of a Pod's job, in the order of their creation."""
        name = f"vk-{pod['metadata']['uid']}"
        found = [one for one in self.bed.nomad.api("/v1/allocations?namespace=*") if one["JobID"] == name]
        return sorted(found, key=lambda allocation: int(allocation["CreateIndex"]))

    def wait_until_nomad_is_empty(self, within: float = SOON) -> None:
        """Wait until Nomad holds no job of this namespace."""

        def check() -> bool:
            return not [(job["Name"], job["Status"]) for job in self.nomad_jobs()]

        wait_until(f"Nomad to hold no job of {self.name}", check, within=within)

    @property
    def _pods(self) -> str:
        return f"/api/v1/namespaces/{self.name}/pods"

    def _delete_all(self) -> Any:
        return self.bed.control_plane.api(self._pods, "DELETE", {"gracePeriodSeconds": 1})

    def _is_without_pods(self) -> bool:
        # A controller may have created one more after the first deletion.
        left = self.pods()
        for pod in left:
            if "deletionTimestamp" not in pod["metadata"]:
                self.delete(pod["metadata"]["name"], grace=1)
        return not left


def phase(pod: Manifest) -> str:
    """The phase in a Pod's status."""
    return str(pod["status"].get("phase", ""))


def condition(pod: Manifest, kind: str) -> Manifest:
    """A condition of a Pod; empty if it has none of this kind."""
    return next((each for each in pod["status"].get("conditions", ()) if each["type"] == kind), {})


def is_ready(pod: Manifest) -> bool:
    """Whether a Pod is Running and Ready."""
    return phase(pod) == "Running" and condition(pod, "Ready").get("status") == "True"


def container_status(pod: Manifest, container: str = "main") -> Manifest:
    """The status of a container; empty if there is none yet."""
    statuses = pod["status"].get("containerStatuses", ())
    return next((status for status in statuses if status["name"] == container), {})


def terminated(pod: Manifest, container: str = "main") -> Manifest:
    """How a container ended; empty if it has not."""
    return dict(container_status(pod, container).get("state", {}).get("terminated") or {})


def last_terminated(pod: Manifest, container: str = "main") -> Manifest:
    """How the run before the present one ended; empty if there was none."""
    return dict(container_status(pod, container).get("lastState", {}).get("terminated") or {})


def waiting(pod: Manifest, container: str = "main") -> Manifest:
    """Why a container waits; empty if it does not."""
    return dict(container_status(pod, container).get("state", {}).get("waiting") or {})
