"""How a request leaves HTTP: what both sides speak is agreed upon before anything is sent.

Source of statuses and texts: kubernetes staging/src/k8s.io/streaming/pkg/httpstream (httpstream.go, spdy/upgrade.go,
wsstream/conn.go).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import hdrs, web

from vnode.streaming.websocket.handshake import accept

_SPDY = "SPDY/3.1"
_PROTOCOL = "X-Stream-Protocol-Version"
_ACCEPTED = "X-Accepted-Stream-Protocol-Versions"


class UpgradeRefused(Exception):
    """The request asks for no streams that we speak; answer with `response`. Nothing was sent yet."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers or {}

    @property
    def response(self) -> web.Response:
        """The answer, in the words of a kubelet."""
        return web.Response(status=self.status, text=str(self), headers=self.headers)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is spoken from now on; `protocol` is empty where a WebSocket client named none."""

    websocket: bool
    protocol: str
    headers: dict[str, str]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Send the 101. Raises ConnectionError when the client has gone."""
        response = web.StreamResponse(status=101, headers={hdrs.CONNECTION: "Upgrade", **self.headers})
        await response.prepare(request)
        response.force_close()
        return response


def agree(request: web.Request, *, spdy: Sequence[str], websocket: Sequence[str]) -> Agreement:
    """Choose the first protocol of the client that is among ours. Raises UpgradeRefused."""
    upgrade = request.headers.get(hdrs.UPGRADE, "").strip().lower()
    if upgrade == "websocket":
        return _agree_websocket(request, websocket)
    return _agree_spdy(request, upgrade, spdy)


def _agree_spdy(request: web.Request, upgrade: str, ours: Sequence[str]) -> Agreement:
    theirs = _listed(request, _PROTOCOL)
    if not theirs:
        what = "contains no valid protocols" if _PROTOCOL in request.headers else "does not exist in request"
        raise UpgradeRefused(400, f"unable to upgrade: header {_PROTOCOL} {what}")
    chosen = next((protocol for protocol in theirs if protocol in ours), None)
    if chosen is None:
        text = (
            f"unable to upgrade: unable to negotiate protocol: client supports [{' '.join(theirs)}],"
            f" server accepts [{' '.join(ours)}]"
        )
        raise UpgradeRefused(403, text, {_ACCEPTED: ", ".join(ours)})
    if _SPDY.lower() not in upgrade or not _is_upgrade(request):
        raise UpgradeRefused(400, f"unable to upgrade: missing upgrade headers in request: Upgrade: {_SPDY} is needed")
    headers: dict[str, str] = {hdrs.UPGRADE: _SPDY, _PROTOCOL: chosen}
    return Agreement(websocket=False, protocol=chosen, headers=headers)


def _agree_websocket(request: web.Request, ours: Sequence[str]) -> Agreement:
    accepted = accept(request.headers)
    if request.method != hdrs.METH_GET or not _is_upgrade(request) or accepted is None:
        raise UpgradeRefused(400, "unable to upgrade: not a WebSocket handshake of version 13")
    headers: dict[str, str] = {hdrs.UPGRADE: "websocket", hdrs.SEC_WEBSOCKET_ACCEPT: accepted}
    theirs = _listed(request, hdrs.SEC_WEBSOCKET_PROTOCOL)
    if not theirs:
        return Agreement(websocket=True, protocol="", headers=headers)
    chosen = next((protocol for protocol in theirs if protocol in ours), None)
    if chosen is None:
        text = (
            f"unable to upgrade: requested protocol(s) are not supported: [{' '.join(theirs)}];"
            f" supports [{' '.join(ours)}]"
        )
        raise UpgradeRefused(403, text)
    headers[hdrs.SEC_WEBSOCKET_PROTOCOL] = chosen
    return Agreement(websocket=True, protocol=chosen, headers=headers)


def _is_upgrade(request: web.Request) -> bool:
    return any("upgrade" in value.lower() for value in request.headers.getall(hdrs.CONNECTION, ()))


def _listed(request: web.Request, header: str) -> list[str]:
    """The values of a header that may be repeated, and may hold several each."""
    values = ",".join(request.headers.getall(header, ())).split(",")
    return [value.strip() for value in values if value.strip()]
