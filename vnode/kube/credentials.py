"""Who we are to the API server, kept fresh.

kubernetes_asyncio reads kubeconfigs, ServiceAccounts and exec plugins. Nothing here logs a body or a header.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import ConfigException, load_incluster_config, load_kube_config
from yaml import YAMLError

from vnode.errors import Denied

_log = structlog.get_logger(__name__)

_RENEW_SECONDS = 60.0
_RENEW_AFTER_401_SECONDS = 10.0
_PLUGIN_MESSAGE_LIMIT = 300
# How the library says that a kubeconfig is malformed.
_MALFORMED = (ConfigException, OSError, YAMLError, AssertionError, AttributeError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class _Files:
    """The files that TLS was set up from, with the times of their last change."""

    paths: tuple[str | None, ...]
    changed: tuple[float, ...]


class Credentials:
    """Where the API server is and who we are to it, kept fresh: tokens, exec plugins and certificates all rotate."""

    def __init__(self, kubeconfig: str | None, context: str | None, clock: Callable[[], float]) -> None:
        """From a kubeconfig (a path, or several joined as in `KUBECONFIG`), or the ServiceAccount of our own Pod."""
        self._kubeconfig = kubeconfig
        self._context = context
        self._clock = clock
        self._configuration = Configuration()
        self._loader: Any = None
        self._read_at: tuple[float, ...] = ()
        self._files: _Files | None = None
        self._renew_at = 0.0
        self._loaded_at = 0.0
        self.tls: ssl.SSLContext | bool = True

    async def load(self) -> None:
        """Read everything for the first time; raises Denied, in words that hold no secret."""
        try:
            await self._read()
            if self.host.startswith("https:"):
                self.tls = self._tls()
        except _MALFORMED as problem:
            raise Denied(f"no credentials for Kubernetes: {_harmless(problem)}") from None

    @property
    def host(self) -> str:
        """The API server's base URL."""
        return str(self._configuration.host)

    @property
    def options(self) -> dict[str, Any]:
        """What each request needs to know besides its own matter."""
        options: dict[str, Any] = {"allow_redirects": False}
        if self._configuration.proxy:
            options["proxy"] = self._configuration.proxy
        if self._configuration.tls_server_name:
            options["server_hostname"] = self._configuration.tls_server_name
        return options

    async def authorization(self) -> str:
        """The value of the Authorization header, "" for none; files are looked at once a minute."""
        try:
            if self._clock() >= self._renew_at:
                # Set first: whoever asks while a slow plugin runs goes on with what there is.
                self._renew_at = self._clock() + _RENEW_SECONDS
                await self._renew()
            hook: Any = self._configuration.refresh_api_key_hook
            if hook is not None:
                hook(self._configuration)
        except _MALFORMED as problem:
            _log.warning("the credentials for Kubernetes were not renewed", problem=_harmless(problem))
        return str(self._configuration.api_key.get("BearerToken", "")).strip()

    def refused(self) -> None:
        """The server said 401: read everything anew before the next request, but do not run a plugin in a loop."""
        if self._clock() - self._loaded_at >= _RENEW_AFTER_401_SECONDS:
            self._loader = None
            self._renew_at = 0.0

    async def _renew(self) -> None:
        if self._loader is None or self._read_at != self._kubeconfig_times():
            await self._read()
        elif not self._plugin_without_expiry():
            await self._loader.load_and_set(self._configuration)
        if isinstance(self.tls, ssl.SSLContext):
            self._load_files(self.tls)

    async def _read(self) -> None:
        self._loaded_at = self._clock()
        self._renew_at = self._loaded_at + _RENEW_SECONDS
        if self._kubeconfig is None:
            load_incluster_config(client_configuration=self._configuration)  # type: ignore[no-untyped-call]
            self._loader = _InCluster()
            return
        self._read_at = self._kubeconfig_times()
        if not self._read_at:
            raise FileNotFoundError(f"there is no kubeconfig {self._kubeconfig}")
        # persist_config: a user's kubeconfig is not ours to write.
        self._loader = await load_kube_config(
            config_file=self._kubeconfig,
            context=self._context,
            client_configuration=self._configuration,
            persist_config=False,
        )

    def _kubeconfig_times(self) -> tuple[float, ...]:
        paths = [Path(part).expanduser() for part in (self._kubeconfig or "").split(":") if part]
        return tuple(path.stat().st_mtime for path in paths if path.exists())

    def _plugin_without_expiry(self) -> bool:
        # As client-go: what comes without an expiry is used until the server refuses it.
        user = self._loader._user  # noqa: SLF001 - the library's own refresh_token asks it the same way
        return user is not None and "exec" in user and not hasattr(self._loader, "exec_plugin_expiry")

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._configuration.ssl_ca_cert)
        # Go, which made the cluster's certificates, does not ask for the extensions that this flag demands.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not self._configuration.verify_ssl:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._load_files(context)
        return context

    def _load_files(self, context: ssl.SSLContext) -> None:
        """Load rotated certificates into the context in use; connections made from now on show them."""
        configuration = self._configuration
        paths = (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)
        files = _Files(paths, tuple(Path(path).stat().st_mtime for path in paths if path))
        if files == self._files:
            return
        if configuration.ssl_ca_cert:
            context.load_verify_locations(configuration.ssl_ca_cert)
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
        self._files = files


class _InCluster:
    """Stands for a loader where a hook re-reads the token's file by itself."""

    _user = None

    async def load_and_set(self, configuration: Configuration) -> None:
        """Nothing to do: the hook does it."""


def _harmless(problem: Exception) -> str:
    """What went wrong, without the kubeconfig entry, token included, that the library appends in braces."""
    text = str(problem).partition("{")[0][:_PLUGIN_MESSAGE_LIMIT]
    return text if text and isinstance(problem, ConfigException | OSError) else type(problem).__name__
