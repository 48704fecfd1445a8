"""What is followed of Kubernetes, and where it goes."""

import asyncio
import random
import time
from collections.abc import Iterator

from pydantic import TypeAdapter

from translators.records.pods import Pod
from translators.records.sources import Service
from translators.records.storage import Claim, PersistentVolume
from vnode.kube.api import Watches
from vnode.kube.reflector import Reflector
from vnode.view.claims import ClaimStore
from vnode.view.pods import PodStore
from vnode.view.services import ServiceStore

_SERVICE = TypeAdapter(Service)
_CLAIM = TypeAdapter(Claim)
_VOLUME = TypeAdapter(PersistentVolume)
_OfStorage = Reflector[Claim] | Reflector[PersistentVolume]
_FOLLOWING = time.monotonic, random.random, asyncio.sleep


def pods(kubernetes: Watches, node: str, store: PodStore) -> Reflector[Pod]:
    """The Pods of a Node."""
    chosen = {"fieldSelector": f"spec.nodeName={node}"}
    return Reflector(kubernetes, "/api/v1/pods", chosen, store.decode_watched, store, *_FOLLOWING)


def services(kubernetes: Watches, store: ServiceStore) -> Reflector[Service]:
    """The Services of all namespaces, which Pods find in their environment."""
    decode = _SERVICE.validate_python
    return Reflector(kubernetes, "/api/v1/services", {}, decode, store, *_FOLLOWING, told=store.hindered)


def claims_and_volumes(kubernetes: Watches, store: ClaimStore) -> Iterator[_OfStorage]:
    """All claims, and all volumes."""
    claims, volumes = "/api/v1/persistentvolumeclaims", "/api/v1/persistentvolumes"
    told = store.hindered
    yield Reflector(kubernetes, claims, {}, _CLAIM.validate_python, store.claims, *_FOLLOWING, told=told)
    yield Reflector(kubernetes, volumes, {}, _VOLUME.validate_python, store.volumes, *_FOLLOWING, told=told)
