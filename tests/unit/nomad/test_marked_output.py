"""What lies between the marks of an attendant is the output, byte for byte, however it was cut on its way."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vnode.nomad.attendant import Attendant, MarkedOutput

_ATTENDANT = Attendant("0123456789abcdef" * 2)
_BEGIN = f"{_ATTENDANT.mark}:begin\n".encode()
_END = f"{_ATTENDANT.mark}:end:7;\n".encode()
#: Output that looks like a mark for a while.
_OUTPUT = st.lists(
    st.binary(max_size=8) | st.sampled_from([b"~", b"~vnode-", _END[:20], _END[:-3], _BEGIN[:-2], b"\r\n", b"~~"]),
    max_size=6,
).map(b"".join)


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(bounds)]


@settings(max_examples=50)
@given(_OUTPUT, st.binary(max_size=9), st.lists(st.integers(0, 1000), max_size=8), st.booleans())
def test_output_comes_whole_with_its_code(
    output: bytes,
    later: bytes,
    places: list[int],
    begins: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    marked = MarkedOutput(_ATTENDANT, begins=begins)
    whole = (_BEGIN if begins else b"") + output + _END + later
    assert b"".join(marked.feed(piece) for piece in _cut(whole, places)) == output
    assert (marked.begun, marked.code, marked.rest) == (True, 7, b"")


@settings(max_examples=50)
@given(_OUTPUT, st.lists(st.integers(0, 1000), max_size=8))
def test_nothing_is_kept_from_output_without_an_end(output: bytes, places: list[int]) -> None:
    marked = MarkedOutput(_ATTENDANT, begins=False)
    assert b"".join(marked.feed(piece) for piece in _cut(output, places)) + marked.rest == output
    assert marked.code is None


@settings(max_examples=50)
@given(st.binary(max_size=50).filter(lambda data: b"~" not in data))
def test_what_cannot_be_a_mark_is_not_kept_back(output: bytes) -> None:
    assert MarkedOutput(_ATTENDANT, begins=False).feed(output) == output


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_terminal_ends_its_lines_in_its_own_way(line_end: bytes) -> None:
    marked = MarkedOutput(_ATTENDANT, begins=True)
    assert marked.feed(_BEGIN[:-1] + line_end + b"$ ") == b"$ "


def test_what_comes_instead_of_the_beginning_is_told() -> None:
    marked = MarkedOutput(_ATTENDANT, begins=True)
    said = b'OCI runtime exec failed: exec: "/bin/sh": no such file or directory\r\n'
    assert marked.feed(said[:9]) + marked.feed(said[9:]) == b""
    assert (marked.begun, marked.preamble) == (False, said)


def test_endless_noise_before_the_beginning_is_not_kept() -> None:
    marked = MarkedOutput(_ATTENDANT, begins=True)
    for _ in range(100):
        marked.feed(b"x" * 10_000)
    assert len(marked.preamble) <= 64 * 1024
