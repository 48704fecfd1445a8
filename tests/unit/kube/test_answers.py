from typing import Any

import pytest
from pydantic_core import to_json

from vnode.errors import Busy, Conflict, Denied, NotFound, PeerError, Rejected, Unavailable
from vnode.kube.answers import failure
from vnode.kube.errors import Cause, Gone, Invalid, NamespaceTerminating, Replaced

POD = "/api/v1/namespaces/default/pods/web"


def status(message: str = "m", **details: object) -> bytes:
    return to_json({"kind": "Status", "reason": "R", "message": message, "details": details})


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (302, Rejected),
        (400, Rejected),
        (401, Denied),
        (403, Denied),
        (404, NotFound),
        (405, Rejected),
        (408, Unavailable),
        (409, Conflict),
        (410, Gone),
        (415, Rejected),
        (422, Invalid),
        (429, Busy),
        (500, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
        (599, Unavailable),
    ],
)
def test_each_status_has_its_kind_of_error(code: int, kind: type[PeerError]) -> None:
    assert type(failure("GET", POD, code, status())) is kind


def test_the_text_says_what_was_asked_and_what_was_answered() -> None:
    problem = failure("GET", POD, 404, status('pods "web" not found'))
    assert str(problem) == f'GET {POD}: 404 R: pods "web" not found'


@pytest.mark.parametrize("body", [b"<html>secret</html>", b'{"kind":"Secret","message":"secret"}', b"", b'"secret"'])
def test_a_body_that_is_no_status_is_not_quoted(body: bytes) -> None:
    assert str(failure("GET", POD, 503, body)) == f"GET {POD}: 503 Service Unavailable"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/default/secrets/password",
        "/api/v1/namespaces/default/secrets",
        "/apis/authentication.k8s.io/v1/tokenreviews",
        "/api/v1/namespaces/default/serviceaccounts/default/token",
    ],
)
def test_no_message_is_quoted_where_secrets_are_at_stake(path: str) -> None:
    assert "hunter2" not in str(failure("POST", path, 422, status('Invalid value: "hunter2"')))


def test_long_messages_are_cut() -> None:
    assert len(str(failure("GET", POD, 400, status("x" * 5000)))) < 1100


def test_a_uid_that_is_not_ours_any_more_means_replaced() -> None:
    causes = [{"field": "metadata.uid", "reason": "FieldValueInvalid", "message": "field is immutable"}] * 2
    problem = failure("PATCH", POD, 422, status(causes=causes))
    assert isinstance(problem, Replaced)
    assert isinstance(problem, NotFound)


def test_what_is_invalid_is_named() -> None:
    cause = {"field": "status.podIPs", "reason": "FieldValueInvalid", "message": "one per family"}
    problem = failure("PATCH", POD, 422, status(causes=[cause]))
    assert isinstance(problem, Invalid)
    assert problem.causes == (Cause("status.podIPs", "FieldValueInvalid", "one per family"),)


def test_a_namespace_that_ends_is_not_a_lack_of_rights() -> None:
    causes = [{"reason": "NamespaceTerminating", "message": "being deleted", "field": "metadata.namespace"}]
    assert isinstance(failure("POST", POD, 403, status(causes=causes)), NamespaceTerminating)


@pytest.mark.parametrize(
    ("header", "details", "wish"),
    [
        ("5", {}, 5.0),
        (None, {"retryAfterSeconds": 2}, 2.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", {}, None),
        (None, {}, None),
    ],
)
def test_the_wish_for_a_pause_is_kept(header: str | None, details: dict[str, Any], wish: float | None) -> None:
    problem = failure("GET", POD, 429, status(**details), header)
    assert isinstance(problem, Unavailable)
    assert problem.retry_after == wish
