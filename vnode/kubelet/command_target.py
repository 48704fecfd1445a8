"""Which run of a container a caller of `/exec` or `/attach` means, or why there is none.

Source: kubernetes pkg/kubelet/server/server.go (getExec, getAttach) and kubelet_pods.go (GetExec). A kubelet says
`container not found` for whatever does not run; the state is added here, for it is what the caller wants to know.
"""

from translators.allocation_to_status.containers import NO_EPHEMERAL_CONTAINERS
from translators.records.pods import ContainerState, ContainerStatus, Pod
from vnode.kubelet.log_target import ContainerRun, quote


class NoTarget(Exception):
    """There is nothing that could be entered; `status` is the HTTP status, `str()` the body."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(body)
        self.status = status


def find_target(pod: Pod | None, container: str, *, uid: str = "") -> tuple[Pod, ContainerRun]:
    """The run that is up now; `uid`, where it is given, must be the Pod's.

    Raises NoTarget: 404 for a Pod or container that is not there, 400 for a container that does not run.
    """
    if pod is None or (uid and pod.uid != uid):
        raise NoTarget(404, "pod does not exist")
    where = f"container {quote(container)} in pod {quote(pod.metadata.name)}"
    if container in {each.name for each in pod.spec.ephemeral_containers}:
        raise NoTarget(400, f"{where} is not running: {NO_EPHEMERAL_CONTAINERS}")
    if container not in {each.name for each in (*pod.spec.containers, *pod.spec.init_containers)}:
        raise NoTarget(404, f"container not found ({quote(container)})")
    statuses = (*pod.status.container_statuses, *pod.status.init_container_statuses)
    status = next((each for each in statuses if each.name == container), None)
    if status is None or status.state.running is None or not status.container_id:
        raise NoTarget(400, f"{where} is not running: {_state(status)}")
    return pod, ContainerRun(container=container, container_id=status.container_id)


def _state(status: ContainerStatus | None) -> str:
    state = status.state if status is not None else ContainerState()
    if state.terminated is not None:
        return f"it has terminated ({state.terminated.reason}, exit code {state.terminated.exit_code})"
    if state.waiting is not None:
        return f"it is waiting to start ({state.waiting.reason})"
    return "nothing is known of it yet"
