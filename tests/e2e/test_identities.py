"""Identities that Nomad signs for a task: a file that whoever trusts Nomad can verify, for the audience asked for."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.processes import wait_until
from tests.e2e.manifests import container, pod, settings
from tests.e2e.namespace import SOON, Namespace


@pytest.mark.parametrize("driver", ["raw_exec", "docker"])
def test_a_task_has_an_identity_that_its_audience_can_verify(bed: Bed, namespace: Namespace, driver: str) -> None:
    audience = f"{namespace.name}.example.com"
    annotations = {**settings(driver), "nomad.hashinetes.io/identity-cloud": audience}
    # Encoded, for a log is no place for a token; this one is worth nothing to anybody.
    main = container("base64 -w0 $VNODE_IDENTITY_CLOUD; echo; sleep 3600")
    namespace.create(pod("known", main, annotations=annotations))
    uid = namespace.wait_ready("known")["metadata"]["uid"]
    token = wait_until("the identity", lambda: base64.b64decode(namespace.logs("known")).decode(), within=SOON)
    claims = _verified(bed, token)
    assert claims["aud"] == audience
    assert claims["nomad_job_id"] == f"vk-{uid}"
    assert claims["nomad_task"] == "main"


def test_an_audience_that_no_policy_names_is_refused(namespace: Namespace) -> None:
    annotations = {**settings("raw_exec"), "nomad.hashinetes.io/identity-vault": "vault.io"}
    namespace.create(pod("greedy", "sleep 3600", annotations=annotations))
    namespace.wait_event("greedy", "PolicyDenied", "'vault.io'", "policy.identities.audiences")


def _verified(bed: Bed, token: str) -> dict[str, Any]:
    """The claims of a token that one of Nomad's published keys signed."""
    head, body, signature = token.split(".")
    kid = json.loads(_bytes(head))["kid"]
    [key] = [key for key in bed.nomad.api("/.well-known/jwks.json")["keys"] if key["kid"] == kid]
    public = RSAPublicNumbers(int.from_bytes(_bytes(key["e"])), int.from_bytes(_bytes(key["n"]))).public_key()
    public.verify(_bytes(signature), f"{head}.{body}".encode(), PKCS1v15(), SHA256())
    return dict(json.loads(_bytes(body)))


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")
