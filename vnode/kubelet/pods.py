"""GET /pods and /runningpods/: the Pods of this Node as a v1.PodList."""

from typing import Any

from aiohttp import web
from pydantic import TypeAdapter

from translators.records.pods import Pod
from vnode.kubelet.directory import PodDirectory

_POD = TypeAdapter(Pod)
_HEAD = b'{"kind":"PodList","apiVersion":"v1","metadata":{},"items":['


class PodLists:
    """What we keep of each Pod, which is less than the API holds: fields that we never read are missing."""

    def __init__(self, directory: PodDirectory) -> None:
        self._directory = directory

    async def pods(self, request: web.Request) -> web.StreamResponse:
        """All Pods bound to this Node."""
        return await _stream(request, tuple(self._directory.pods()))

    async def running(self, request: web.Request) -> web.StreamResponse:
        """The Pods that have a running container, with their running containers only."""
        found = (pod for pod in self._directory.pods() if _running(pod))
        return await _stream(request, tuple(found), only_running=True)


async def _stream(request: web.Request, pods: tuple[Pod, ...], *, only_running: bool = False) -> web.StreamResponse:
    """Send Pod by Pod: a full Node's list is tens of megabytes."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(_HEAD)
    for index, pod in enumerate(pods):
        text = (
            _running_json(pod)
            if only_running
            else _POD.dump_json(pod, by_alias=True, exclude_none=True, exclude={"unsupported"})
        )
        await response.write(b"," + text if index else text)
    await response.write(b"]}")
    return response


def _running(pod: Pod) -> set[str]:
    return {each.name for each in pod.status.container_statuses if each.state.running is not None}


def _running_json(pod: Pod) -> bytes:
    running = _running(pod)
    meta = pod.metadata
    shown: dict[str, Any] = {
        "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
        "spec": {
            "containers": [
                {"name": each.name, "image": each.image, "resources": {}}
                for each in pod.spec.containers
                if each.name in running
            ]
        },
        "status": {},
    }
    return _JSON.dump_json(shown)


_JSON = TypeAdapter(dict[str, Any])
