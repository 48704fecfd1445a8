import asyncio
import ssl

import aiohttp
import pytest
import structlog
import trustme

from tests.unit.kubelet.api import OUTAGE, Api, pem, running_pod
from vnode.kubelet.log_options import Stream

LOGS = "/containerLogs/default/shop/web"


async def test_without_certificate_and_token_nobody_is_let_in(api: Api) -> None:
    assert await api.text(LOGS) == (401, "Unauthorized")
    assert api.kubernetes.asked == []


@pytest.mark.parametrize("path", ["/", "/nowhere", "/containerLogs/default/nope/web", "/healthz", "/exec/a/b/c"])
async def test_strangers_cannot_tell_paths_or_pods_apart(api: Api, path: str) -> None:
    assert await api.text(path) == (401, "Unauthorized")
    status, text = await api.text(path, token="bobs")
    assert status == 403
    assert "404" not in text


async def test_a_token_that_the_api_server_does_not_authenticate_is_nobody(api: Api) -> None:
    assert await api.text(LOGS, token="expired") == (401, "Unauthorized")


@pytest.mark.parametrize("header", ["Basic YWxpY2U6", "Bearer", "Bearer ", "alices", ""])
async def test_other_authorization_headers_are_nobody(api: Api, header: str) -> None:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=api.trust())) as session,
        session.get(api.url + LOGS, headers={"Authorization": header}) as answer,
    ):
        assert answer.status == 401


async def test_a_user_without_rights_learns_nothing_of_the_pod(api: Api) -> None:
    status, text = await api.text(LOGS, token="bobs")
    assert (status, text) == (403, "Forbidden (user=bob, verb=get, resource=nodes, subresource(s)=[proxy])")
    assert await api.text("/containerLogs/default/nope/web", token="bobs") == (status, text)


async def test_a_user_with_rights_reads_the_log(api: Api) -> None:
    api.everything.logs["shop"].history[Stream.STDOUT] = b"hello\n"
    assert await api.text(LOGS, token="alices") == (200, "hello\n")


async def test_a_client_certificate_names_user_and_groups(api: Api, client_authority: trustme.CA) -> None:
    certificate = client_authority.issue_cert(
        "ignored.example", common_name="kube-apiserver-kubelet-client", organization_name="system:masters"
    )
    api.kubernetes.rights.add(("kube-apiserver-kubelet-client", "get", "proxy"))
    status, _ = await api.text(LOGS, client=certificate)
    assert status == 200
    assert [review["kind"] for review in api.kubernetes.asked] == ["SubjectAccessReview"]
    assert api.kubernetes.asked[0]["spec"] == {
        "user": "kube-apiserver-kubelet-client",
        "uid": "",
        "groups": ["system:masters", "system:authenticated"],
        "extra": {},
        "resourceAttributes": {
            "verb": "get",
            "version": "v1",
            "resource": "nodes",
            "subresource": "proxy",
            "name": "nomad",
        },
    }


async def test_a_certificate_comes_before_a_token(api: Api, client_authority: trustme.CA) -> None:
    certificate = client_authority.issue_cert("ignored.example", common_name="bob")
    status, text = await api.text(LOGS, client=certificate, token="alices")
    assert (status, text[:19]) == (403, "Forbidden (user=bob")


async def test_a_certificate_without_a_name_is_nobody(api: Api, client_authority: trustme.CA) -> None:
    assert await api.text(LOGS, client=client_authority.issue_cert("only.an.address")) == (401, "Unauthorized")


async def test_a_certificate_of_another_authority_breaks_the_handshake(api: Api) -> None:
    stranger = trustme.CA().issue_cert("ignored.example", common_name="alice", organization_name="system:masters")
    with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
        await api.text(LOGS, client=stranger)
    assert api.kubernetes.asked == []


async def test_tokens_are_believed_for_ten_seconds(api: Api) -> None:
    for _ in range(2):
        assert (await api.text(LOGS, token="alices"))[0] == 200
    assert len(api.kubernetes.asked) == 2
    api.kubernetes.tokens.clear()
    api.clock[0] = 9.9
    assert (await api.text(LOGS, token="alices"))[0] == 200
    api.clock[0] = 10.0
    assert (await api.text(LOGS, token="alices"))[0] == 401


@pytest.mark.parametrize(("second", "status"), [(299.9, 200), (300.0, 403)])
async def test_a_right_is_believed_for_five_minutes(api: Api, second: float, status: int) -> None:
    assert (await api.text(LOGS, token="alices"))[0] == 200
    api.kubernetes.rights.clear()
    api.clock[0] = second
    assert (await api.text(LOGS, token="alices"))[0] == status


@pytest.mark.parametrize(("second", "status"), [(29.9, 403), (30.0, 200)])
async def test_a_refusal_is_believed_for_half_a_minute(api: Api, second: float, status: int) -> None:
    assert (await api.text(LOGS, token="bobs"))[0] == 403
    api.kubernetes.rights.add(("bob", "get", "proxy"))
    api.clock[0] = second
    assert (await api.text(LOGS, token="bobs"))[0] == status


