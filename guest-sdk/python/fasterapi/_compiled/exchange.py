"""The two ends of a request's exchange, `receive` and `send`, while the ASGI lane does not have it."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Message, Receive, Send

from .plan import packed
from .tasks import outcome_of

_NO_BODY = (204, 304)


class Inbox:
    """A request's `receive`: the body that is there, then what the server says."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._linked: asyncio.Future[None] | None = None
        self._receive: Receive | None = None

    async def __call__(self) -> Message:
        """ASGI's `receive`."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self._receive is None:
            self._linked = self._linked or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._linked)
        receive: Any = self._receive
        message: Message = await receive()
        return message if message["type"] != "http.request" else await receive()

    def link(self, receive: Receive) -> None:
        """The ASGI lane has the request now."""
        self._receive = receive
        _set(self._linked)

    def is_whole(self) -> bool:
        """Whether nothing of the body was taken."""
        return self._body is not None

    def take(self) -> None:
        """Takes the body."""
        self._body = None


class Outbox:
    """A response's `send`: keeps the messages of an answer that comes at once, until somebody takes them."""

    def __init__(self, largest: int, loop: Any) -> None:
        """`largest`: bytes of a body that is kept."""
        self.start: Any = None
        """The message that begins the answer."""
        self.parts: list[bytes] = []
        """Its body."""
        self.is_complete = False
        self._size = 0
        self._largest = largest
        self._loop = loop
        self._send: Send | None = None
        self._linked: asyncio.Future[None] | None = None

    async def __call__(self, message: Message) -> None:
        """ASGI's `send`."""
        if self._send is None and not self._keep(message):
            self._linked = self._linked or self._loop.create_future()
            await asyncio.shield(self._linked)
        if self._send is not None:
            await self._send(message)

    def _keep(self, message: Message) -> bool:
        """Keeps a message. False: who takes them has to say what becomes of it."""
        kind = message["type"]
        if kind == "http.response.start" and self.start is None and self.may_start(message):
            self.start = message
            return True
        if kind != "http.response.body" or self.start is None or self.is_complete:
            return False
        body = message.get("body", b"")
        size = self._size + len(body)
        is_last = not message.get("more_body", False)
        if size > self._largest or (is_last and not self.may_end(size)):
            return False
        self._size = size
        self.parts.append(body)
        self.is_complete = is_last
        return True

    def keep_all(self, status: int, headers: list[tuple[bytes, bytes]], parts: list[bytes]) -> bool:
        """Keeps an answer that nothing follows, in one go. False: it is to be sent as any other."""
        start = {"type": "http.response.start", "status": status, "headers": headers}
        size = len(parts[0]) if len(parts) == 1 else sum(map(len, parts))
        if self._send is not None or self.start is not None or size > self._largest or not self.may_start(start) or not self.may_end(size):
            return False
        self.start, self.parts, self._size, self.is_complete = start, parts, size, True
        return True

    def may_start(self, message: Message) -> bool:
        """Whether an answer that begins so is kept."""
        return True

    def may_end(self, size: int) -> bool:
        """Whether an answer with a body of this size is kept."""
        return True

    async def link(self, send: Send) -> None:
        """Gives the messages to `send`, and has it take those that follow."""
        if self.start is not None:
            await send(self.start)
        for place, part in enumerate(self.parts):  # it grows meanwhile
            is_last = self.is_complete and place == len(self.parts) - 1
            await send({"type": "http.response.body", "body": part, "more_body": not is_last})
        self._send = send
        _set(self._linked)


    async def see_out(self, task: asyncio.Task[Any], send: Send) -> None:
        """Links the end, and waits for the task that sends here. What it raises is raised."""
        try:
            await self.link(send)
        except BaseException:
            task.cancel()
            raise
        await outcome_of(task)


class Reply(Outbox):
    """The answer to a request of the compiled lane."""

    _length: int | None = None
    """Bytes of the body. None: the head does not say it, and there can be no body."""

    def may_start(self, message: Message) -> bool:
        """Not one whose length only shows in the end: a server sends it in another way."""
        lengths = [value for name, value in message.get("headers", ()) if len(name) == 14 and name.lower() == b"content-length"]
        if len(lengths) == 1 and lengths[0].isdigit():
            self._length = int(lengths[0])
            return True
        return not lengths and message["status"] in _NO_BODY

    def may_end(self, size: int) -> bool:
        """Not one with another length: a server refuses it."""
        return size == (self._length or 0)

    def text(self) -> str | None:
        """All of it as a reply's text. None: it is not there, or has no valid head."""
        if not self.is_complete:
            return None
        return packed(self.start["status"], self.start.get("headers", ()), b"".join(self.parts))


class Inner(Outbox):
    """An answer that middleware does something with. What follows it, in there, waits until it was sent."""

    def __init__(self, largest: int, loop: Any, *, direct: bool) -> None:
        """`direct`: whether it has only what sends here itself, so that it knows what follows."""
        super().__init__(largest, loop)
        self._direct = direct
        self._sent: asyncio.Future[None] | None = None

    async def __call__(self, message: Message) -> None:
        """ASGI's `send`."""
        await super().__call__(message)
        if self.is_complete and self._send is None:
            self._sent = self._loop.create_future()
            await self._sent

    def keep_all(self, status: int, headers: list[tuple[bytes, bytes]], parts: list[bytes]) -> bool:
        """Keeps an answer that nothing follows, in one go. False: it is to be sent as any other."""
        return self._direct and super().keep_all(status, headers, parts)

    async def link(self, send: Send) -> None:
        """Gives the messages to `send`, and has it take those that follow."""
        await super().link(send)
        _set(self._sent)

    def go_on(self) -> None:
        """The answer was sent: what follows it runs, now."""
        if self._sent is not None and not self._sent.done():
            self._sent.set_result(None)
            self._loop.run_latest()


def _set(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
