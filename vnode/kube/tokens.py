"""Tokens of ServiceAccounts, bound to a Pod: they die with it.

Source: kubernetes authentication/v1 TokenRequest, pkg/kubelet/token/token_manager.go.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import quote

from translators.material import Token, TokenNeed
from translators.records.pods import Pod
from vnode.errors import Unavailable
from vnode.kube.api import Requests, decode_object, encode

_DEFAULT_ACCOUNT = "default"


class TokenRequester:
    """Asks for tokens on behalf of Pods."""

    def __init__(self, connection: Requests, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    async def request(self, pod: Pod, need: TokenNeed) -> Token:
        """A token for a Pod, with the audience and the life that it asks for.

        Its life counts from when it came: by a clock that is wrong, the end that it names may be over, or far too late.
        Raises NotFound when the ServiceAccount or the Pod is gone, Conflict when another Pod bears its name, and the
        other kinds of `vnode.errors`; no text of theirs holds a token.
        """
        account = quote(pod.spec.service_account_name or _DEFAULT_ACCOUNT, safe="")
        namespace = quote(pod.metadata.namespace, safe="")
        spec = {
            "expirationSeconds": need.expiration_seconds,
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod.metadata.name, "uid": pod.metadata.uid},
            **({"audiences": [need.audience]} if need.audience else {}),
        }
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        answer = decode_object(await self._connection.request("POST", path, body=encode(body)))
        try:
            life = timedelta(seconds=int(answer["spec"]["expirationSeconds"]))
            received = self._now()
            return Token(str(answer["status"]["token"]), received, received + life)
        except (KeyError, TypeError, ValueError):
            raise Unavailable("the API server's answer to a TokenRequest is not understood") from None
