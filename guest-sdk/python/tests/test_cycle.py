"""The ASGI engine on its own, with the fast transport over the fake host."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fake_host import FakeHost, Task

from fasterapi._asgi.types import ASGIApp, Message, Receive, Scope, Send
from fasterapi._wasm.fast import FastHttp

HEAD = "{method}\0{path}\0{query}\0http\x001.1\x00127.0.0.1\x005555\0localhost\x008000\0host\0localhost:8000"


class Server:
    """The fast transport over an application."""

    def __init__(self, host: FakeHost, app: ASGIApp) -> None:
        self.host = host
        self.fast = FastHttp(host.scheduler, app)
        self.number = 0

    def start(self, method: str = "GET", path: str = "/", query: str = "", body: bytes = b"", more: Any = None, headers: str = "") -> Task:
        self.number += 1
        head = HEAD.format(method=method, path=path, query=query) + headers
        return self.host.call(self.fast.handle(self.number, head, body, more))

    def get(self, path: str = "/", **options: Any) -> tuple[list[str], bytes]:
        task = self.start(path=path, **options)
        self.host.run()
        response = task.value
        body = response.body.encode("latin-1")
        if response.rest is not None:
            rest, whole = unframe(self.host.drain(response.rest))
            assert whole
            body += rest
        self.host.run()
        assert task.exited
        return response.head.split("\0"), body

    def disconnect(self) -> None:
        task = self.host.call(self.fast.disconnect(self.number))
        assert task.exited


def unframe(data: bytes) -> tuple[bytes, bool]:
    body = bytearray()
    while len(data) >= 4:
        length = int.from_bytes(data[:4], "little")
        if length == 0:
            assert data[4:] == b""
            return bytes(body), True
        body += data[4 : 4 + length]
        data = data[4 + length :]
    return bytes(body), False


async def start(send: Send, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers or []})


async def chunk(send: Send, body: bytes, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def read(receive: Receive) -> tuple[bytes, list[Message]]:
    messages = []
    while True:
        message = await receive()
        messages.append(message)
        if message["type"] == "http.disconnect" or not message["more_body"]:
            return b"".join(part.get("body", b"") for part in messages), messages


def test_a_whole_response_is_one_piece(host: FakeHost) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, 201, [(b"Content-Type", b"x/y"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=\xe9")])
        await chunk(send, bytes(range(256)), more=False)

    task = Server(host, app).start()
    assert task.exited and task.value.rest is None
    assert task.value.head == "201\0content-type\0x/y\0set-cookie\0a=1\0set-cookie\0b=\xe9"
    assert task.value.body.encode("latin-1") == bytes(range(256))


def test_a_stream_of_many_chunks_waits_for_its_reader(host: FakeHost) -> None:
    sent: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        for number in range(100):
            await chunk(send, b"%d," % number)
            sent.append(number)
        await chunk(send, b"", more=False)

    task = Server(host, app).start()
    host.run()
    assert task.value.body == "0," and sent == [0]
    host.take(task.value.rest)
    host.run()
    assert sent == [0, 1]
    body, whole = unframe(b"\2\0\0\x001," + host.drain(task.value.rest)[6:])
    assert whole and body == b"".join(b"%d," % number for number in range(1, 100))
    host.run()
    assert task.exited


def test_partial_reads_and_large_chunks(host: FakeHost) -> None:
    data = bytes(range(256)) * 2000

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await chunk(send, data)
        await chunk(send, data, more=False)

    task = Server(host, app).start()
    host.run()
    while host.take(task.value.rest, 1000) or not host.pipes[task.value.rest.handle].writer_closed:
        host.run()
    assert unframe(bytes(host.pipes[task.value.rest.handle].taken)) == (data * 2, True)
    assert task.exited


def test_a_large_body_is_streamed(host: FakeHost) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await chunk(send, b"x" * 1_000_000, more=False)

    assert Server(host, app).get()[1] == b"x" * 1_000_000


def test_the_head_goes_when_the_app_waits(host: FakeHost) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await asyncio.sleep(5)
        await chunk(send, b"late", more=False)

    task = Server(host, app).start()
    assert task.returned and task.value.body == "" and task.value.rest is not None
    host.run()
    assert unframe(host.drain(task.value.rest)) == (b"late", True)


def test_a_promised_length_makes_a_whole_response(host: FakeHost) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, headers=[(b"content-length", b"2")])
        await chunk(send, b"ok")
        await asyncio.sleep(1)
        await chunk(send, b"", more=False)

    task = Server(host, app).start()
    assert task.value.body == "ok" and task.value.rest is None


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_no_body_where_there_is_none(host: FakeHost, method: str, status: int) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, status, [(b"content-length", b"5")])
        await chunk(send, b"hello", more=False)

    assert Server(host, app).get(method=method) == ([str(status), "content-length", "5"], b"")


def test_a_body_in_one_piece(host: FakeHost) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body, messages = await read(receive)
        await start(send)
        await chunk(send, b"%d %d %s" % (len(body), len(messages), body[:3]), more=False)

    assert Server(host, app).get(method="POST", body=b"abcdef")[1] == b"6 1 abc"


def test_an_upload_in_chunks_larger_than_any_buffer(host: FakeHost) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body, messages = await read(receive)
        assert messages[-1]["type"] == "http.request"
        await start(send)
        await chunk(send, b"%d" % len(body), more=False)

    server = Server(host, app)
    reader, pipe = host.incoming(closed=False)
    task = server.start(method="POST", body=b"first", more=reader)
    for _ in range(10):
        host.feed(pipe, b"z" * 200_000)
        host.run()
    assert not task.returned
    host.feed(pipe, close=True)
    host.run()
    assert task.value.body == "2000005" and task.exited and pipe.reader_closed


def test_an_upload_cut_short_is_a_disconnect(host: FakeHost) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((await read(receive))[1][-1]["type"])

    server = Server(host, app)
    reader, _ = host.incoming(b"abc")
    task = server.start(method="POST", more=reader, headers="\0content-length\x00100")
    host.run()
    assert seen == ["http.disconnect"] and task.exited


def test_a_disconnect_wakes_receive(host: FakeHost) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while not seen or seen[-1] != "http.disconnect":
            seen.append((await receive())["type"])
        await start(send)
        await chunk(send, b"into the void", more=False)

    server = Server(host, app)
    task = server.start()
    host.run()
    assert seen == ["http.request"]
    server.disconnect()
    host.run()
    assert seen == ["http.request", "http.disconnect"] and task.exited


def test_a_disconnect_with_a_read_under_way(host: FakeHost) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    server = Server(host, app)
    reader, pipe = host.incoming(closed=False)
    task = server.start(method="POST", more=reader)
    host.run()
    server.disconnect()
    host.run()
    assert task.exited and pipe.reading is not None, "the read cannot be called off"
    host.feed(pipe, close=True)
    server.get_sleep = host.call(asyncio.sleep(1))  # type: ignore[attr-defined]
    host.run()
    assert pipe.reader_closed and not host.scheduler._operations


def test_a_reader_that_leaves_is_a_disconnect(host: FakeHost) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await start(send)
        for _ in range(10):
            await chunk(send, b"data")
        seen.append((await receive())["type"])

    task = Server(host, app).start()
    host.run()
    host.leave(task.value.rest)
    host.run()
    assert seen == ["http.disconnect"] and task.exited


def test_receive_after_the_body_waits_for_the_end(host: FakeHost) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        listening = asyncio.ensure_future(receive())
        await asyncio.sleep(1)
        assert not listening.done()
        await start(send)
        await chunk(send, b"", more=False)
        seen.append((await listening)["type"])

    Server(host, app).get()
    assert seen == ["http.disconnect"]


def test_a_cancelled_receive_loses_nothing(host: FakeHost) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receive(), 1)
        body, _ = await read(receive)
        await start(send)
        await chunk(send, body, more=False)

    server = Server(host, app)
    reader, pipe = host.incoming(closed=False)
    task = server.start(method="POST", more=reader)
    host.run(2)
    host.feed(pipe, b"late", close=True)
    host.run()
    assert task.value.body == "late"


@pytest.mark.parametrize("late", [False, True])
def test_an_exception_before_anything_was_sent(host: FakeHost, late: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if late:
            await start(send)
        raise ValueError("boom")

    task = Server(host, app).start()
    assert task.exited and "ValueError: boom" in task.result.value and "in app" in task.result.value


def test_an_exception_after_the_start_breaks_the_body_off(host: FakeHost, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await chunk(send, b"part")
        raise ValueError("boom")

    task = Server(host, app).start()
    host.run()
    assert unframe(host.drain(task.value.rest)) == (b"", False)
    assert "ValueError: boom" in caplog.text and task.exited


def wrong(*messages: Message) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"x"}


@pytest.mark.parametrize(
    ("app", "text"),
    [
        (wrong(BODY), "Expected ASGI message 'http.response.start'"),
        (wrong(START, START), "Expected ASGI message 'http.response.body'"),
        (wrong(), "without starting response"),
        (wrong(START), "without completing response"),
        (wrong({**START, "headers": [(b"a", b"b\0c")]}, BODY), "NUL"),
        (wrong({**START, "headers": [(b"content-length", b"5")]}, BODY), "shorter than Content-Length"),
        (wrong({**START, "headers": [(b"content-length", b"0")]}, BODY), "longer than Content-Length"),
    ],
)
def test_protocol_errors(host: FakeHost, app: ASGIApp, text: str) -> None:
    task = Server(host, app).start()
    assert task.exited and text in task.result.value


def test_a_body_after_the_end_is_an_error(host: FakeHost, caplog: pytest.LogCaptureFixture) -> None:
    task = Server(host, wrong(START, BODY, BODY)).start()
    assert task.value.body == "x" and "after response already completed" in caplog.text


def test_after_the_response_work_goes_on(host: FakeHost) -> None:
    done: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await chunk(send, b"ok", more=False)
        await asyncio.sleep(1)
        done.append("background")

    task = Server(host, app).start()
    assert task.returned and not done
    host.run()
    assert done == ["background"] and task.exited


def test_requests_overlap(host: FakeHost) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(float(scope["query_string"]))
        await start(send)
        await chunk(send, scope["query_string"], more=False)

    server = Server(host, app)
    tasks = [server.start(query=str(seconds)) for seconds in (3, 1, 2)]
    host.run()
    assert [task.value.body for task in tasks] == ["3", "1", "2"]
    assert not server.fast._cycles


def test_lifespan_state_is_copied_for_each_request(host: FakeHost) -> None:
    calls: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            scope["state"]["items"] = []
            calls.append("up")
            await send({"type": "lifespan.startup.complete"})
            assert (await receive())["type"] == "lifespan.shutdown"
            calls.append("down")
            await send({"type": "lifespan.shutdown.complete"})
            return
        scope["state"]["items"].append(1)
        scope["state"]["own"] = True
        await start(send)
        await chunk(send, b"%d" % len(scope["state"]["items"]), more=False)

    server = Server(host, app)
    for _ in range(2):
        assert host.call(server.fast.startup()).exited
    assert [server.get()[1] for _ in range(2)] == [b"1", b"2"]
    assert "own" not in server.fast.lifespan.state
    for _ in range(2):
        assert host.call(server.fast.shutdown()).exited
    assert calls == ["up", "down"]


def test_a_start_up_that_fails(host: FakeHost) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    task = host.call(Server(host, app).fast.startup())
    assert task.result.value == "no database"


def test_an_app_without_lifespan(host: FakeHost) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"

    server = Server(host, app)
    assert host.call(server.fast.startup()).value is None
    assert host.call(server.fast.shutdown()).value is None


