"""One WebSocket through an ASGI application.

As under uvicorn: the same scope, the same messages, the same errors. One message is read ahead of the application, so that it learns of
the client's leaving although it does not ask; no more than that, so that a client cannot fill the memory.
"""

from __future__ import annotations

import logging
import traceback
from collections import deque
from typing import Any

from .types import ASGIApp, Headers, Message, MessageSink, MessageSource, Scope
from .waiting import Waiters

logger = logging.getLogger("fasterapi.error")

TEXT, BINARY, CLOSE = 1, 2, 8

_ABNORMAL = 1006
_ASKED, _OPEN, _ANSWERING, _CLOSED = range(4)
_PLAIN = (b"content-type", b"text/plain; charset=utf-8")


class ClientDisconnected(OSError):
    """The client has gone: nothing can be sent any more."""


class Conversation:
    """The state of one WebSocket."""

    __slots__ = ("_body", "_head", "_messages", "_sink", "_source", "_stage", "_waiters", "disconnected", "scope")

    def __init__(self, scope: Scope, source: MessageSource, sink: MessageSink) -> None:
        self.scope = scope
        self.disconnected = False
        self._source = source
        self._sink = sink
        self._stage = _ASKED
        self._messages: deque[Message] = deque([{"type": "websocket.connect"}])
        self._waiters = Waiters()
        self._head: tuple[int, list[tuple[bytes, bytes]]]
        self._body = b""
        source.read(self._arrived)

    async def run(self, app: ASGIApp) -> None:
        """Runs the application on this WebSocket to its end. Raises nothing."""
        code = 1000
        try:
            result: object = await app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except BaseException as error:
            code = 1011
            self._failed(error)
        else:
            self._returned(result)
        if self._stage == _OPEN:
            self._end(code, "")
        self._stage = _CLOSED
        await self._sink.finished()
        await self._source.finished()

    # --- the application's two callables ---

    async def receive(self) -> Message:
        """ASGI's `receive`. After the end it says the same again."""
        while not self._messages:
            await self._waiters.wait()
        if self._messages[0]["type"] == "websocket.disconnect":
            return dict(self._messages[0])
        message = self._messages.popleft()
        if not self._messages and message["type"] == "websocket.receive":
            self._source.read(self._arrived)
        return message

    async def send(self, message: Message) -> None:
        """ASGI's `send`."""
        if self.disconnected:
            raise ClientDisconnected
        kind = message["type"]
        if self._stage == _ASKED:
            self._answer(kind, message)
        elif self._stage == _OPEN:
            await self._say(kind, message)
        elif self._stage == _ANSWERING:
            self._refusal(kind, message)
        else:
            raise RuntimeError(f"Unexpected ASGI message '{kind}', after sending 'websocket.close'.")

    # --- the opening handshake ---

    def _answer(self, kind: str, message: Message) -> None:
        if kind == "websocket.accept":
            headers = [(name.lower(), value) for name, value in message.get("headers") or ()]
            subprotocol = message.get("subprotocol")
            if subprotocol:
                headers.append((b"sec-websocket-protocol", subprotocol.encode("latin-1")))
            self._sink.accept(headers)
            self._stage = _OPEN
        elif kind == "websocket.close":
            self._refuse(403, [_PLAIN], b"")
        elif kind == "websocket.http.response.start":
            status = message["status"]
            if not 100 <= status < 600:
                raise RuntimeError(f"Invalid HTTP status code '{status}' in response.")
            self._head = status, [(name.lower(), value) for name, value in message.get("headers") or ()]
            self._stage = _ANSWERING
        else:
            raise RuntimeError(
                f"Expected ASGI message 'websocket.accept', 'websocket.close' or 'websocket.http.response.start' but got '{kind}'."
            )

    def _refusal(self, kind: str, message: Message) -> None:
        if kind != "websocket.http.response.body":
            raise RuntimeError(f"Expected ASGI message 'websocket.http.response.body' but got '{kind}'.")
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            status, headers = self._head
            if not any(name == b"content-type" for name, _ in headers):
                headers.append(_PLAIN)
            self._refuse(status, headers, self._body)

    def _refuse(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        if not any(name == b"content-length" for name, _ in headers):
            headers.append((b"content-length", b"%d" % len(body)))
        self._sink.refuse(status, headers, body)
        self._stage = _CLOSED
        self._over(_ABNORMAL, "")

    # --- messages ---

    async def _say(self, kind: str, message: Message) -> None:
        if kind == "websocket.send":
            data, text = message.get("bytes"), message.get("text")
            if data is not None:
                await self._sink.write(BINARY, bytes(data))
            elif text is not None:
                await self._sink.write(TEXT, text.encode())
        elif kind == "websocket.close":
            self._end(message.get("code", 1000), message.get("reason") or "")
        else:
            raise RuntimeError(f"Expected ASGI message 'websocket.send' or 'websocket.close', but got '{kind}'.")

    def _end(self, code: int, reason: str) -> None:
        self._stage = _CLOSED
        self._sink.close(code, reason)
        self._over(code, reason)

    def _arrived(self, kind: int, data: bytes) -> None:
        if kind == CLOSE:
            self._left(int.from_bytes(data[:2], "little"), data[2:].decode())
        elif self._stage == _CLOSED:
            self._source.read(self._arrived)
        else:
            self._messages.append({"type": "websocket.receive", "text": data.decode()} if kind == TEXT else {"type": "websocket.receive", "bytes": data})
            self._waiters.notify()

    def gone(self) -> None:
        """Nobody takes what is sent any more."""
        self._left(_ABNORMAL, "")

    def _left(self, code: int, reason: str) -> None:
        self.disconnected = True
        if self._stage != _CLOSED:
            self._over(code, reason)

    def _over(self, code: int, reason: str) -> None:
        if not self._messages or self._messages[-1]["type"] != "websocket.disconnect":
            self._messages.append({"type": "websocket.disconnect", "code": code, "reason": reason})
            self._waiters.notify()

    # --- the end ---

    def _returned(self, result: object) -> None:
        if self._stage in (_ASKED, _ANSWERING):
            self._no_answer("ASGI callable returned without completing handshake.")
        elif result is not None:
            logger.error("ASGI callable should return None, but returned '%s'.", result)

    def _failed(self, error: BaseException) -> None:
        if self._stage in (_ASKED, _ANSWERING):
            self._no_answer("".join(traceback.format_exception(error)))
        else:
            logger.error("Exception in ASGI application\n", exc_info=error)

    def _no_answer(self, why: str) -> None:
        self._stage = _CLOSED
        self._sink.fail("the client has gone" if self.disconnected else why)


def subprotocols(headers: Headers) -> list[str]:
    """What a client offers, in its order."""
    offers = [value.decode("latin-1") for name, value in headers if name == b"sec-websocket-protocol"]
    return [token.strip() for offer in offers for token in offer.split(",")]


def scope_of(scope: Scope) -> Scope:
    """The scope of a WebSocket whose opening handshake has this HTTP scope."""
    scope["type"] = "websocket"
    scope["asgi"]["spec_version"] = "2.4"
    del scope["method"]
    scope["subprotocols"] = subprotocols(scope["headers"])
    scope["extensions"] = {"websocket.http.response": {}}
    return scope


def frame(kind: int, data: bytes) -> bytes:
    """A frame of `fasterapi:websocket`."""
    return bytes((kind,)) + len(data).to_bytes(4, "little") + data


class Frames:
    """Takes frames out of a stream of bytes."""

    __slots__ = ("_data", "_pieces")

    def __init__(self) -> None:
        self._data = b""
        self._pieces: list[bytes] = []

    @property
    def wanted(self) -> int:
        """How many bytes the frame that has begun still needs, at least."""
        if len(self._data) < 5:
            return 5 - len(self._data)
        return 5 + int.from_bytes(self._data[1:5], "little") - len(self._data) - sum(map(len, self._pieces))

    def feed(self, data: bytes) -> None:
        """Adds bytes."""
        if len(self._data) < 5:
            self._data += data
        else:
            self._pieces.append(data)

    def take(self) -> tuple[int, bytes] | None:
        """The next frame, if it is whole."""
        if len(self._data) < 5 or self.wanted > 0:
            return None
        if self._pieces:
            self._data = b"".join((self._data, *self._pieces))
            self._pieces.clear()
        end = 5 + int.from_bytes(self._data[1:5], "little")
        kind, data, self._data = self._data[0], self._data[5:end], self._data[end:]
        return kind, data
