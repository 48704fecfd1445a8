import pytest

from vnode.kubelet.command_streams import WantedStreams
from vnode.kubelet.upgrade import UpgradeRefused


def test_streams_have_a_kubelets_names() -> None:
    wanted = WantedStreams.parse({"input": "1", "output": "1", "error": "1"})
    assert wanted == WantedStreams(stdin=True, stdout=True, stderr=True)


def test_a_terminal_has_no_stderr() -> None:
    wanted = WantedStreams.parse({"output": "1", "error": "1", "tty": "1"})
    assert wanted == WantedStreams(stdout=True, tty=True)


@pytest.mark.parametrize("query", [{}, {"tty": "1"}, {"tty": "1", "error": "1"}, {"stdin": "true"}])
def test_a_request_for_nothing_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(UpgradeRefused) as refused:
        WantedStreams.parse(query)
    assert (refused.value.status, str(refused.value)) == (
        400,
        "you must specify at least 1 of stdin, stdout, stderr",
    )
