"""Credentials of registries: an image is pulled with them, and nothing but the registry ever sees them."""

import json
import secrets

from tests.e2e.bed import registry
from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.bed.rootfs import BUSYBOX_IMAGE
from tests.e2e.manifests import container, pod
from tests.e2e.namespace import LATER, SOON, Namespace
from tests.e2e.objects import secret

# What a container says last may never reach Nomad (docs/logs.md).
_SHOWS = "env; cat /proc/1/environ; find / -xdev -name '*pull*' 2>/dev/null; echo pulled; sleep 2"


def test_an_image_is_pulled_with_the_secret_of_its_pod(bed: Bed, namespace: Namespace) -> None:
    # Every sign that Nomad's template, its env file or its interpolation could take for its own.
    password = f"{secrets.token_hex(16)} #'\"\\${{x}}%{{{{y}}}}\u00fc"
    bed.secrets.add(password)
    with registry.serve(bed.docker, BUSYBOX_IMAGE, bed.free_port(), "robot$team", password) as private:
        main = container(_SHOWS, image=private.image, imagePullPolicy="Always")
        key = secret("key", {".dockerconfigjson": private.docker_config}, type="kubernetes.io/dockerconfigjson")
        mine = pod("mine", main, driver="docker", restart="Never", imagePullSecrets=[{"name": "key"}])
        stranger = pod("stranger", main, driver="docker", imagePullSecrets=[{"name": "nobody"}])
        namespace.create(key, mine, stranger)
        found = namespace.wait_phase("mine", "Succeeded", "Failed", within=LATER)
        wait_until("its log", lambda: "pulled" in namespace.logs("mine"), within=SOON)
        shown = namespace.logs("mine")
        assert password not in shown
        assert password not in json.dumps(bed.nomad.api(f"/v1/job/vk-{found['metadata']['uid']}"))
        namespace.wait_event("stranger", "FailedToRetrieveImagePullSecret", "Secret nobody")
        namespace.wait(
            "stranger", "to tell that it may not", lambda one: "credentials" in json.dumps(one["status"]), within=LATER
        )
        namespace.empty()
    assert found["metadata"]["uid"] not in json.dumps(bed.nomad.api("/v1/vars?namespace=*"))
