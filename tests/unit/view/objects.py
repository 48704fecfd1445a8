"""The smallest Pods, jobs and allocations that the view's tests need."""

from datetime import UTC, datetime

from translators.identity import CLUSTER, NAMESPACE, NODE, POD, UID, job_id
from translators.records.allocations import Allocation, Evaluation
from translators.records.jobs import JobStub
from translators.records.pods import ObjectMeta, Pod, PodUid
from vnode.view.view import View


class Notified:
    """Collects the UIDs that the view wants looked at."""

    def __init__(self) -> None:
        self.uids: list[str] = []

    def __call__(self, uid: PodUid) -> None:
        self.uids.append(uid)

    def take(self) -> set[str]:
        taken, self.uids = set(self.uids), []
        return taken


def view(notified: Notified | None = None) -> View:
    return View(
        cluster="c1", node="nomad", changed=notified or Notified(), capacity_changed=lambda: None, clock=lambda: 0.0
    )


def pod(uid: str, *, name: str = "web", version: int = 1, deleted: bool = False, grace: int | None = None) -> Pod:
    return Pod(
        metadata=ObjectMeta(
            name=name,
            namespace="shop",
            uid=uid,
            resource_version=str(version),
            deletion_timestamp=datetime(2026, 1, 1, tzinfo=UTC) if deleted else None,
            deletion_grace_period_seconds=grace,
        )
    )


def stub(
    uid: str,
    *,
    name: str = "web",
    node: str = "nomad",
    cluster: str = "c1",
    stop: bool = False,
    index: int = 1,
    namespace: str = "default",
) -> JobStub:
    meta = {CLUSTER: cluster, NODE: node, NAMESPACE: "shop", POD: name, UID: uid}
    return JobStub(id=job_id(PodUid(uid)), namespace=namespace, stop=stop, meta=meta, modify_index=index)


def allocation(uid: str, identifier: str, *, status: str = "running", index: int = 1, created: int = 1) -> Allocation:
    return Allocation(
        id=identifier,
        job_id=job_id(PodUid(uid)),
        client_status=status,
        modify_index=index,
        create_index=created,
        node_id="n1",
    )


def evaluation(
    uid: str, *, trigger: str = "job-register", status: str = "complete", index: int = 1, name: str = "e1"
) -> Evaluation:
    return Evaluation(id=name, job_id=job_id(PodUid(uid)), triggered_by=trigger, status=status, modify_index=index)
