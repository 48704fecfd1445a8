from datetime import UTC, datetime

import pytest

from vnode.kubelet.log_lines import LogText, WholeLines, stamp, timestamp
from vnode.kubelet.log_options import LogOptions, Stream

OUT, ERR = Stream.STDOUT, Stream.STDERR
AT = datetime(2026, 11, 23, 5, 6, 7, 89, tzinfo=UTC)
EARLIER = datetime(2026, 11, 23, 5, 6, 6, tzinfo=UTC)
STAMP = b"2026-11-23T05:06:07.000089000Z "


def test_an_unfinished_line_is_held_back_until_its_end_arrives() -> None:
    lines = WholeLines()
    assert [lines.feed(chunk) for chunk in (b"one\ntw", b"o", b"\nthree")] == [b"one\n", b"", b"two\n"]
    assert lines.rest() == b"three"
    assert lines.rest() == b""


def test_a_line_beyond_the_bound_is_passed_on_in_parts() -> None:
    lines = WholeLines(longest=4)
    assert [lines.feed(chunk) for chunk in (b"abc", b"de", b"f\n")] == [b"", b"abcde", b"f\n"]


def test_live_lines_of_two_streams_never_tear_each_other() -> None:
    text = LogText(LogOptions())
    shown = [text.feed(OUT, b"out ", AT), text.feed(ERR, b"err\n", AT), text.feed(OUT, b"put\n", AT)]
    assert shown == [b"", b"err\n", b"out put\n"]


def test_a_last_line_without_an_end_is_ended_when_the_other_stream_follows() -> None:
    text = LogText(LogOptions())
    assert text.feed(OUT, b"prompt> ", AT) + text.finish(OUT, AT) + text.feed(ERR, b"oh\n", AT) == b"prompt> \noh\n"


def test_a_last_line_stays_without_an_end_when_nothing_follows() -> None:
    text = LogText(LogOptions())
    assert text.feed(OUT, b"a\nb", AT) + text.finish(OUT, AT) + text.finish(ERR, AT) == b"a\nb"


@pytest.mark.parametrize(
    ("block", "stamped"),
    [
        (b"a\n", STAMP + b"a\n"),
        (b"a\n\nb\n", STAMP + b"a\n" + STAMP + b"\n" + STAMP + b"b\n"),
        (b"a", STAMP + b"a"),
        (b"\n", STAMP + b"\n"),
        (b"a\r\n", STAMP + b"a\r\n"),
    ],
)
def test_every_line_is_stamped(block: bytes, stamped: bytes) -> None:
    assert stamp(block, AT) == stamped


def test_the_parts_of_one_line_are_stamped_once() -> None:
    text = LogText(LogOptions(timestamps=True))
    long = b"x" * (256 * 1024 + 1)
    assert text.feed(OUT, long, AT) + text.feed(OUT, b"end\nnext\n", AT) == (
        STAMP + long + b"end\n" + STAMP + b"next\n"
    )


def test_a_timestamp_has_nine_digits_in_utc() -> None:
    assert timestamp(datetime.fromisoformat("2026-11-23T07:06:07+02:00")) == "2026-11-23T05:06:07.000000000Z"


def test_lines_before_since_are_left_out_and_those_at_since_are_shown() -> None:
    text = LogText(LogOptions(since=AT))
    assert text.feed(OUT, b"old\n", EARLIER) + text.feed(OUT, b"new\n", AT) == b"new\n"


@pytest.mark.parametrize(
    ("limit", "shown"), [(1, b"a"), (3, b"a\nb"), (4, b"a\nb\n"), (7, b"a\nb\nerr"), (99, b"a\nb\nerr\n")]
)
def test_the_limit_cuts_in_the_middle_of_a_line_over_both_streams(limit: int, shown: bytes) -> None:
    text = LogText(LogOptions(limit=limit))
    assert text.feed(OUT, b"a\nb\n", AT) + text.feed(ERR, b"err\n", AT) == shown
    assert text.exhausted is (limit < 8)


def test_the_limit_counts_the_stamps_too() -> None:
    assert LogText(LogOptions(limit=5, timestamps=True)).feed(OUT, b"a\n", AT) == b"2026-"
