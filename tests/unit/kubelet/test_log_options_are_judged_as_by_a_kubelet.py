from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnode.kubelet.log_options import BadLogOptions, LogOptions, Stream, parse_log_options

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
BOTH = (Stream.STDOUT, Stream.STDERR)


def parse(**query: str) -> LogOptions:
    return parse_log_options({name: [value] for name, value in query.items()}, NOW)


def test_an_empty_query_asks_for_everything_that_there_is() -> None:
    assert parse() == LogOptions(
        streams=BOTH, follow=False, previous=False, timestamps=False, since=None, tail=None, limit=None
    )


@pytest.mark.parametrize("name", ["follow", "previous", "timestamps"])
@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("", True), ("1", True), ("yes", True), ("false", False), ("FALSE", False), ("0", False)],
)
def test_flags_are_true_unless_false_or_zero(name: str, text: str, value: bool) -> None:  # noqa: FBT001 - a table
    assert getattr(parse(**{name: text}), name) is value


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"tailLines": "0"}, LogOptions(tail=0)),
        ({"tailLines": "+7"}, LogOptions(tail=7)),
        ({"tail": "12"}, LogOptions(tail=12)),
        ({"tail": "all", "tailLines": "3"}, LogOptions(tail=None)),
        ({"limitBytes": "1"}, LogOptions(limit=1)),
        ({"sinceSeconds": "60"}, LogOptions(since=datetime(2026, 11, 23, 11, 59, 0, tzinfo=UTC))),
        ({"sinceSeconds": "9223372036854775807"}, LogOptions(since=None)),
        ({"sinceTime": "2026-11-23T10:00:00Z"}, LogOptions(since=datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC))),
        (
            {"sinceTime": "2026-11-23T10:00:00.123456789+02:00"},
            LogOptions(since=datetime(2026, 11, 23, 8, 0, 0, 123456, tzinfo=UTC)),
        ),
        ({"sinceTime": "null"}, LogOptions()),
        ({"stream": "All", "tailLines": "1"}, LogOptions(tail=1)),
        ({"stream": "Stdout"}, LogOptions(streams=(Stream.STDOUT,))),
        ({"stream": "Stderr"}, LogOptions(streams=(Stream.STDERR,))),
        ({"pretty": "true", "insecureSkipTLSVerifyBackend": "x"}, LogOptions()),
    ],
)
def test_values_are_decoded(query: dict[str, str], expected: LogOptions) -> None:
    assert parse(**query) == expected


def test_the_first_of_several_values_counts() -> None:
    assert parse_log_options({"tailLines": ["1", "2"]}, NOW).tail == 1


@pytest.mark.parametrize(
    "query",
    [
        {"tailLines": "ten"},
        {"tailLines": ""},
        {"tailLines": "1_0"},
        {"limitBytes": "1.5"},
        {"limitBytes": "9223372036854775808"},
        {"sinceSeconds": "1m"},
        {"sinceTime": "yesterday"},
        {"sinceTime": "2026-11-23"},
        {"sinceTime": "2026-11-23T10:00:00"},
        {"sinceTime": "2026-13-23T10:00:00Z"},
    ],
)
def test_what_cannot_be_decoded_is_a_bad_request(query: dict[str, str]) -> None:
    with pytest.raises(BadLogOptions) as refusal:
        parse(**query)
    assert (refusal.value.status, str(refusal.value)) == (400, '{"message": "Unable to decode query."}')


@pytest.mark.parametrize(
    "query",
    [
        {"tailLines": "-1"},
        {"limitBytes": "0"},
        {"limitBytes": "-5"},
        {"sinceSeconds": "0"},
        {"sinceSeconds": "-1"},
        {"sinceSeconds": "5", "sinceTime": "2026-11-23T10:00:00Z"},
        {"stream": "stdout"},
        {"stream": "Both"},
        {"stream": "Stdout", "tailLines": "5"},
    ],
)
def test_values_out_of_bounds_or_at_odds_are_unprocessable(query: dict[str, str]) -> None:
    with pytest.raises(BadLogOptions) as refusal:
        parse(**query)
    assert (refusal.value.status, str(refusal.value)) == (422, '{"message": "Invalid request."}')


NAMES = st.sampled_from(
    ["follow", "previous", "timestamps", "tailLines", "tail", "limitBytes", "sinceSeconds", "sinceTime", "stream"]
)


@given(st.dictionaries(NAMES, st.lists(st.text(max_size=40), max_size=2)))
def test_any_query_is_decoded_or_refused(query: dict[str, list[str]]) -> None:
    with suppress(BadLogOptions):
        options = parse_log_options(query, NOW)
        assert options.tail is None or options.tail >= 0
        assert options.limit is None or options.limit >= 1
