"""Probes of a container, as the Kubernetes API serves them.

Source of names, shapes and defaults: kubernetes/api core/v1/types.go, Probe and ProbeHandler.
"""

from enum import StrEnum

from pydantic.dataclasses import dataclass

from translators.records.base import KUBERNETES, Many, Text


class ProbeKind(StrEnum):
    """What a probe is for; the values are a kubelet's words in its Events (pkg/kubelet/prober, probeType.String)."""

    LIVENESS = "Liveness"
    READINESS = "Readiness"
    STARTUP = "Startup"


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class ExecAction:
    """A command in the container; exit code 0 is success."""

    command: Many[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class HttpHeader:
    """A header of a request; one name may come several times."""

    name: str
    value: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class HttpGetAction:
    """A GET request; a status from 200 to 399 is success. `port` is a number or the name of a port."""

    port: int | str
    path: Text = ""
    host: Text = ""
    scheme: Text = "HTTP"
    http_headers: Many[HttpHeader] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class TcpSocketAction:
    """A connection; that it comes about is success. `port` is a number or the name of a port."""

    port: int | str
    host: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class GrpcAction:
    """A call of grpc.health.v1.Health/Check, without TLS; SERVING is success."""

    port: int
    service: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=KUBERNETES)
class Probe:
    """What is asked of a container, how often, and how many answers in a row count; times in seconds."""

    exec: ExecAction | None = None
    http_get: HttpGetAction | None = None
    tcp_socket: TcpSocketAction | None = None
    grpc: GrpcAction | None = None
    initial_delay_seconds: int = 0
    timeout_seconds: int = 1
    period_seconds: int = 10
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None

    @property
    def port(self) -> int | str | None:
        """The port that it asks at; None for a command."""
        action = self.http_get or self.tcp_socket or self.grpc
        return None if action is None else action.port
