"""Data is exact to the byte: any legal key and any content arrives as it is, as a file and as a variable.

Several hundred values, packed into few jobs, lie in the Pods' Nomad variables, come out of templates, files of
variables and three drivers, and are compared with what stands in Kubernetes.
"""

import base64
import random
import string
from hashlib import sha256

import pytest

from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import container, pod
from tests.e2e.namespace import LATER, Namespace
from tests.e2e.objects import config_map, secret
from tests.e2e.test_strings_are_exact import TRAPS

DRIVERS = ("raw_exec", "exec", "docker")
SEED = 20261123
_FILES, _TEXTS, _VARIABLES = 50, 50, 50
_MARK = "only-in-a-secret"
#: Legal in a ConfigMap, and harmless in none of the places that a file's name goes through.
_KEY = string.ascii_letters + string.digits + "-_."
_NAME = string.ascii_letters + string.digits + "_."
_SHOW = """
cd $VNODE_MOUNT_BYTES && find . -type f | while read -r f; do echo "bytes/${f#./} $(base64 -w0 < "$f")"; done
cd $VNODE_MOUNT_TEXTS && find . -type f | while read -r f; do echo "texts/${f#./} $(base64 -w0 < "$f")"; done
pid=$$$$; echo "environ $(base64 -w0 /proc/$pid/environ)"
echo done; sleep 3600
"""


def _key(source: random.Random, alphabet: str) -> str:
    first = source.choice(string.ascii_letters + "_")
    return first + "".join(source.choices(alphabet, k=source.choice((0, 1, 8, 40, 120))))


def _text(source: random.Random) -> str:
    if source.random() < 0.6:
        return source.choice(TRAPS)
    return "".join(chr(source.choice((source.randrange(1, 128), source.randrange(160, 0xD7FF)))) for _ in range(30))


def _secret(source: random.Random) -> str:
    """No text that stands in a job of another test, where it is no secret."""
    return "".join(source.choice(([_MARK, _text(source)], [_text(source), _MARK])))


@pytest.mark.parametrize("driver", DRIVERS)
def test_any_key_and_any_content_arrives(scene: Namespace, driver: str) -> None:
    source = random.Random(f"{SEED}{driver}")
    name = f"data-{driver.replace('_', '-')}"
    edges = {"-dash": b"-", ".hidden": b"\0", "a..b": b"", "A" * 250: b"\xff\xfe"}
    files = {**{_key(source, _KEY): source.randbytes(source.choice((0, 1, 60, 300))) for _ in range(_FILES)}, **edges}
    texts = {_key(source, _KEY): _text(source) for _ in range(_TEXTS)}
    variables = {f"V_{_key(source, _NAME)}": _secret(source) for _ in range(_VARIABLES)}
    bytes_volume = {"name": "bytes", "secret": {"secretName": f"{name}-bytes"}}
    texts_volume = {"name": "texts", "configMap": {"name": f"{name}-texts"}}
    mounts = [{"name": each, "mountPath": f"/data/{each}"} for each in ("bytes", "texts")]
    scene.create(
        secret(f"{name}-bytes", files),
        config_map(f"{name}-texts", texts),
        secret(f"{name}-variables", variables),
        pod(
            name,
            container(_SHOW, envFrom=[{"secretRef": {"name": f"{name}-variables"}}], volumeMounts=mounts),
            driver=driver,
            volumes=[bytes_volume, texts_volume],
        ),
    )
    scene.wait_ready(name, within=LATER)
    wait_until("all of it", lambda: scene.logs(name).endswith("done\n"), within=LATER)
    parted = (line.partition(" ") for line in scene.logs(name).splitlines()[:-1])
    shown = {place: text for place, _, text in parted}
    wanted = {f"bytes/{key}": content for key, content in files.items()}
    wanted |= {f"texts/{key}": text.encode() for key, text in texts.items()}
    got = {place: base64.b64decode(text) for place, text in shown.items() if place != "environ"}
    assert set(got) == set(wanted)
    different = [place for place, content in wanted.items() if got[place] != content]
    assert different == [], f"seed {SEED}"
    entries = (each.partition(b"=") for each in base64.b64decode(shown["environ"]).split(b"\0"))
    environ = {key.decode(): value for key, _, value in entries}
    assert [key for key, text in variables.items() if environ.get(key) != text.encode()] == []


@pytest.mark.parametrize("driver", ["raw_exec", "docker"])
def test_as_much_as_three_variables_hold_arrives_whole(scene: Namespace, driver: str) -> None:
    name = f"large-{driver.replace('_', '-')}"
    content = random.Random(SEED).randbytes(140_000)
    script = "echo $(sha256sum < $VNODE_MOUNT_BIG/blob); sleep 3600"
    main = container(script, volumeMounts=[{"name": "big", "mountPath": "/big"}])
    big = {"name": "big", "secret": {"secretName": name}}
    scene.create(secret(name, {"blob": content}), pod(name, main, driver=driver, volumes=[big]))
    scene.wait_ready(name, within=LATER)
    digest = sha256(content).hexdigest()
    wait_until("its digest", lambda: digest in scene.logs(name), within=LATER)


def test_more_than_that_is_refused_with_the_sizes(scene: Namespace) -> None:
    main = container("true", volumeMounts=[{"name": "big", "mountPath": "/big"}])
    big = {"name": "big", "secret": {"secretName": "too-large"}}
    scene.create(secret("too-large", {"blob": bytes(150_000)}), pod("too-large", main, volumes=[big]))
    scene.wait_event("too-large", "DataTooLarge", "150000 bytes", "144 KiB")
