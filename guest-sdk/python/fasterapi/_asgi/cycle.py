"""One HTTP request through an ASGI application.

The response's head is held until the first part of the body is there, so that a whole response goes out in one piece; an
application that stops to wait in between has its head sent on then (`send_held_head`). Until something was sent, a failure can
still become a clean 500.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any

from .._wasm.loop import told_by_host
from .types import ASGIApp, Headers, Message, Scope, Sink, Source
from .waiting import Waiters

logger = logging.getLogger("fasterapi.error")

LENT = b":body"
"""Stands among a response's headers for a body that the host lends (wit/world.wit). No header can have this name."""

_START, _HELD, _OPEN, _WHOLE, _COMPLETE = range(5)


class Cycle:
    """The state of one request and its response."""

    __slots__ = ("_chunk", "_expected", "_headers", "_no_body", "_promised", "_sink", "_source", "_stage", "_status", "_waiters", "before_sleep", "disconnected", "scope")

    def __init__(self, scope: Scope, body: bytes | None, source: Source | None, sink: Sink, before_sleep: list[Any]) -> None:
        """`body` is the first part of the request's body, `source` the rest."""
        self.scope = scope
        self.disconnected = False
        self.before_sleep = before_sleep
        self._chunk: bytes | None = body
        self._source = source
        self._expected = -1 if source is None else _content_length(scope["headers"]) - len(body or b"")
        self._sink = sink
        self._stage = _START
        self._waiters = Waiters()

    async def run(self, app: ASGIApp) -> None:
        """Runs the application on this request to its end, BackgroundTasks included. Raises nothing."""
        try:
            result: object = await app(self.scope, self.receive, self.send)
        except BaseException as error:
            self._failed(error)
        else:
            self._returned(result)
        self._over()
        if self._source is not None:
            self._source.close()
        await self._sink.finished()

    def disconnect(self) -> None:
        """The client has gone: `receive` says so, `send` does nothing more."""
        if not self.disconnected:
            self.disconnected = True
            self._waiters.notify()

    # --- the application's two callables ---

    async def receive(self) -> Message:
        """ASGI's `receive`."""
        while not self.disconnected and self._stage != _COMPLETE:
            source = self._source
            if self._chunk is not None:
                chunk, self._chunk = self._chunk, None
                return {"type": "http.request", "body": chunk, "more_body": source is not None}
            if source is not None and not source.busy:
                source.read(self._arrived)
            else:
                with told_by_host():
                    await self._waiters.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """ASGI's `send`."""
        if self.disconnected:
            await asyncio.sleep(0)  # an application that never stops sending must leave its task a chance to be cancelled
            return
        kind = message["type"]
        if self._stage == _START:
            self._start(kind, message)
        elif self._stage == _COMPLETE:
            raise RuntimeError(f"Unexpected ASGI message '{kind}' sent, after response already completed.")
        elif kind != "http.response.body":
            raise RuntimeError(f"Expected ASGI message 'http.response.body', but got '{kind}'.")
        else:
            await self._body(message.get("body", b""), message.get("more_body", False))

    # --- the response ---

    def _start(self, kind: str, message: Message) -> None:
        if kind != "http.response.start":
            raise RuntimeError(f"Expected ASGI message 'http.response.start', but got '{kind}'.")
        self._status = status = message["status"]
        self._headers: Headers = [_header(name, value) for name, value in message.get("headers", ())]
        self._no_body = status == 204 or status == 304 or status < 200 or self.scope["method"] == "HEAD"
        self._promised = -1 if self._no_body else _promised(self._headers)
        self._stage = _HELD
        self.before_sleep.append(self.send_held_head)

    async def _body(self, body: bytes, more: bool) -> None:
        if type(body) is not bytes:
            body = bytes(body)
        if self._no_body:
            body = b""
        elif self._promised >= 0:
            self._count(len(body), more)
        if self._stage == _HELD:
            self._first(body, more)
        elif self._stage == _OPEN:
            if body:
                await self._sink.write(body)
            if not more:
                self._sink.end(True)
        if not more:
            self._stage = _COMPLETE
            self._waiters.notify()

    def _first(self, body: bytes, more: bool) -> None:
        if self.send_held_head in self.before_sleep:
            self.before_sleep.remove(self.send_held_head)
        if more and self._promised and not self._no_body:
            self._sink.open(self._status, self._headers, body)
            self._stage = _OPEN
        else:  # it is all there, though the application may not have said so yet
            self._sink.respond(self._status, self._headers, body)
            self._stage = _WHOLE

    def send_held_head(self) -> None:
        """Sends the head without waiting longer for a body."""
        if self._stage == _HELD and not self.disconnected:
            try:
                if self._promised:
                    self._sink.open(self._status, self._headers, b"")
                    self._stage = _OPEN
                else:
                    self._sink.respond(self._status, self._headers, b"")
                    self._stage = _WHOLE
            except Exception as error:  # the transport refuses the head, and the application is not here to be told
                self._failed(error)
                self._stage = _COMPLETE
                self.disconnect()

    def _count(self, length: int, more: bool) -> None:
        self._promised -= length
        if self._promised < 0:
            raise RuntimeError("Response content longer than Content-Length")
        if not more and self._promised:
            raise RuntimeError("Response content shorter than Content-Length")
        if not more:
            self._promised = -1

    # --- the request body ---

    def give_body(self) -> tuple[bytes, Any] | None:
        """The body for somebody else to read: what is here of it, and the host's stream of the rest. `receive` tells only of the client's
        leaving from then on. None: some of it was read already, or is being read."""
        if self._chunk is None or self.disconnected:
            return None
        source = self._source
        rest = None if source is None else source.give()
        if source is not None and rest is None:
            return None
        first, self._chunk, self._source = self._chunk, None, None
        return first, rest

    def _arrived(self, data: bytes) -> None:
        self._expected -= len(data)
        if not data:
            self._source = None
            if self._expected > 0:  # cut short: it must not look complete
                self.disconnected = True
        self._chunk = data
        self._waiters.notify()

    # --- the end ---

    def _returned(self, result: object) -> None:
        if result is not None:
            logger.error("ASGI callable should return None, but returned '%s'.", result)
        if self._stage == _START:
            self._no_response("ASGI callable returned without starting response.")
        elif self._stage == _HELD:
            self._no_response("ASGI callable returned without completing response.")
        elif self._stage in (_OPEN, _WHOLE) and not self.disconnected:
            logger.error("ASGI callable returned without completing response.")

    def _no_response(self, why: str) -> None:
        self._sink.fail("the client has gone" if self.disconnected else why)

    def _failed(self, error: BaseException) -> None:
        if self._stage in (_START, _HELD):
            self._sink.fail("".join(traceback.format_exception(error)))
        elif not self.disconnected:
            logger.error("Exception in ASGI application\n", exc_info=error)

    def _over(self) -> None:
        if self._stage == _HELD and self.send_held_head in self.before_sleep:
            self.before_sleep.remove(self.send_held_head)
        if self._stage == _OPEN:
            self._sink.end(False)
        self._stage = _COMPLETE
        self._waiters.notify()


def _header(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if b"\0" in name or b"\0" in value:
        raise RuntimeError(f"Invalid HTTP header {name!r}: it contains a NUL character.")
    return name.lower(), value


def _promised(headers: Headers) -> int:
    """How many bytes of a body there will be; -1: as many as come."""
    if any(name == LENT for name, _ in headers):
        return 0
    return _content_length(headers)


def _content_length(headers: Headers) -> int:
    for name, value in headers:
        if name == b"content-length":
            try:
                return int(value)
            except ValueError:
                return -1
    return -1
