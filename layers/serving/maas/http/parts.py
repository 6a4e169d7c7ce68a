"""An answer in parts, to somebody who may go away meanwhile. On a server alone: it waits.

May import `maas.http.asgi`.

    await send_parts(send, receive, parts)
"""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from maas.http.asgi import Receive, Send


async def send_parts(
    send: "Send", receive: "Receive", parts: "AsyncIterable[bytes]"
) -> BaseException | None:
    """Send a body part by part; what nobody waits for any more is left.

    Args:
        send: Where the parts go; the head has been sent.
        receive: Says when the caller has gone.
        parts: The bytes.

    Returns:
        What broke the body off, if anything did. A Rust panic is no Exception.
    """
    sending = asyncio.ensure_future(_send(send, parts))
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in (sending, gone):
            each.cancel()
        ends = await asyncio.gather(sending, gone, return_exceptions=True)
    failures = (end for end in ends if end is not None)
    return next((end for end in failures if not isinstance(end, asyncio.CancelledError)), None)


async def _send(send: "Send", parts: "AsyncIterable[bytes]") -> None:
    async for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: "Receive") -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
