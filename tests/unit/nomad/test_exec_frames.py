"""What goes over Nomad's exec WebSocket."""

import json
from base64 import b64decode, b64encode
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vnode.nomad import exec_frames
from vnode.nomad.exec_frames import Exited, FrameError, Output


@pytest.mark.parametrize(
    ("frame", "events"),
    [
        ('{"stdout":{"data":"aGk="}}', (Output("stdout", b"hi"),)),
        ('{"stderr":{"data":"aGk="}}', (Output("stderr", b"hi"),)),
        ('{"stdout":{"close":true}}', ()),
        ('{"stdout":{"data":null,"close":true},"stderr":null,"exited":false,"result":null}', ()),
        ('{"exited":true,"result":{}}', (Exited(0),)),
        ('{"exited":true}', (Exited(0),)),
        ('{"exited":true,"result":{"exit_code":137}}', (Exited(137),)),
        ('{"exited":true,"result":{"exit_code":-2}}', (Exited(-2),)),
        ("{}", ()),
        ('{"something":"new"}', ()),
    ],
)
def test_frames_of_nomad(frame: str, events: tuple[object, ...]) -> None:
    assert exec_frames.decode(frame) == events


@pytest.mark.parametrize(
    "frame", ["", "nonsense", "[]", "7", "null", '{"stdout":7}', '{"stdout":{"data":7}}', '{"stdout":{"data":"a"}}',
              '{"exited":true,"result":7}', '{"exited":true,"result":{"exit_code":"x"}}']
)  # fmt: skip
def test_what_is_no_frame(frame: str) -> None:
    with pytest.raises(FrameError):
        exec_frames.decode(frame)


_NAMES = st.sampled_from(["stdout", "stderr", "data", "close", "exited", "result", "exit_code"])
_VALUES: st.SearchStrategy[object] = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([])
_FRAMES = st.dictionaries(_NAMES, _VALUES | st.dictionaries(_NAMES, _VALUES, max_size=3), max_size=3).map(json.dumps)


@settings(max_examples=50)
@given(st.text(max_size=20) | _FRAMES | st.just("[" * 100_000))
def test_nothing_that_comes_breaks_more_than_its_session(frame: str) -> None:
    with suppress(FrameError):
        exec_frames.decode(frame)


@settings(max_examples=50)
@given(st.binary(max_size=2000))
def test_any_output_comes_whole(data: bytes) -> None:
    frame = json.dumps({"stdout": {"data": b64encode(data).decode()}})
    assert exec_frames.decode(frame) == ((Output("stdout", data),) if data else ())


@settings(max_examples=50)
@given(st.binary(max_size=2000))
def test_any_input_goes_whole(data: bytes) -> None:
    assert b64decode(json.loads(exec_frames.stdin(data))["stdin"]["data"]) == data


def test_the_other_frames_of_a_client() -> None:
    assert json.loads(exec_frames.CLOSE_STDIN) == {"stdin": {"close": True}}
    assert json.loads(exec_frames.terminal_size(80, 24)) == {"tty_size": {"height": 24, "width": 80}}
    assert json.loads(exec_frames.HEARTBEAT) == {}
