"""The transport of WebSockets: `fasterapi:websocket/endpoint` (wit/deps)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from componentize_py_types import Err, Ok
from wit_world.exports.endpoint import Answer

from .._asgi import scope as scopes
from .._asgi.lifespan import Lifespan
from .._asgi.types import ASGIApp, Headers
from .._asgi.websocket import CLOSE, Conversation, Frames, frame, scope_of
from .calls import Scheduler
from .fast import pack
from .streams import ByteSink, ByteSource

_SMALL = 4 * 1024
"""Bytes that an idle WebSocket keeps ready for the next message."""

_LARGE = 64 * 1024
_MUCH = 64 * 1024
"""Bytes that may wait for the client before who sends more waits, too (asyncio's own mark)."""


class WebSockets:
    """The export over one application."""

    def __init__(self, scheduler: Scheduler, app: ASGIApp, lifespan: Lifespan) -> None:
        self._scheduler = scheduler
        self._app = app
        self._lifespan = lifespan

    def serve(self, head: str, incoming: Any) -> Callable[[Callable[[Any], None]], Coroutine[Any, Any, None]]:
        """Serves one WebSocket."""

        async def work(resolve: Callable[[Any], None]) -> None:
            scope = scope_of(scopes.from_head(head, self._lifespan.state))
            sink = _Sink(self._scheduler, resolve)
            sink.conversation = conversation = Conversation(scope, _Source(self._scheduler, incoming), sink)
            try:
                await conversation.run(self._app)
            finally:
                del sink.conversation

        return work


class _Source:
    """What the client sends."""

    __slots__ = ("_bytes", "_frames", "_on_message")

    def __init__(self, scheduler: Scheduler, incoming: Any) -> None:
        self._bytes = ByteSource(scheduler, incoming)
        self._frames = Frames()
        self._on_message: Callable[[int, bytes], None]

    def read(self, on_message: Callable[[int, bytes], None]) -> None:
        self._on_message = on_message
        self._next()

    async def finished(self) -> None:
        # The read under way belongs to this call: nobody would hear of its end once the call is over.
        self._bytes.close()
        await self._bytes.drain()

    def _next(self) -> None:
        found = self._frames.take()
        if found is not None:
            self._on_message(*found)
        else:
            self._bytes.read(self._arrived, _SMALL if self._frames.wanted <= _SMALL else _LARGE)

    def _arrived(self, data: bytes) -> None:
        if data:
            self._frames.feed(data)
            self._next()
        else:  # a host closes it only when it cuts everything
            self._on_message(CLOSE, (1006).to_bytes(2, "little"))


class _Sink:
    """The answer, and what the client is sent."""

    __slots__ = ("_resolve", "_scheduler", "_stream", "conversation")

    def __init__(self, scheduler: Scheduler, resolve: Callable[[Any], None]) -> None:
        self._scheduler = scheduler
        self._resolve = resolve
        self._stream: ByteSink | None = None
        self.conversation: Conversation

    def accept(self, headers: Headers) -> None:
        self._stream = stream = ByteSink(self._scheduler, self._gone)
        self._resolve(Ok(Answer(pack(101, headers), "", stream.open())))

    def refuse(self, status: int, headers: Headers, body: bytes) -> None:
        self._resolve(Ok(Answer(pack(status, headers), body.decode("latin-1"), None)))

    def fail(self, traceback: str) -> None:
        self._resolve(Err(traceback))

    async def write(self, kind: int, data: bytes) -> None:
        stream = self._stream
        if stream is not None:
            stream.write(frame(kind, data))
            if stream.waiting > _MUCH:
                await stream.drain()

    def close(self, code: int, reason: str) -> None:
        if self._stream is not None:
            data = code.to_bytes(2, "little") + reason.encode()[:123].decode(errors="ignore").encode()
            self._stream.write(frame(CLOSE, data))
            self._stream.close()

    async def finished(self) -> None:
        if self._stream is not None:
            self._stream.close()
            await self._stream.drain()

    def _gone(self) -> None:
        self.conversation.gone()
