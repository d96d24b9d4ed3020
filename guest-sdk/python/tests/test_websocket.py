"""One WebSocket through an application, over a transport that the test holds by its other end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fasterapi._asgi.types import ASGIApp, Headers
from fasterapi._asgi.websocket import BINARY, CLOSE, TEXT, Conversation, Frames, frame, scope_of


class Client:
    """A transport: what the client sends, and what it gets."""

    def __init__(self, *messages: tuple[int, bytes]) -> None:
        self.messages = list(messages)
        self.got: list[Any] = []
        self._on_message: Callable[[int, bytes], None] | None = None

    def read(self, on_message: Callable[[int, bytes], None]) -> None:
        assert self._on_message is None, "one read at a time"
        self._on_message = on_message

    def close(self, code: int, reason: str) -> None:
        self.got.append(("close", code, reason))

    def accept(self, headers: Headers) -> None:
        self.got.append(("accept", list(headers)))

    def refuse(self, status: int, headers: Headers, body: bytes) -> None:
        self.got.append(("refuse", status, dict(headers), body))

    def fail(self, traceback: str) -> None:
        self.got.append(("fail", traceback.splitlines()[-1]))

    async def write(self, kind: int, data: bytes) -> None:
        self.got.append((kind, data))

    async def finished(self) -> None:
        """Of the sink, then of the source."""
        self.got.append("finished")

    async def play(self) -> None:
        """Sends the messages as they are taken."""
        while self.messages:
            await asyncio.sleep(0)
            if self._on_message is not None:
                on_message, self._on_message = self._on_message, None
                on_message(*self.messages.pop(0))


def run(app: ASGIApp, *messages: tuple[int, bytes]) -> list[Any]:
    async def main() -> list[Any]:
        client = Client(*messages)
        conversation = Conversation({"type": "websocket"}, client, client)
        player = asyncio.ensure_future(client.play())
        await asyncio.wait_for(conversation.run(app), 10)
        player.cancel()
        assert client.got[-2:] == ["finished", "finished"]
        del client.got[-2:]
        return client.got

    return asyncio.run(main())


def close(code: int, reason: str = "") -> tuple[int, bytes]:
    return CLOSE, code.to_bytes(2, "little") + reason.encode()


def test_messages_in_their_order_and_the_end_again_and_again() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(await receive())
        await send({"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"X-A", b"1")]})
        for _ in range(4):
            seen.append(await receive())
        with pytest.raises(OSError):
            await send({"type": "websocket.send", "text": "too late"})

    got = run(app, (TEXT, "é".encode()), (BINARY, b"\xff"), close(4000, "bye"))
    # What is said to a client that has gone is the host's to drop.
    assert got == [("accept", [(b"x-a", b"1"), (b"sec-websocket-protocol", b"chat")]), ("close", 1000, "")]
    end = {"type": "websocket.disconnect", "code": 4000, "reason": "bye"}
    text, data = {"type": "websocket.receive", "text": "é"}, {"type": "websocket.receive", "bytes": b"\xff"}
    assert seen == [{"type": "websocket.connect"}, text, data, end, end]


def test_one_message_is_read_ahead_and_no_more() -> None:
    async def main() -> None:
        client = Client()
        conversation = Conversation({}, client, client)
        assert (await conversation.receive())["type"] == "websocket.connect"
        read, client._on_message = client._on_message, None
        assert read is not None
        read(TEXT, b"a")
        assert client._on_message is None
        assert (await conversation.receive())["text"] == "a"
        assert client._on_message is not None

    asyncio.run(main())


@pytest.mark.parametrize(("raises", "code"), [(False, 1000), (True, 1011)])
def test_a_handler_that_ends_without_a_word(raises: bool, code: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        if raises:
            raise RuntimeError("oh")

    assert run(app)[-1] == ("close", code, "")


@pytest.mark.parametrize("raises", [False, True])
def test_a_handler_that_does_not_answer(raises: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if raises:
            raise RuntimeError("oh")

    [(kind, text)] = run(app)
    assert (kind, text) == ("fail", "RuntimeError: oh" if raises else "ASGI callable returned without completing handshake.")


def test_refusals() -> None:
    async def closes(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 4000})
        await receive()
        assert (await receive()) == {"type": "websocket.disconnect", "code": 1006, "reason": ""}

    plain = {b"content-type": b"text/plain; charset=utf-8", b"content-length": b"0"}
    assert run(closes) == [("refuse", 403, plain, b"")]

    async def denies(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"Content-Type", b"a/b")]})
        await send({"type": "websocket.http.response.body", "body": b"n", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"o"})

    assert run(denies) == [("refuse", 401, {b"content-type": b"a/b", b"content-length": b"2"}, b"no")]


def test_what_is_said_out_of_order() -> None:
    said: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for kind in ("websocket.send", "websocket.accept", "websocket.accept", "websocket.close", "websocket.send"):
            try:
                await send({"type": kind})
            except RuntimeError as error:
                said.append(str(error))

    run(app)
    assert said == [
        "Expected ASGI message 'websocket.accept', 'websocket.close' or 'websocket.http.response.start' but got 'websocket.send'.",
        "Expected ASGI message 'websocket.send' or 'websocket.close', but got 'websocket.accept'.",
        "Unexpected ASGI message 'websocket.send', after sending 'websocket.close'.",
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_frames_may_be_split_anywhere(size: int) -> None:
    sent = [(TEXT, b"hello"), (BINARY, b""), (BINARY, bytes(50)), (CLOSE, b"\xe8\x03")]
    stream = b"".join(frame(*message) for message in sent)
    frames, found = Frames(), []
    for start in range(0, len(stream), size):
        frames.feed(stream[start : start + size])
        while (message := frames.take()) is not None:
            found.append(message)
    assert found == sent
    assert frames.wanted == 5


def test_the_scope() -> None:
    headers = [(b"sec-websocket-protocol", b"a, b"), (b"sec-websocket-protocol", b"c")]
    scope = scope_of({"type": "http", "method": "GET", "asgi": {"version": "3.0", "spec_version": "2.3"}, "headers": headers})
    assert scope == {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "headers": headers,
        "subprotocols": ["a", "b", "c"],
        "extensions": {"websocket.http.response": {}},
    }
