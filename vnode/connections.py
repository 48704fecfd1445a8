"""From settings to connections: the two peers of a command, or a sentence about what keeps us from them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from vnode.errors import Denied
from vnode.fence import OPEN, Fence
from vnode.kube.connection import Connection
from vnode.kube.connection import connect as connect_kubernetes
from vnode.nomad.settings import NomadSettings
from vnode.nomad.transport import Transport
from vnode.nomad.transport import connect as connect_nomad
from vnode.settings import Settings


class StartError(Exception):
    """What keeps a command from its work and only a person can change, as a sentence."""


@asynccontextmanager
async def connections(settings: Settings, fence: Fence = OPEN) -> AsyncIterator[tuple[Connection, Transport]]:
    """Both peers, with writes behind a fence; nothing is asked of them yet.

    Raises:
        StartError: when files or credentials cannot be used.
    """
    kubeconfig = str(settings.kubeconfig) if settings.kubeconfig else None
    async with AsyncExitStack() as stack:
        try:
            kubernetes = await stack.enter_async_context(connect_kubernetes(kubeconfig, fence=fence))
        except Denied as error:
            raise StartError(f"--kubeconfig: {error}") from error
        try:
            transport = await stack.enter_async_context(connect_nomad(nomad_settings(settings), fence=fence))
            await stack.enter_async_context(policy_writer(settings))
        except (OSError, ValueError) as error:
            raise StartError(f"Nomad's address, certificates or token cannot be used: {error}") from error
        yield kubernetes, transport


@asynccontextmanager
async def policy_writer(settings: Settings, fence: Fence = OPEN) -> AsyncIterator[Transport | None]:
    """Nomad by the token for policies; None where there is none."""
    if settings.nomad_policy_token_file is None:
        yield None
        return
    ours = replace(nomad_settings(settings), token="", token_file=settings.nomad_policy_token_file)
    async with connect_nomad(ours, fence=fence) as transport:
        yield transport


def nomad_settings(settings: Settings) -> NomadSettings:
    """The part of the settings that is about Nomad's API; a token file beats a token.

    Raises:
        ValueError: with a sentence about what is wrong.
    """
    return NomadSettings(
        addresses=settings.nomad_address,
        token="" if settings.nomad_token_file else settings.nomad_token.get_secret_value(),
        token_file=settings.nomad_token_file,
        region=settings.nomad_region,
        ca_cert=settings.nomad_ca_cert,
        client_cert=settings.nomad_client_cert,
        client_key=settings.nomad_client_key,
        tls_server_name=settings.nomad_tls_server_name,
        streams=settings.nomad_streams,
    )
