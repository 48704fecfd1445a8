"""Secrets are where they belong and nowhere else: not in jobs, versions, allocations, Events, logs, metrics, errors."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e import kubelet_api
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.vnode_process import VnodeProcess
from tests.e2e.canaries import leaks
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import Manifest, container, pod
from tests.e2e.namespace import SOON, Namespace
from tests.e2e.objects import config_map, of_key, secret

_NODE = "discreet"
_WORD = "canary-word-5a1f09-${HOME}-{{ 1 }}"
_FILE = "canary-file-77c2e4\nwith a second line"
_MAP = "canary-map-0b9d31"
_LATER = "canary-later-c41d55"
_BROKEN = b"canary-broken-9e02aa\xff"
_RUNS = "echo ready; sleep 3600"

pytestmark = pytest.mark.timeout(300, func_only=True)


def _objects() -> list[Manifest]:
    return [
        secret("words", {"word": _WORD, "file": _FILE, "broken": _BROKEN, "large": _FILE.encode() * 4000}),
        config_map("map", {"word": _MAP}),
    ]


def _pods() -> list[Manifest]:
    word = of_key("WORD", "secret", "words", "word")
    token = {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}}
    sources = [
        token,
        {"secret": {"name": "words", "items": [{"key": "file", "path": "file"}, {"key": "word", "path": "word"}]}},
        {"configMap": {"name": "map"}},
    ]
    mounts = [{"name": "all", "mountPath": "/all"}]
    volumes = [{"name": "all", "projected": {"sources": sources}}]
    joined = {"name": "URL", "value": "db://user:$(WORD)@db"}
    passed = ["/bin/sh", "-c", _RUNS, "_", "$(WORD)", "$(URL)"]
    fields: dict[str, Any] = {
        "env": [word, joined],
        "envFrom": [{"configMapRef": {"name": "map"}}],
        "volumeMounts": mounts,
    }
    large = {"name": "all", "secret": {"secretName": "words"}}
    return [
        pod("raw", container(_RUNS, **fields), node=_NODE, volumes=volumes),
        # Nomad's clients log the arguments of the other drivers, about which a Warning is.
        pod("docked", container(command=passed, **fields), node=_NODE, driver="docker", volumes=volumes),
        pod("broken", container(_RUNS, env=[of_key("B", "secret", "words", "broken")]), node=_NODE),
        pod("large", container(_RUNS, volumeMounts=mounts), node=_NODE, volumes=[large]),
        pod("not-executable", container(command=["/nothing"], env=[word]), node=_NODE, restart="Never"),
    ]


@pytest.fixture(scope="module")
def discreet(bed: Bed) -> Iterator[VnodeProcess]:
    """A vnode that tells whatever it can tell."""
    with bed.vnode("--node-pool=all", "--log-level=debug", node_name=_NODE) as vnode:
        yield vnode
    bed.kubectl("delete", "node", _NODE)


def test_no_secret_is_anywhere_but_with_its_task(bed: Bed, discreet: VnodeProcess, namespaces: Namespaces) -> None:
    with namespaces() as namespace:
        namespace.create(*_objects(), *_pods())
        for name in ("raw", "docked"):
            namespace.wait_ready(name)
        namespace.wait_event("broken", "PodFeatureUnsupported", "UTF-8")
        namespace.wait_event("large", "DataTooLarge")
        namespace.wait_phase("not-executable", "Failed")
        secrets = [_WORD, _FILE, _MAP, _LATER, "canary-broken-9e02aa", *_tokens(namespace)]
        namespace.kubectl("patch", "secret", "words", f'--patch={{"stringData":{{"word":"{_LATER}"}}}}')
        uid = namespace.pod("raw")["metadata"]["uid"]
        wait_until("the change to be delivered", lambda: _LATER.encode() in _items(bed, uid), within=SOON)
        found = leaks(_texts(bed, discreet, namespace), secrets)
        assert found == []
        assert leaks({"the variable": _items(bed, uid).decode(errors="replace")}, secrets)
    # What it said while all of it ended.
    assert leaks(_logs(bed), secrets) == []


def _texts(bed: Bed, vnode: VnodeProcess, namespace: Namespace) -> dict[str, str]:
    texts = _logs(bed)
    for job in namespace.nomad_jobs():
        for path in (f"job/{job['ID']}", *(f"job/{job['ID']}/{part}" for part in ("versions", "evaluations"))):
            texts[path] = json.dumps(bed.nomad.api(f"/v1/{path}?namespace={job['Namespace']}"))
    for each in namespace.pods():
        for allocation in namespace.allocations(each):
            texts[f"allocation of {each['metadata']['name']}"] = json.dumps(
                bed.nomad.api(f"/v1/allocation/{allocation['ID']}")
            )
    texts["Pods"] = json.dumps(namespace.pods())
    texts["Node"] = json.dumps(bed.control_plane.api(f"/api/v1/nodes/{_NODE}"))
    texts["Events"] = namespace.kubectl("get", "events", "--output=json").stdout
    texts["errors"] = namespace.kubectl("logs", "broken", check=False).stderr
    with kubelet_api.client(bed, vnode) as api:
        texts |= {path: api.get(path).text for path in ("/metrics", "/pods", "/configz")}
    return texts


def _logs(bed: Bed) -> dict[str, str]:
    return {str(file): file.read_text(errors="replace") for file in bed.logs.glob("*.log")}


def _items(bed: Bed, uid: str) -> bytes:
    items = bed.nomad.api(f"/v1/var/nomad/jobs/vk-{uid}")["Items"]
    return b"\n".join(base64.b64decode(text + "==") for name, text in items.items() if name != "vnode")


def _tokens(namespace: Namespace) -> list[str]:
    uids = [namespace.pod(name)["metadata"]["uid"] for name in ("raw", "docked")]
    lines = [line for uid in uids for line in _items(namespace.bed, uid).split(b"\n")]
    found = [line.decode() for line in lines if line.startswith(b"eyJ") and line.count(b".") == 2]
    assert len(found) == len(uids)
    # The head of a token is the same for all of them and no secret.
    return [token.partition(".")[2] for token in found]
