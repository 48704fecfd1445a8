"""A containerID reads back as what it was made from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translators.container_id import ContainerId, LogPosition, StreamPosition, identity, parse

NUMBERS = st.integers(0, 2**40)
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
POSITIONS = st.builds(StreamPosition, NUMBERS, NUMBERS)


@given(st.builds(ContainerId, NAMES, NAMES, NUMBERS, st.none() | st.builds(LogPosition, POSITIONS, POSITIONS)))
def test_round_trip(subject: ContainerId) -> None:
    assert parse(str(subject)) == subject
    assert identity(str(subject)) == str(ContainerId(subject.allocation, subject.task, subject.run))


@pytest.mark.parametrize("text", ["", "containerd://abc", "nomad://a/web", "nomad://a/web/x", "nomad://a/web/0@1"])
def test_foreign_texts_are_not_ours(text: str) -> None:
    assert parse(text) is None
