from typing import Any

import pytest

from translators.support import decode_newer, decode_pod


def raw(*, version: int, generation: int | None = 1, image: str = "web:1", phase: str = "Pending") -> dict[str, Any]:
    numbered = {} if generation is None else {"generation": generation}
    return {
        "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": str(version), **numbered},
        "spec": {"containers": [{"name": "web", "image": image, "livenessProbe": {"exec": {"command": ["true"]}}}]},
        "status": {"phase": phase},
    }


def test_a_version_that_is_known_is_not_decoded_again() -> None:
    known = decode_pod(raw(version=1))
    assert decode_newer(raw(version=1), known) is known


def test_a_newer_version_of_the_same_generation_keeps_the_spec() -> None:
    known = decode_pod(raw(version=1))
    newer = decode_newer(raw(version=2, phase="Running"), known)
    assert newer == decode_pod(raw(version=2, phase="Running"))
    assert newer.spec is known.spec


@pytest.mark.parametrize("generations", [(1, 2), (None, None), (None, 1)])
def test_a_spec_that_may_have_changed_is_decoded(generations: tuple[int | None, int | None]) -> None:
    before, after = generations
    known = decode_pod(raw(version=1, generation=before))
    changed = raw(version=2, generation=after, image="web:2")
    assert decode_newer(changed, known) == decode_pod(changed)


def test_another_pod_is_decoded_whole() -> None:
    other = raw(version=1, image="other:1")
    other["metadata"]["uid"] = "u2"
    assert decode_newer(other, decode_pod(raw(version=1))) == decode_pod(other)


def test_a_pod_without_a_status_has_an_empty_one() -> None:
    known = decode_pod(raw(version=1, phase="Running"))
    bare = raw(version=2)
    del bare["status"]
    assert decode_newer(bare, known) == decode_pod(bare)
