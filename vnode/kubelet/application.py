"""The paths of the kubelet API and who answers them, all behind one gate."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from vnode.kubelet.attach import ContainerAttachments
from vnode.kubelet.commands import ContainerCommands
from vnode.kubelet.health import Introspection
from vnode.kubelet.logs import ContainerLogs
from vnode.kubelet.pods import PodLists
from vnode.kubelet.port_forward import PortForward
from vnode.kubelet.refusals import refuse_by_status
from vnode.kubelet.stats.handlers import Statistics

_POD = "/{namespace}/{pod}"
_POD_BY_UID = _POD + "/{uid}"
_CONTAINER = _POD + "/{container}"
_CONTAINER_BY_UID = _POD + "/{uid}/{container}"

#: What kubectl and agents may ask for and we cannot do: (path, what it is).
_MISSING = (
    ("/run" + _CONTAINER, "running a command in a container"),
    ("/run" + _CONTAINER_BY_UID, "running a command in a container"),
)


def build_application(
    gate: Middleware,
    *behind: Middleware,
    logs: ContainerLogs,
    port_forward: PortForward,
    commands: ContainerCommands,
    attachments: ContainerAttachments,
    pods: PodLists,
    introspection: Introspection,
    statistics: Statistics,
) -> web.Application:
    """The whole API; `behind` are middlewares for those whom the gate lets through."""
    application = web.Application(middlewares=[_plain_errors, gate, refuse_by_status, *behind])
    answers: tuple[tuple[str, Handler], ...] = (
        ("/containerLogs" + _CONTAINER, logs.handle),
        ("/pods", pods.pods),
        ("/runningpods/", pods.running),
        ("/healthz", introspection.healthz),
        ("/healthz/ping", introspection.ping),
        ("/healthz/log", introspection.ping),
        ("/healthz/syncloop", introspection.healthz),
        ("/configz", introspection.configz),
        ("/metrics", introspection.metrics),
        ("/metrics/resource", statistics.resource),
        ("/metrics/cadvisor", statistics.cadvisor),
        ("/stats/summary", statistics.summary),
    )
    for path, handler in answers:
        application.router.add_get(path, handler, allow_head=False)
    upgrades: tuple[tuple[str, Handler], ...] = (
        ("/portForward" + _POD, port_forward.handle),
        ("/portForward" + _POD_BY_UID, port_forward.handle),
        ("/exec" + _CONTAINER, commands.handle),
        ("/exec" + _CONTAINER_BY_UID, commands.handle),
        ("/attach" + _CONTAINER, attachments.handle),
        ("/attach" + _CONTAINER_BY_UID, attachments.handle),
    )
    for path, handler in upgrades:
        application.router.add_get(path, handler, allow_head=False)
        application.router.add_post(path, handler)
    for path, subject in _MISSING:
        application.router.add_route("*", path, _missing(subject))
    return application


@web.middleware
async def _plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Unknown paths and methods in the words of a kubelet."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return web.Response(status=404, text="404: Page Not Found")
    except web.HTTPMethodNotAllowed as error:
        return web.Response(status=405, text="405: Method Not Allowed", headers={"Allow": error.headers["Allow"]})


def _missing(subject: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=501, text=f"{subject} is not supported yet by this virtual node.")

    return answer
