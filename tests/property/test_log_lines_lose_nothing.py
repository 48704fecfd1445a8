from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from vnode.kubelet.log_lines import LogText, TailSearch, WholeLines
from vnode.kubelet.log_options import LogOptions, Stream

AT = datetime(2026, 11, 23, tzinfo=UTC)
TEXT = st.lists(st.sampled_from([b"a", b"\n", b"bc\n", b"\xff\x00", b"x" * 40])).map(b"".join)


@given(st.lists(TEXT), st.integers(1, 50))
def test_lines_come_out_as_they_went_in(chunks: list[bytes], longest: int) -> None:
    lines = WholeLines(longest)
    assert b"".join(lines.feed(chunk) for chunk in chunks) + lines.rest() == b"".join(chunks)


@given(st.lists(st.tuples(st.sampled_from(Stream), TEXT)))
def test_each_stream_is_whole_within_the_merged_text(arrivals: list[tuple[Stream, bytes]]) -> None:
    """Bytes are renamed so that the streams can be told apart again."""
    text, sent = LogText(LogOptions()), dict.fromkeys(Stream, b"")
    shown = b""
    for stream, chunk in arrivals:
        marked = b"".join(stream.value[3:4].encode() if byte != 10 else b"\n" for byte in chunk)
        sent[stream] += marked
        shown += text.feed(stream, marked, AT)
    shown += text.finish(Stream.STDOUT, AT) + text.finish(Stream.STDERR, AT)
    for stream, other in ((Stream.STDOUT, b"e"), (Stream.STDERR, b"o")):
        mark = stream.value[3:4].encode()
        assert [line for line in shown.split(b"\n") if mark in line] == [
            line for line in sent[stream].split(b"\n") if line
        ]
        assert not any(mark in line and other in line for line in shown.split(b"\n"))


def tail(data: bytes, lines: int, origin: int = 0) -> tuple[bytes, int]:
    search = TailSearch(lines, origin, origin + len(data))
    while (wanted := search.wanted) is not None:
        assert wanted[1] - wanted[0] <= 1024 * 1024
        search.feed(data[wanted[0] - origin : wanted[1] - origin])
    return data[search.position - origin :], search.found


@given(TEXT, st.integers(0, 20), st.integers(0, 1000))
def test_a_tail_is_the_last_lines(data: bytes, lines: int, origin: int) -> None:
    expected = data.splitlines(keepends=True)[-lines:] if lines else []
    assert tail(data, lines, origin) == (b"".join(expected), len(expected))


@given(st.integers(1, 300_000), st.integers(0, 40))
def test_a_tail_is_found_across_blocks(length: int, lines: int) -> None:
    data = (b"y" * 9_999 + b"\n") * (length // 10_000) + b"z" * (length % 10_000)
    expected = data.splitlines(keepends=True)[-lines:] if lines else []
    assert tail(data, lines) == (b"".join(expected), len(expected))


def test_a_tail_ends_where_older_files_are_gone() -> None:
    search = TailSearch(5, 0, 10)
    search.feed(b"b\nc\n")
    assert (search.wanted, search.position, search.found) == (None, 6, 2)


def test_a_long_log_is_not_read_whole_for_its_last_line() -> None:
    search = TailSearch(1, 0, 10**9)
    search.feed(b"a\nlast\n".rjust(16 * 1024, b"x"))
    assert (search.wanted, search.position, search.found) == (None, 10**9 - 5, 1)
