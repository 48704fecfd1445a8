"""The addresses of Nomad, each for itself: a run uses one that answers, and needs the others when it fails."""

import asyncio
import ipaddress
import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vnode.doctor import tls
from vnode.doctor.door import Answer, Door
from vnode.doctor.findings import Finding, fine, trouble
from vnode.doctor.problems import Problem, Status
from vnode.doctor.tls import TlsTrouble
from vnode.nomad.settings import NomadSettings

_TLS_ON_PLAIN = "HTTP request to an HTTPS server"


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of knocking at one address; `answer` is None when nobody let us in."""

    door: Door
    findings: tuple[Finding, ...]
    answer: Answer | None = None


async def examine(settings: NomadSettings, context: ssl.SSLContext) -> tuple[Visit, ...]:
    """Knock everywhere, at the same time; the order is that of the settings."""
    doors = [Door(address, settings.tls_server_name) for address in settings.addresses]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_visit(door, settings, context)) for door in doors]
    visits = [task.result() for task in tasks]
    if not any(visit.answer for visit in visits):
        return tuple(visits)
    return tuple(replace(visit, findings=tuple(map(_bearable, visit.findings))) for visit in visits)


async def _visit(door: Door, settings: NomadSettings, context: ssl.SSLContext) -> Visit:
    try:
        answer = await door.knock(context)
    except (OSError, ValueError) as error:  # TimeoutError and ssl.SSLError are OSErrors
        return Visit(door, (diagnosis(door, settings, error),))
    if _TLS_ON_PLAIN in answer.body:
        return Visit(door, (_wrong_scheme(door, "it speaks TLS"),))
    return Visit(door, (fine(_checked(door), "answers"), *clear_text(door)), answer)


def diagnosis(door: Door, settings: NomadSettings, error: OSError | ValueError) -> Finding:
    """Why nobody let us in, and which setting opens."""
    checked = _checked(door)
    if isinstance(error, ssl.SSLError):
        return _tls_diagnosis(door, settings, error)
    if isinstance(error, ConnectionResetError) and door.encrypted and not settings.client_cert:
        return trouble(Problem.NOMAD_CLIENT_CERT, checked, f"{_words(error)}; no certificate was shown")
    return trouble(Problem.NOMAD_ADDRESS, checked, _words(error))


def _tls_diagnosis(door: Door, settings: NomadSettings, error: ssl.SSLError) -> Finding:
    checked, said = _checked(door), tls.said(error)
    match tls.judge(error):
        case TlsTrouble.NAME:
            name = f"server.{settings.region or 'global'}.nomad"
            return trouble(Problem.NOMAD_TLS_NAME, checked, said, name=name)
        case TlsTrouble.AUTHORITY:
            trusted = f"--nomad-ca-cert {settings.ca_cert}" if settings.ca_cert else "the system's authorities"
            return trouble(Problem.NOMAD_CA, checked, f"{said} (trusted: {trusted})")
        case TlsTrouble.TIME:
            return trouble(Problem.NOMAD_CERTIFICATE_EXPIRED, checked, said)
        case TlsTrouble.CLIENT_CERTIFICATE:
            shown = f"{settings.client_cert} was shown" if settings.client_cert else "none was shown"
            return trouble(Problem.NOMAD_CLIENT_CERT, checked, f"{said}; {shown}")
        case TlsTrouble.NO_TLS:
            return _wrong_scheme(door, "it does not speak TLS")
        case TlsTrouble.OTHER:
            return trouble(Problem.NOMAD_ADDRESS, checked, f"TLS: {said}")


def _wrong_scheme(door: Door, found: str) -> Finding:
    rest = door.address.partition("://")[2]
    address = f"http://{rest}" if door.encrypted else f"https://{rest}"
    return trouble(Problem.NOMAD_SCHEME, _checked(door), found, address=address)


def clear_text(door: Door) -> Sequence[Finding]:
    """Whether others can read along: not within one machine."""
    if door.encrypted or _is_loopback(door.host):
        return ()
    return (trouble(Problem.NOMAD_CLEAR_TEXT, _checked(door), "no TLS on the way to another machine"),)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bearable(finding: Finding) -> Finding:
    return replace(finding, status=Status.WARNING) if finding.fails else finding


def _checked(door: Door) -> str:
    return f"Nomad at {door.address}"


def _words(error: OSError | ValueError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    # Names that are not known have numbers of their own.
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
