"""Byte streams of the component model, with what the bundled ones lack: an operation under way survives the cancellation
of whoever waited for it, and an end with an operation under way is closed when that is over (closing it before is a trap)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from .._asgi.waiting import Waiters
from .calls import Scheduler

_DROPPED = 1
_CHUNK = 64 * 1024


class Carrier:
    """A readable end on its way out of the component: what the runtime asks of a stream or future that is given away."""

    __slots__ = ("finalizer", "handle")

    class _Finalizer:
        __slots__ = ()

        def detach(self) -> tuple[()]:
            """Nothing was registered."""
            return ()

    _finalizer = _Finalizer()

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.finalizer = self._finalizer


class ByteSource:
    """The readable end of a `stream<u8>`, read by callback."""

    __slots__ = ("_closed", "_handle", "_on_data", "_scheduler", "_type", "_waiters", "busy")

    def __init__(self, scheduler: Scheduler, reader: Any) -> None:
        """Takes the handle out of a reader made by the runtime."""
        reader.finalizer.detach()
        self._scheduler = scheduler
        self._type: int = reader.type_
        self._handle: int = reader.handle
        reader.handle = None
        self._closed = False
        self._on_data: Callable[[bytes], None]
        self._waiters = Waiters()
        self.busy = False

    def read(self, on_data: Callable[[bytes], None], most: int = _CHUNK) -> None:
        """Calls `on_data` with the next bytes, now or later; with none at the end. One read at a time. Memory for `most` bytes is held
        meanwhile."""
        self._on_data = on_data
        result = self._scheduler.runtime.stream_read(self._type, self._handle, most)
        if type(result) is self._scheduler.ok:
            self._arrived(*result.value)
        else:
            self.busy = True
            self._scheduler.watch(*result.value).add_done_callback(self._completed)

    def give(self) -> Carrier | None:
        """The stream, for the host to read; none when it is being read or is over."""
        if self._closed or self.busy:
            return None
        self._closed = True
        return Carrier(self._handle)

    def close(self) -> None:
        """Tells the writer that nobody reads any more."""
        if self._closed:
            return
        self._closed = True
        if not self.busy:
            self._scheduler.runtime.stream_drop_readable(self._type, self._handle)

    async def drain(self) -> None:
        """Waits until no read is under way; then, if asked for, the stream is closed."""
        while self.busy:
            await self._waiters.wait()

    def _completed(self, future: asyncio.Future[Any]) -> None:
        self.busy = False
        if self._closed:
            self._scheduler.runtime.stream_drop_readable(self._type, self._handle)
        else:
            self._arrived(*future.result())
        self._waiters.notify()

    def _arrived(self, code: int, data: bytes) -> None:
        if not data and code == _DROPPED:
            self.close()
        self._on_data(data)


class ByteSink:
    """The writable end of a `stream<u8>`: a queue that empties as the reader reads."""

    __slots__ = ("_busy", "_handle", "_on_gone", "_open", "_queue", "_scheduler", "_waiters", "closing", "waiting")

    def __init__(self, scheduler: Scheduler, on_gone: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._on_gone = on_gone
        self._queue: deque[bytes] = deque()
        self._waiters = Waiters()
        self._handle = 0
        self._open = False
        self._busy = False
        self.closing = False
        self.waiting = 0
        """How many bytes the reader has not taken."""

    def open(self) -> Carrier:
        """Makes the stream and gives its readable end."""
        pair = self._scheduler.runtime.stream_new(self._scheduler.stream_type)
        self._handle = pair >> 32
        self._open = True
        return Carrier(pair & 0xFFFFFFFF)

    def write(self, *pieces: bytes) -> None:
        """Queues bytes. Does nothing once the reader has gone."""
        if self._open and not self.closing:
            self._queue.extend(pieces)
            self.waiting += sum(map(len, pieces))
            if not self._busy:
                self._pump()

    def close(self) -> None:
        """Closes the stream when everything written has been read."""
        self.closing = True
        if not self._busy:
            self._pump()

    async def drain(self) -> None:
        """Waits until everything written has been read or the reader has gone; then, if asked for, the stream is closed."""
        while self._busy:
            await self._waiters.wait()

    def _pump(self) -> None:
        scheduler, queue = self._scheduler, self._queue
        while queue and self._open:
            result = scheduler.runtime.stream_write(scheduler.stream_type, self._handle, queue[0])
            if type(result) is not scheduler.ok:
                self._busy = True
                scheduler.watch(*result.value).add_done_callback(self._completed)
                return
            self._written(*result.value)
        if self.closing and self._open:
            self._drop()
        self._waiters.notify()

    def _completed(self, future: asyncio.Future[Any]) -> None:
        self._busy = False
        self._written(*future.result())
        self._pump()

    def _written(self, code: int, count: int) -> None:
        piece = self._queue.popleft()
        self.waiting -= count
        if code == _DROPPED:
            self._queue.clear()
            self._drop()
            self._on_gone()
        elif count < len(piece):
            self._queue.appendleft(piece[count:])

    def _drop(self) -> None:
        self._open = False
        self._scheduler.runtime.stream_drop_writable(self._scheduler.stream_type, self._handle)
