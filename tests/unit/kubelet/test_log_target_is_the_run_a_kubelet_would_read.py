import pytest

from translators.records.pods import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    ObjectMeta,
    Pod,
    PodSpec,
    PodStatus,
)
from vnode.kubelet.log_target import ContainerRun, NoLogs, find_run, find_successor

FIRST, SECOND = "nomad://alloc/web/0", "nomad://alloc/web/1@0.70,0.0"
RUNNING = ContainerState(running=ContainerStateRunning())
NOTHING = ContainerState()


def waiting(reason: str) -> ContainerState:
    return ContainerState(waiting=ContainerStateWaiting(reason=reason))


def terminated(container_id: str) -> ContainerState:
    return ContainerState(terminated=ContainerStateTerminated(exit_code=1, container_id=container_id))


def pod(*statuses: ContainerStatus) -> Pod:
    spec = PodSpec(containers=(Container(name="web"),), init_containers=(Container(name="setup"),))
    return Pod(
        metadata=ObjectMeta(name="shop", namespace="default"),
        spec=spec,
        status=PodStatus(container_statuses=statuses),
    )


def web(state: ContainerState, last: ContainerState = NOTHING, container_id: str = "") -> Pod:
    return pod(ContainerStatus(name="web", state=state, last_state=last, container_id=container_id))


@pytest.mark.parametrize(
    ("shown", "previous", "container_id", "over"),
    [
        (web(RUNNING, container_id=FIRST), False, FIRST, False),
        (web(RUNNING, terminated(FIRST), SECOND), False, SECOND, False),
        (web(RUNNING, terminated(FIRST), SECOND), True, FIRST, True),
        (web(terminated(FIRST), container_id=FIRST), False, FIRST, True),
        (web(terminated(""), terminated(FIRST)), False, FIRST, True),
        (web(waiting("CrashLoopBackOff"), terminated(SECOND), SECOND), False, SECOND, True),
        (web(waiting("CrashLoopBackOff"), terminated(SECOND), SECOND), True, SECOND, True),
    ],
)
def test_the_run_is_found(shown: Pod, previous: bool, container_id: str, over: bool) -> None:  # noqa: FBT001 - a table
    assert find_run(shown, "web", previous=previous) == ContainerRun(
        container="web", container_id=container_id, over=over
    )


@pytest.mark.parametrize(
    ("shown", "of", "successor"),
    [
        (web(RUNNING, terminated(FIRST), SECOND), FIRST, SECOND),
        (web(RUNNING, terminated(FIRST), SECOND), SECOND, ""),
        (web(RUNNING, terminated(FIRST), SECOND), SECOND.partition("@")[0], ""),
        (pod(), FIRST, ""),
    ],
)
def test_a_later_run_is_the_successor(shown: Pod, of: str, successor: str) -> None:
    assert find_successor(shown, ContainerRun(container="web", container_id=of)) == successor


@pytest.mark.parametrize(
    ("shown", "container", "previous", "status", "text"),
    [
        (pod(), "nope", False, 404, 'container "nope" not found in pod "shop"'),
        (pod(), "web", False, 400, 'container "web" in pod "shop" is not available'),
        (pod(), "setup", False, 400, 'container "setup" in pod "shop" is not available'),
        (
            web(waiting("ContainerCreating")),
            "web",
            False,
            400,
            'container "web" in pod "shop" is waiting to start: ContainerCreating',
        ),
        (
            web(waiting("ErrImagePull")),
            "web",
            False,
            400,
            'container "web" in pod "shop" is waiting to start: image can\'t be pulled',
        ),
        (
            web(waiting("ImagePullBackOff")),
            "web",
            False,
            400,
            'container "web" in pod "shop" is waiting to start: trying and failing to pull image',
        ),
        (web(NOTHING), "web", False, 400, 'container "web" in pod "shop" is waiting to start - no logs yet'),
        (web(terminated("")), "web", False, 400, 'container "web" in pod "shop" is terminated'),
        (
            web(waiting("ContainerCreating"), terminated("")),
            "web",
            False,
            400,
            'container "web" in pod "shop" is terminated',
        ),
        (
            web(RUNNING, container_id=FIRST),
            "web",
            True,
            400,
            'previous terminated container "web" in pod "shop" not found',
        ),
    ],
)
def test_why_there_is_none_is_said_as_by_a_kubelet(
    shown: Pod,
    container: str,
    previous: bool,  # noqa: FBT001 - a table
    status: int,
    text: str,
) -> None:
    with pytest.raises(NoLogs) as refusal:
        find_run(shown, container, previous=previous)
    assert (refusal.value.status, str(refusal.value)) == (status, text)
