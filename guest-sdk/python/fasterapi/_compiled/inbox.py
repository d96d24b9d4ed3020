"""A request's `receive`, for code that sees the request."""

from __future__ import annotations

import asyncio
from typing import Any


class Inbox:
    """A request's `receive`: the body that is there, then what the server says."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._linked: asyncio.Future[Any] | None = None
        self._receive: Any = None

    async def __call__(self) -> Any:
        """ASGI's `receive`."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self._receive is None:
            self._linked = self._linked or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._linked)
        message = await self._receive()
        return message if message["type"] != "http.request" else await self._receive()

    def link(self, receive: Any) -> None:
        """The ASGI lane has the request now."""
        self._receive = receive
        if self._linked is not None and not self._linked.done():
            self._linked.set_result(None)
