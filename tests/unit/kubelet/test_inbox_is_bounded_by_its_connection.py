import asyncio

import pytest

from vnode.kubelet.inbox import Inbox


class Mail:
    """An inbox of ten bytes, and what it said about itself."""

    def __init__(self) -> None:
        self.said: list[bool] = []
        self.inbox = Inbox(lambda inbox: self.said.append(inbox.full), size=10)


async def test_small_pieces_come_out_together_and_large_ones_alone() -> None:
    inbox = Mail().inbox
    for piece in (b"abc", b"def", b"0123456789ABC", b"x"):
        inbox.put(piece)
    inbox.end()
    assert [await inbox.get() for _ in range(4)] == [b"abcdef", b"0123456789ABC", b"x", b""]


async def test_it_says_when_it_is_full_and_when_it_is_not_any_more() -> None:
    mail = Mail()
    for _ in range(4):
        mail.inbox.put(b"12345")
    assert mail.said == [True]
    await mail.inbox.get()
    assert mail.said == [True]
    await mail.inbox.get()
    assert mail.said == [True, False]


async def test_what_came_before_the_end_is_read() -> None:
    inbox = Mail().inbox
    inbox.put(b"last")
    inbox.end()
    inbox.put(b"too late")
    assert [await inbox.get(), await inbox.get(), await inbox.get()] == [b"last", b"", b""]


async def test_a_failure_drops_what_waits_and_frees_the_connection() -> None:
    mail = Mail()
    mail.inbox.put(b"x" * 20)
    mail.inbox.fail(ConnectionResetError("gone"))
    assert mail.said == [True, False]
    with pytest.raises(ConnectionResetError):
        await mail.inbox.get()


async def test_a_reader_that_waits_is_woken() -> None:
    inbox = Mail().inbox
    reader = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.discard()
    assert await reader == b""
