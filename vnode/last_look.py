"""The last look at the fence, as sessions of aiohttp take it: with the connection open, before bytes are written.

The wait for a connection, or a pause of this process after the first look, may have been long.
"""

from typing import Any

import aiohttp

from vnode.fence import demand


def last_look() -> aiohttp.TraceConfig:
    """For `trace_configs` of a session; requests name their fence as `trace_request_ctx`."""

    async def look(_: aiohttp.ClientSession, context: Any, __: aiohttp.TraceRequestHeadersSentParams) -> None:
        demand(context.trace_request_ctx)

    # Called by StreamWriter.write_headers before anything is in its buffer.
    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(look)
    return config
