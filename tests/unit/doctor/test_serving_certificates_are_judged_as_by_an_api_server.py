"""Real certificates, a handshake in memory."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from vnode.doctor.problems import Problem, Status
from vnode.doctor.serving import examine
from vnode.kubelet.certificate import self_signed

ADDRESS = "192.0.2.10"
Issue = Callable[..., tuple[Path, Path]]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def cluster(authority: trustme.CA) -> list[str]:
    return [authority.cert_pem.bytes().decode()]


@pytest.fixture
def issue(authority: trustme.CA, tmp_path: Path) -> Issue:
    def issue(*names: str, name: str = "one", expires: datetime | None = None) -> tuple[Path, Path]:
        pair = authority.issue_cert(*names, not_after=expires)
        certificate, key = tmp_path / f"{name}.crt", tmp_path / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
        key.write_bytes(pair.private_key_pem.bytes())
        return certificate, key

    return issue


def test_one_that_the_cluster_signed(issue: Issue, cluster: list[str]) -> None:
    assert examine(*issue(ADDRESS), ADDRESS, cluster).status is Status.OK


def test_one_authority_of_several_is_enough(issue: Issue, cluster: list[str]) -> None:
    others = [trustme.CA().cert_pem.bytes().decode(), "no certificate", *cluster]
    assert examine(*issue(ADDRESS), ADDRESS, others).status is Status.OK


def test_none() -> None:
    finding = examine(None, None, ADDRESS, [])
    assert (finding.problem, finding.status) == (Problem.SERVING_SELF_SIGNED, Status.WARNING)


def test_a_certificate_without_its_key(issue: Issue, cluster: list[str]) -> None:
    finding = examine(issue(ADDRESS)[0], None, ADDRESS, cluster)
    assert (finding.problem, finding.found) == (Problem.SERVING_FILES, "--kubelet-key is not set")


def test_the_key_of_another_certificate(issue: Issue, cluster: list[str]) -> None:
    finding = examine(issue(ADDRESS)[0], issue(ADDRESS, name="two")[1], ADDRESS, cluster)
    assert finding.problem is Problem.SERVING_FILES
    assert "key values mismatch" in finding.found


def test_a_file_that_is_not_there(issue: Issue, cluster: list[str]) -> None:
    finding = examine(Path("/nowhere.crt"), issue(ADDRESS)[1], ADDRESS, cluster)
    assert finding.problem is Problem.SERVING_FILES
    assert "No such file" in finding.found


def test_a_key_with_a_password_asks_nobody(issue: Issue, cluster: list[str]) -> None:
    certificate, key = issue(ADDRESS)
    private = load_pem_private_key(key.read_bytes(), None)
    locked = BestAvailableEncryption(b"secret")
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    assert examine(certificate, key, ADDRESS, cluster).problem is Problem.SERVING_FILES


def test_for_another_address(issue: Issue, cluster: list[str]) -> None:
    finding = examine(*issue("192.0.2.99", "node.example"), ADDRESS, cluster)
    assert finding.problem is Problem.SERVING_NAME
    assert ADDRESS in finding.advice


def test_expired(issue: Issue, cluster: list[str]) -> None:
    finding = examine(*issue(ADDRESS, expires=datetime(2020, 1, 1, tzinfo=UTC)), ADDRESS, cluster)
    assert (finding.problem, finding.fails) == (Problem.SERVING_EXPIRED, True)


def test_of_another_authority(issue: Issue) -> None:
    finding = examine(*issue(ADDRESS), ADDRESS, [trustme.CA().cert_pem.bytes().decode()])
    assert (finding.problem, finding.status) == (Problem.SERVING_UNTRUSTED, Status.WARNING)


def test_self_signed_by_hand(tmp_path: Path, cluster: list[str]) -> None:
    made = self_signed("nomad", [ADDRESS], datetime.now(UTC))
    certificate, key = tmp_path / "own.crt", tmp_path / "own.key"
    certificate.write_bytes(made.chain)
    key.write_bytes(made.key)
    assert examine(certificate, key, ADDRESS, cluster).problem is Problem.SERVING_UNTRUSTED


def test_nothing_is_claimed_when_the_cluster_could_not_be_asked(issue: Issue) -> None:
    assert examine(*issue(ADDRESS), ADDRESS, None).status is Status.SKIPPED
    assert examine(*issue("192.0.2.99"), ADDRESS, None).problem is Problem.SERVING_NAME
