"""The fast transport: `fasterapi:app/http`, `compiled` and `lifecycle` (wit/world.wit, HOST_PROTOCOL.md).

Heads and bodies cross as latin-1 strings, because componentize-py 0.25.1 never frees a `list<u8>` that a guest returns.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from componentize_py_types import Err, Ok
from wit_world.exports.http import Response

from .._asgi import scope as scopes
from .._asgi.cycle import Cycle
from .._asgi.lifespan import Lifespan, LifespanError
from .._asgi.types import ASGIApp, Headers
from .calls import Scheduler
from .streams import ByteSink, ByteSource

if TYPE_CHECKING:
    from .._compiled.lane import Lane

_LARGEST_STRING = 256 * 1024
"""Bytes. A longer body is streamed: as a string it would be in memory four times, and a component's memory never shrinks."""

_PIECE = 128 * 1024
_END = b"\0\0\0\0"


class FastHttp:
    """The exports over one application."""

    def __init__(self, scheduler: Scheduler, app: ASGIApp, lane: Lane | None = None) -> None:
        self._scheduler = scheduler
        self._app = app
        self._lane = lane
        self._cycles: dict[int, Cycle] = {}
        self.lifespan = Lifespan(app)

    def handle(self, request: int, head: str, body: bytes, more: Any) -> Callable[[Callable[[Any], None]], Coroutine[Any, Any, None]]:
        """Answers one request."""

        async def work(resolve: Callable[[Any], None]) -> None:
            scheduler = self._scheduler
            source = None if more is None else ByteSource(scheduler, more)
            sink = _FastSink(scheduler, resolve)
            scope = scopes.from_head(head, self.lifespan.state)
            sink.cycle = self._cycles[request] = cycle = Cycle(scope, body, source, sink, scheduler.before_sleep)
            begun = self._lane is not None and self._lane.has_begun(request)
            try:
                await cycle.run(self._lane.finish if begun and self._lane else self._app)
            finally:
                del self._cycles[request], sink.cycle

        return work

    async def disconnect(self, request: int) -> None:
        """The client of a request has gone."""
        cycle = self._cycles.get(request)
        if cycle is not None:
            cycle.disconnect()

    async def startup(self) -> None:
        """Runs the application's start-up."""
        if self._lane is not None:
            self._lane.before_start_up()
        if self._lane is None or self._lane.needs_start_up():
            try:
                await self.lifespan.startup()
            except LifespanError as error:
                raise Err(str(error)) from None
        if self._lane is not None:
            self._lane.started(self._scheduler.loop, self.lifespan.state)

    async def shutdown(self) -> None:
        """Runs the application's shut-down."""
        try:
            await self.lifespan.shutdown()
        except LifespanError as error:
            raise Err(str(error)) from None


class _FastSink:
    """The response of one call of `handle`."""

    __slots__ = ("_resolve", "_scheduler", "_stream", "cycle")

    def __init__(self, scheduler: Scheduler, resolve: Callable[[Any], None]) -> None:
        self._scheduler = scheduler
        self._resolve = resolve
        self._stream: ByteSink | None = None
        self.cycle: Cycle

    def respond(self, status: int, headers: Headers, body: bytes) -> None:
        if len(body) > _LARGEST_STRING:
            self.open(status, headers, b"")
            self._queue(body)
            self.end(True)
        else:
            self._resolve(Ok(Response(pack(status, headers), body.decode("latin-1"), None)))

    def open(self, status: int, headers: Headers, first: bytes) -> None:
        head = pack(status, headers)
        self._stream = stream = ByteSink(self._scheduler, self._gone)
        long = len(first) > _LARGEST_STRING
        text = "" if long else first.decode("latin-1")
        self._resolve(Ok(Response(head, text, stream.open())))
        if long:
            self._queue(first)

    async def write(self, data: bytes) -> None:
        self._queue(data)
        if self._stream is not None:
            await self._stream.drain()

    def end(self, whole: bool) -> None:
        if self._stream is not None:
            if whole:
                self._stream.write(_END)
            self._stream.close()

    def fail(self, traceback: str) -> None:
        self._resolve(Err(traceback))

    async def finished(self) -> None:
        if self._stream is not None:
            await self._stream.drain()

    def _queue(self, data: bytes) -> None:
        if self._stream is not None:
            self._stream.write(*_frames(data))

    def _gone(self) -> None:
        self.cycle.disconnect()


def _frames(data: bytes) -> Iterator[bytes]:
    if len(data) <= _PIECE:
        if data:
            yield len(data).to_bytes(4, "little") + data
        return
    view = memoryview(data)
    for start in range(0, len(data), _PIECE):
        piece = view[start : start + _PIECE]
        yield len(piece).to_bytes(4, "little") + piece


def pack(status: int, headers: Headers) -> str:
    """A response head, as it crosses."""
    fields = [b"%d" % status]
    for header in headers:
        fields += header
    return b"\0".join(fields).decode("latin-1")
