"""`vnode run` uses uvloop, whose transports are its own; asyncio's suffice for everybody else's tests."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from tests.unit.kubelet import test_command_streams_reach_the_client as commands
from tests.unit.kubelet import test_ports_are_forwarded as ports

Test = Callable[[], Coroutine[Any, Any, None]]


@pytest.mark.parametrize(
    "scene",
    [
        commands.test_a_command_talks_to_its_client,
        commands.test_a_client_that_goes_away_cancels_its_command,
        commands.test_a_client_that_goes_away_while_its_input_waits_is_seen,
        commands.test_input_that_is_not_read_stops_at_a_bound,
        ports.test_bytes_go_both_ways,
        ports.test_a_half_closed_connection_still_answers,
        ports.test_many_connections_live_at_once_and_outlive_each_other,
        ports.test_a_port_where_nobody_listens_is_told_on_the_error_stream_and_spares_the_others,
        ports.test_a_program_that_breaks_off_ends_its_connection_only,
        ports.test_the_tunnel_carries_the_same_in_a_websocket,
    ],
)
def test_the_same_holds(scene: Test) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scene())
