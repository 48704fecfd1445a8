import pytest

from vnode.errors import Busy, Conflict, Denied, NotFound, PeerError, Rejected, Unavailable
from vnode.nomad.errors import NamespaceMissing, NodePoolMissing, NoPath, classify, leaderless

VALIDATION = (
    "2 errors occurred:\n\t* Task group pod validation failed: 1 error occurred:\n\t* EOF No cluster leader\n\n"
)


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (403, "Permission denied", Denied),
        (403, "ACL token not found", Denied),
        (403, "Job registration, dispatch, and scale are disabled by the scheduler configuration", Denied),
        (401, "unauthorized", Denied),
        (500, "ACL token expired", Denied),
        (500, "ACL token not found or invalid workload identity: failed to parse signed token", Denied),
        (500, "rpc error: Permission denied", Denied),
        (404, "job not found", NotFound),
        (404, 'Unknown allocation "c0ffee"', NotFound),
        (404, 'task "app" not started yet. No logs available', NotFound),
        (500, "job not found", NotFound),
        (500, 'Unknown node "c0ffee"', NotFound),
        (500, "open /data/alloc/c0ffee/alloc/logs: no such file or directory", NotFound),
        (500, "Task not found", NotFound),
        (404, "No path to node", NoPath),
        (500, "No path to node", NoPath),
        (404, "No path to region", Unavailable),
        (500, "No path to region", Unavailable),
        (409, "", Conflict),
        (500, "Enforcing job modify index 0: job already exists", Conflict),
        (500, "rpc error: Enforcing job modify index 7: job exists with conflicting job modify index: 9", Conflict),
        (500, "Enforcing job modify index 7: job does not exist", Conflict),
        (500, "Task not running", Conflict),
        (500, 'task "main" is not running.', Conflict),
        (429, "Your IP is issuing too many concurrent connections, please rate limit your calls", Busy),
        (500, "No cluster leader", Unavailable),
        (500, "rpc error: No cluster leader", Unavailable),
        (500, "Not ready to serve consistent reads", Unavailable),
        (500, "rpc error: EOF", Unavailable),
        (500, "rpc error: failed to get conn: dial tcp 10.0.0.1:4647: connect: connection refused", Unavailable),
        (500, "leadership lost while committing log", Unavailable),
        (500, "something that nobody has seen before", Unavailable),
        (502, "Bad Gateway", Unavailable),
        (408, "", Unavailable),
        (400, "Job ID does not match name", Rejected),
        (413, "too large", Rejected),
        (500, VALIDATION, Rejected),
        (500, "rpc error: 1 error occurred:\n\t* Invalid job type", Rejected),
        (500, 'cannot update job from type "batch" to "service"', Rejected),
        (500, "alloc lookup failed: index error: UUID must be 36 characters", Rejected),
        (500, '1 error occurred:\n\t* job "vk-1" is in nonexistent namespace "team-a"', NamespaceMissing),
        (500, '1 error occurred:\n\t* job "vk-1" is in nonexistent node pool "gpu"', NodePoolMissing),
    ],
)
def test_an_answer_has_one_kind(status: int, text: str, kind: type[PeerError]) -> None:
    error = classify(status, text)
    assert type(error) is kind


def test_a_missing_namespace_or_pool_is_still_a_rejection() -> None:
    assert issubclass(NamespaceMissing, Rejected)
    assert issubclass(NodePoolMissing, Rejected)


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (500, "No cluster leader", True),
        (500, "rpc error: Not ready to serve consistent reads", True),
        (500, "rpc error: failed to get conn: dial tcp 192.0.2.1:4647: connect: connection refused", True),
        (500, "rpc error: EOF", False),
        (500, VALIDATION, False),
        (404, "No cluster leader", False),
    ],
)
def test_only_a_refusal_without_a_leader_proves_that_nothing_was_applied(
    status: int, text: str, *, expected: bool
) -> None:
    assert leaderless(status, text) is expected


def test_the_text_of_an_answer_is_one_short_line() -> None:
    assert str(classify(500, "1 error occurred:\n\t* bad\n\n")) == "Nomad: 1 error occurred: * bad"
    assert len(str(classify(400, "x" * 100_000))) < 2100


def test_an_answer_without_text_names_its_status() -> None:
    assert str(classify(503, "")) == "Nomad: status 503"


def test_a_conflicting_variable_is_not_shown() -> None:
    assert "hunter2" not in str(classify(409, '{"Items":{"password":"hunter2"}}'))


def test_too_many_connections_name_the_setting_and_the_pause() -> None:
    error = classify(429, "too many", retry_after=7.0)
    assert isinstance(error, Unavailable)
    assert error.retry_after == 7.0
    assert "http_max_conns_per_client" in str(error)
