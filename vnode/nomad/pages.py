"""Lists of Nomad, page by page.

Source: nomad/state/paginator (1.11.3): an answer names the token where the next page begins, and the last one none.
"""

from collections.abc import AsyncIterator, Mapping

from vnode.nomad.transport import Transport

#: Rows of one page; decoding one, up to 7 KB a row, must not hold up the event loop.
PAGE = 200


async def pages(
    transport: Transport, path: str, query: Mapping[str, str], *, compressed: bool = False
) -> AsyncIterator[bytes]:
    """The bodies of all pages of a list; raises what a request raises."""
    asked = {**query, "per_page": str(PAGE)}
    while True:
        reply = await transport.request("GET", path, asked, compressed=compressed)
        yield reply.body
        if not reply.next_token:
            return
        asked["next_token"] = reply.next_token