async def test_while_tokens_cannot_be_reviewed_nobody_is_let_in(api: Api) -> None:
    api.kubernetes.outage = OUTAGE
    status, text = await api.text(LOGS, token="alices")
    assert (status, text) == (503, "The Kubernetes API cannot be asked who is calling; try again.")


async def test_while_rights_cannot_be_reviewed_nobody_is_let_in(api: Api, client_authority: trustme.CA) -> None:
    api.kubernetes.outage = OUTAGE
    certificate = client_authority.issue_cert("ignored.example", common_name="alice")
    assert await api.text(LOGS, client=certificate) == (
        500,
        "Authorization error (user=alice, verb=get, resource=nodes, subresource(s)=[proxy])",
    )


@pytest.mark.parametrize(
    "path", ["/exec/default/shop/web", "/attach/default/shop/uid/web", "/portForward/default/shop", "/run/a/b/c"]
)
async def test_running_commands_needs_create_even_for_a_get(api: Api, path: str) -> None:
    api.kubernetes.rights = {("alice", "get", "proxy")}
    assert (await api.text(path, token="alices"))[0] == 403
    api.clock[0] = 30.0
    api.kubernetes.rights = {("alice", "create", "proxy")}
    assert (await api.text(path, token="alices"))[0] not in {401, 403}


async def test_a_method_without_a_verb_is_allowed_nobody(api: Api) -> None:
    assert (await api.text("/pods", token="alices", method="HEAD"))[0] == 403
    assert [review["kind"] for review in api.kubernetes.asked] == ["TokenReview"]


_FINE = {
    "/pods": "pods",
    "/runningpods/": "pods",
    "/healthz": "healthz",
    "/configz": "configz",
    "/metrics": "metrics",
    "/metrics/resource": "metrics",
    "/metrics/cadvisor": "metrics",
    "/stats/summary": "stats",
}


@pytest.mark.parametrize("right", sorted(set(_FINE.values())))
async def test_a_fine_grained_right_opens_what_it_names(api: Api, right: str) -> None:
    api.kubernetes.rights = {("bob", "get", right)}
    opened = {path for path in _FINE if (await api.text(path, token="bobs"))[0] == 200}
    assert opened == {path for path, needed in _FINE.items() if needed == right}


async def test_the_right_to_proxy_stands_in_for_the_fine_ones_but_not_for_statistics(api: Api) -> None:
    api.kubernetes.rights = {("bob", "get", "proxy")}
    opened = {path for path in _FINE if (await api.text(path, token="bobs"))[0] == 200}
    assert opened == {"/pods", "/runningpods/", "/healthz", "/configz"}


async def test_the_client_authority_can_be_replaced(api: Api, client_authority: trustme.CA) -> None:
    old, new = client_authority.issue_cert("x.example", common_name="alice"), trustme.CA()
    assert (await api.text(LOGS, client=old))[0] == 200
    api.authority.pem = pem(new)
    await api.server.refresh()
    assert (await api.text(LOGS, client=new.issue_cert("x.example", common_name="alice")))[0] == 200
    with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
        await api.text(LOGS, client=old)


async def test_an_authority_that_cannot_be_read_stays_as_it_was(api: Api, client_authority: trustme.CA) -> None:
    api.authority.outage = OUTAGE
    await api.server.refresh()
    assert (await api.text(LOGS, client=client_authority.issue_cert("x.example", common_name="alice")))[0] == 200


async def test_without_an_authority_a_certificate_is_not_asked_for(api: Api, client_authority: trustme.CA) -> None:
    api.authority.pem = ""
    await api.server.refresh()
    certificate = client_authority.issue_cert("x.example", common_name="alice")
    assert (await api.text(LOGS, client=certificate))[0] == 401
    assert (await api.text(LOGS, token="alices"))[0] == 200


async def test_malformed_requests_learn_no_versions(api: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.server.port, ssl=api.trust())
    writer.write(b"GET / HTTP/9.9\r\nhost\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b"400 Bad Request" in answer
    assert b"Server: vnode\r\n" in answer
    assert b"aiohttp" not in answer


async def test_answers_tell_no_versions(api: Api) -> None:
    for path, token in (("/pods", "alices"), ("/nowhere", "alices"), ("/pods", None)):
        async with api.get(path, token=token) as answer:
            assert answer.headers["Server"] == "vnode"


async def test_the_pods_of_an_allowed_caller_are_real(api: Api) -> None:
    """The other side of the tests above: 403 and 401 are not all that there is."""
    api.everything.known["other"] = running_pod("other")
    status, text = await api.text("/pods", token="alices")
    assert status == 200
    assert '"name":"other"' in text


async def test_requests_are_logged_without_query_and_token(api: Api) -> None:
    with structlog.testing.capture_logs() as logged:
        await api.text(LOGS + "?command=swordfish", token="alices")
        await api.text(LOGS)
    lines = [entry for entry in logged if entry["event"] == "kubelet API"]
    assert [(line["log_level"], line["path"], line["status"], line["caller"]) for line in lines] == [
        ("debug", LOGS, 200, "alice"),
        ("debug", LOGS, 401, None),
    ]
    assert "swordfish" not in str(logged)
    assert "alices" not in str(logged)
