from contextlib import ExitStack

import pytest

from vnode.nomad.budget import StreamBudget
from vnode.nomad.errors import TooManyStreams


def test_one_stream_too_many_is_told_why() -> None:
    budget = StreamBudget(total=2)
    with ExitStack() as held:
        held.enter_context(budget.stream())
        held.enter_context(budget.stream())
        with pytest.raises(TooManyStreams, match="http_max_conns_per_client"), budget.stream():
            pass
    with budget.stream():
        pass
