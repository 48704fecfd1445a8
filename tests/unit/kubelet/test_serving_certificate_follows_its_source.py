import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
import structlog
import trustme
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.unit.kubelet.api import OUTAGE, Api, Authority, running_api, served_by
from vnode.kubelet.certificate import Certificate, FileCertificate, SelfSignedCertificate
from vnode.kubelet.client_authority import ClusterAuthority, FileAuthority
from vnode.kubelet.tls import TlsMaterial, TlsSource

NOW = datetime(2026, 11, 23, tzinfo=UTC)


async def test_a_renewed_certificate_serves_new_connections_and_keeps_old_ones(api: Api) -> None:
    renewed = trustme.CA()
    connector = aiohttp.TCPConnector(ssl=api.trust())
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.get(api.url + "/pods") as answer:
            await answer.read()
        api.serving.certificate = served_by(renewed)
        await api.server.refresh()
        async with session.get(api.url + "/pods") as answer:
            assert answer.status == 401
    assert (await api.text("/pods", authority=renewed))[0] == 401
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await api.text("/pods")


async def test_the_server_tells_when_its_certificate_ends(api: Api) -> None:
    before = api.server.certificate_ends
    assert before == x509.load_pem_x509_certificates(api.serving.certificate.chain)[0].not_valid_after_utc.timestamp()
    api.serving.certificate = await SelfSignedCertificate("nomad", ["127.0.0.1"], lambda: NOW).current()
    await api.server.refresh()
    assert api.server.certificate_ends == (NOW + timedelta(days=365)).timestamp()


async def test_an_unusable_certificate_is_not_taken_over(api: Api) -> None:
    good = api.serving.certificate
    for bad in (Certificate(b"", b""), Certificate(good.chain, served_by(trustme.CA()).key)):
        api.serving.certificate = bad
        with structlog.testing.capture_logs() as logged:
            await api.server.refresh()
        assert [entry["log_level"] for entry in logged] == ["warning"]
        assert (await api.text("/pods"))[0] == 401


async def test_the_server_looks_for_new_certificates_by_itself(
    serving_authority: trustme.CA, client_authority: trustme.CA
) -> None:
    renewed = trustme.CA()
    async with (
        running_api(serving=serving_authority, clients=client_authority, refreshed_every=0.001) as api,
        asyncio.TaskGroup() as group,
    ):
        api.serving.certificate = served_by(renewed)
        api.serving.asked.clear()
        looking = group.create_task(api.server.run())
        for _ in range(2):
            await api.serving.asked.wait()
            api.serving.asked.clear()
        looking.cancel()
        assert (await api.text("/pods", authority=renewed))[0] == 401


async def test_an_authority_that_could_not_be_read_is_incomplete() -> None:
    authority = Authority("", outage=OUTAGE)
    source = TlsSource(SelfSignedCertificate("nomad", ["10.0.0.7"], lambda: NOW), authority)
    assert (await source.current()).client_authority == ""
    assert not source.complete
    authority.outage, authority.pem = None, "pem"
    assert (await source.current()).client_authority == "pem"
    assert source.complete


async def test_nothing_new_changes_nothing(api: Api) -> None:
    with structlog.testing.capture_logs() as logged:
        await api.server.refresh()
    assert logged == []


async def test_files_are_read_again(tmp_path: Path) -> None:
    chain, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    source = FileCertificate(chain, key)
    for expected in (Certificate(b"one", b"1"), Certificate(b"two", b"2")):
        await asyncio.to_thread(chain.write_bytes, expected.chain)
        await asyncio.to_thread(key.write_bytes, expected.key)
        assert await source.current() == expected


async def test_a_missing_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await TlsSource(FileCertificate(tmp_path / "a", tmp_path / "b"), Authority("")).current()


async def test_a_self_signed_certificate_names_node_and_addresses_and_is_said_loudly() -> None:
    source = SelfSignedCertificate("nomad", ["10.0.0.7", "fd00::1", "node.example.com"], lambda: NOW)
    with structlog.testing.capture_logs() as logged:
        certificate = await source.current()
        assert await source.current() is certificate
    assert [(entry["log_level"], "SELF-SIGNED" in entry["event"]) for entry in logged] == [("warning", True)]
    parsed = x509.load_pem_x509_certificate(certificate.chain)
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.7", "fd00::1"]
    assert names.get_values_for_type(x509.DNSName) == ["node.example.com"]
    assert parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:node:nomad"
    assert TlsMaterial(certificate, "").context().minimum_version is ssl.TLSVersion.TLSv1_2


async def test_a_self_signed_certificate_is_renewed_before_it_expires() -> None:
    times = [NOW]
    source = SelfSignedCertificate("nomad", ["10.0.0.7"], lambda: times[0])
    first = await source.current()
    times[0] = NOW + timedelta(days=304)
    assert await source.current() is first
    times[0] = NOW + timedelta(days=305)
    assert await source.current() != first


def test_a_key_is_not_shown() -> None:
    assert "secret" not in repr(TlsMaterial(Certificate(b"chain", b"secret"), ""))


class Watched:
    """The ConfigMap of the API server, as a read and as a watch show it."""

    def __init__(self, *authorities: str) -> None:
        self.first, *self.later = authorities
        self.asked: list[str] = []
        self.read = asyncio.Event()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "",
        within: float = 60.0,
    ) -> bytes:
        assert (method, body) == ("GET", None), (content_type, within)
        self.asked.append(path)
        found = {"data": {"client-ca-file": self.first}}
        return json.dumps({"metadata": {"resourceVersion": "1"}, "items": [found]} if query else found).encode()

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        assert query["fieldSelector"] == "metadata.name=extension-apiserver-authentication", path
        for text in self.later:
            changed = {"metadata": {"resourceVersion": "2"}, "data": {"client-ca-file": text}}
            yield json.dumps({"type": "MODIFIED", "object": changed}).encode()
        self.read.set()
        await asyncio.Event().wait()


async def test_the_clusters_authority_is_asked_for_once_and_then_watched() -> None:
    kubernetes = Watched("old", "new")
    authority = ClusterAuthority(kubernetes, lambda: 0.0, lambda: 0.0)
    assert [await authority.current(), await authority.current()] == ["old", "old"]
    assert len(kubernetes.asked) == 1
    following = asyncio.create_task(authority.run())
    async with asyncio.timeout(5):
        await kubernetes.read.wait()
    assert await authority.current() == "new"
    following.cancel()


async def test_an_authority_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "ca.crt"
    for expected in ("one", "two"):
        await asyncio.to_thread(path.write_text, expected)
        assert await FileAuthority(path).current() == expected
