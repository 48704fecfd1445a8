import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from vnode.errors import Denied, PeerError
from vnode.kube.certificates import NotSigned
from vnode.kubelet.certificate import Certificate
from vnode.kubelet.signed_certificate import SignedCertificate
from vnode.kubelet.tls import TlsMaterial

BEGAN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
STAND_IN = Certificate(b"nobody's", b"key")
YEAR = timedelta(days=365)


@dataclass
class Scene:
    """A signer that approves at once, unless `refusals` are left, and clocks that only sleeping moves.

    `wrong` is by how much our time of day is wrong.
    """

    lifetime: timedelta = YEAR
    refusals: list[PeerError] = field(default_factory=list)
    random: float = 0.5
    at: datetime = BEGAN
    wrong: timedelta = timedelta()
    asked: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    requests: list[x509.CertificateSigningRequest] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    renewals: list[datetime] = field(default_factory=list)
    other_key: bool = False
    approves: asyncio.Event = field(default_factory=asyncio.Event)
    waits: asyncio.Event = field(default_factory=asyncio.Event)
    told: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        self.approves.set()
        self.certificate = SignedCertificate(
            "nomad",
            ["10.0.0.7"],
            self,
            self,
            now=lambda: self.at + self.wrong,
            steady=self.steady,
            random=lambda: self.random,
            sleep=self.sleep,
        )

    def steady(self) -> float:
        return (self.at - BEGAN).total_seconds()

    async def current(self) -> Certificate:
        return STAND_IN

    async def create(self, prefix: str, signer: str, usages: Sequence[str], request: bytes) -> str:
        if self.refusals:
            raise self.refusals.pop(0)
        self.asked.append((prefix, signer, tuple(usages)))
        self.requests.append(x509.load_pem_x509_csr(request))
        self.waits.set()
        return f"{prefix}{len(self.asked)}"

    async def result(self, name: str) -> bytes:
        assert name == f"nomad-serving-{len(self.asked)}"
        await self.approves.wait()
        return _signed(self.requests[-1], self.at, self.lifetime, other_key=self.other_key)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.waits.set()
        self.at += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    async def renewed(self) -> None:
        self.renewals.append(self.at)
        async with self.told:
            self.told.notify_all()

    async def until(self, renewals: int) -> None:
        async with self.running(), self.told:
            await self.told.wait_for(lambda: len(self.renewals) >= renewals)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(self.certificate.run(self.renewed))
            yield
            running.cancel()


def _signed(request: x509.CertificateSigningRequest, at: datetime, lifetime: timedelta, *, other_key: bool) -> bytes:
    """Dated back by five minutes, as the cluster's signer does."""
    authority = ec.generate_private_key(ec.SECP256R1())
    key: Any = authority.public_key() if other_key else request.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
        .public_key(key)
        .serial_number(1)
        .not_valid_before(at - timedelta(minutes=5))
        .not_valid_after(at + lifetime)
        .sign(authority, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


async def test_the_request_is_one_that_the_signer_for_kubelets_takes() -> None:
    scene = Scene()
    await scene.until(1)
    assert scene.asked == [("nomad-serving-", "kubernetes.io/kubelet-serving", ("digital signature", "server auth"))]
    (request,) = scene.requests
    assert request.subject.rfc4514_string() == "CN=system:node:nomad,O=system:nodes"
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each.value) for each in names] == ["10.0.0.7"]


async def test_what_was_signed_is_served() -> None:
    scene = Scene()
    await scene.until(1)
    served = await scene.certificate.current()
    assert served != STAND_IN
    assert TlsMaterial(served, "").context()


async def test_until_the_approval_something_stands_in_and_the_way_out_is_said() -> None:
    scene = Scene()
    scene.approves.clear()
    with structlog.testing.capture_logs() as logged:
        async with scene.running():
            await scene.waits.wait()
            assert await scene.certificate.current() is STAND_IN
    assert [(line["log_level"], line.get("approve")) for line in logged] == [
        ("warning", "kubectl certificate approve nomad-serving-1")
    ]


@pytest.mark.parametrize(("random", "days"), [(0.0, 7), (1.0, 9)])
async def test_it_is_renewed_after_most_of_its_life_with_a_new_key(random: float, days: int) -> None:
    scene = Scene(lifetime=timedelta(days=10), random=random)
    await scene.until(2)
    assert scene.renewals[1] - scene.renewals[0] == timedelta(days=days)
    assert scene.requests[0].public_key() != scene.requests[1].public_key()


async def test_a_sleep_of_the_machine_is_noticed_within_the_hour() -> None:
    scene = Scene()
    await scene.until(1)
    assert max(scene.slept, default=0) <= 3600


@pytest.mark.parametrize("wrong", [-2 * YEAR, -timedelta(hours=9), timedelta(hours=9), 2 * YEAR])
async def test_a_wrong_clock_neither_ends_a_life_nor_prolongs_it(wrong: timedelta) -> None:
    """An approver is asked for nothing in between, for each request may be a person's work."""
    scene = Scene(lifetime=timedelta(hours=10), wrong=wrong)
    await scene.until(2)
    assert timedelta(hours=8) <= scene.renewals[1] - scene.renewals[0] <= timedelta(hours=8.1)


@pytest.mark.parametrize("step", [-timedelta(hours=9), 2 * YEAR])
async def test_a_clock_that_is_set_changes_nothing(step: timedelta) -> None:
    scene = Scene(lifetime=timedelta(hours=10))
    async with scene.running(), scene.told:
        await scene.told.wait_for(lambda: len(scene.renewals) == 1)
        served = await scene.certificate.current()
        scene.wrong = step
        assert await scene.certificate.current() is served
        await scene.told.wait_for(lambda: len(scene.renewals) == 2)
    assert scene.renewals[1] - scene.renewals[0] == timedelta(hours=8)


async def test_what_has_ended_when_it_comes_is_not_asked_for_in_a_hurry() -> None:
    scene = Scene(lifetime=-timedelta(minutes=1))
    async with scene.running():
        await scene.waits.wait()
        scene.waits.clear()
        await scene.waits.wait()
    assert scene.slept[0] == 10
    assert scene.renewals == []


async def test_a_short_life_is_not_over_before_it_began() -> None:
    scene = Scene(lifetime=timedelta(seconds=20))
    await scene.until(3)
    assert [later - earlier for earlier, later in zip(scene.renewals, scene.renewals[1:], strict=False)] == [
        timedelta(seconds=16)
    ] * 2


async def test_after_its_end_something_stands_in_again() -> None:
    scene = Scene()
    await scene.until(1)
    scene.at = BEGAN + YEAR - timedelta(seconds=1)
    assert await scene.certificate.current() != STAND_IN
    scene.at = BEGAN + YEAR
    assert await scene.certificate.current() is STAND_IN


async def test_a_refusal_is_said_and_asked_again_ever_more_slowly() -> None:
    denied = NotSigned("nomad-serving-1: Denied: KubectlDeny")
    scene = Scene(refusals=[denied, Denied("403"), *[denied] * 7])
    with structlog.testing.capture_logs() as logged:
        await scene.until(1)
    assert scene.slept[:9] == [10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert str(denied) in [line.get("error") for line in logged]


async def test_a_certificate_for_another_key_is_not_served() -> None:
    scene = Scene(other_key=True)
    async with scene.running():
        await scene.waits.wait()
        scene.waits.clear()
        await scene.waits.wait()
        assert await scene.certificate.current() is STAND_IN
        assert scene.renewals == []
