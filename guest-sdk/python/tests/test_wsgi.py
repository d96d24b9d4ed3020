"""WSGI applications behind ASGI give what a WSGI server gives of them."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.validate import validator

import pytest
from fasterapi._asgi import scope as scopes
from fasterapi._asgi.wsgi import Wsgi, environ, is_wsgi
from starlette.testclient import TestClient

closed: list[str] = []


class Parts:
    """An iterable that wants to be closed."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = iter(parts)

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        closed.append("closed")


def app(environ: dict[str, Any], start_response: Any) -> Any:
    path = environ["PATH_INFO"]
    plain = [("Content-Type", "text/plain; charset=utf-8")]
    if path == "/echo":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("201 Created", [*plain, ("X-Two", "a"), ("X-Two", "b")])
        return [environ["REQUEST_METHOD"].encode() + b" " + body + b" " + environ.get("HTTP_X_HEADER", "").encode("latin-1")]
    if path == "/parts":
        start_response("200 OK", plain)
        return Parts(b"", b"one ", b"", b"two")
    if path == "/writes":
        write = start_response("200 OK", plain)
        write(b"written ")
        return [b"and returned"]
    if path == "/empty":
        start_response("204 No Content", [])
        return []
    if path == "/again":
        start_response("200 OK", plain)
        try:
            raise ValueError("changed my mind")
        except ValueError:
            import sys

            start_response("503 Service Unavailable", plain, sys.exc_info())
        return [b"sorry"]
    start_response("404 Not Found", plain)
    return [path.encode("latin-1") + b"?" + environ["QUERY_STRING"].encode("latin-1")]


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def served() -> Iterator[int]:
    """The app in the standard library's server, which checks it, too."""
    with make_server("127.0.0.1", 0, validator(app), handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def asked(port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(method, path, body, {"Content-Type": "text/plain", **headers})
    answer = connection.getresponse()
    kept = [(name.lower(), value) for name, value in answer.getheaders() if name.lower() not in ("date", "server", "content-length")]
    return answer.status, kept, answer.read()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/none/%C3%A4?q=%20&r", None),
        ("POST", "/echo", b"body"),
        ("POST", "/echo", b""),
        ("GET", "/parts", None),
        ("GET", "/empty", None),
        ("GET", "/again", None),
    ],
)
def test_it_answers_as_under_a_wsgi_server(served: int, method: str, path: str, body: bytes | None) -> None:
    headers = {"X-Header": "v"}
    expected = asked(served, method, path, body, headers)
    client = TestClient(Wsgi(validator(app)))
    answer = client.request(method, path, content=body, headers={"content-type": "text/plain", **headers})
    kept = [(name.decode(), value.decode()) for name, value in answer.headers.raw if name != b"content-length"]
    assert (answer.status_code, kept, answer.content) == expected


def test_what_is_written_comes_before_what_is_returned() -> None:
    assert TestClient(Wsgi(app)).get("/writes").text == "written and returned"


def test_a_whole_body_has_a_length_and_parts_have_none_and_are_closed() -> None:
    client = TestClient(Wsgi(app))
    assert client.get("/echo").headers["content-length"] == str(len(b"GET  "))
    closed.clear()
    answer = client.get("/parts")
    assert (answer.text, "content-length" in answer.headers, closed) == ("one two", False, ["closed"])
    assert "content-length" not in client.get("/empty").headers


@pytest.mark.parametrize("late", [False, True])
def test_an_exception_is_the_servers_to_answer_and_closes_all_the_same(late: bool) -> None:
    def fails(environ: dict[str, Any], start_response: Any) -> Any:
        if not late:
            raise ValueError("at once")

        class Failing(Parts):
            def __iter__(self) -> Iterator[bytes]:
                start_response("200 OK", [])
                yield b"part"
                raise ValueError("late")

        return Failing()

    closed.clear()
    with pytest.raises(ValueError, match="late" if late else "at once"):
        TestClient(Wsgi(fails)).get("/")
    assert closed == (["closed"] if late else [])


def test_a_head_after_the_head_is_refused() -> None:
    def twice(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        start_response("200 OK", [])
        return []

    def never(environ: dict[str, Any], start_response: Any) -> Any:
        return [b"body"]

    with pytest.raises(AssertionError, match="twice"):
        TestClient(Wsgi(twice)).get("/")
    with pytest.raises(AssertionError, match="did not call start_response"):
        TestClient(Wsgi(never)).get("/")


def test_a_request_in_its_environ() -> None:
    head = "GET\0/a%C3%A4b\0x=1\0https\x001.1\x0010.0.0.1\x0050\x00host\x00443\0cookie\0a=1\0cookie\0b=2\0x-y\x001\0x-y\x002\0x_y\0forged\0content-type\0text/plain"
    scope = scopes.from_head(head, {})
    made = environ(scope, b"xyz")
    assert made["PATH_INFO"] == "/aÃ¤b"
    assert (made["HTTP_COOKIE"], made["HTTP_X_Y"], made["CONTENT_TYPE"], made["CONTENT_LENGTH"]) == ("a=1; b=2", "1,2", "text/plain", "3")
    assert (made["wsgi.url_scheme"], made["REMOTE_ADDR"], made["SERVER_PORT"], made["QUERY_STRING"]) == ("https", "10.0.0.1", "443", "x=1")
    assert made["wsgi.input"].read() == b"xyz"
    mounted = environ({**scope, "root_path": "/sub", "path": "/sub/x"}, b"")
    assert (mounted["SCRIPT_NAME"], mounted["PATH_INFO"]) == ("/sub", "/x")


def test_a_client_that_leaves_ends_it() -> None:
    async def gone() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    with pytest.raises(ConnectionError):
        asyncio.run(Wsgi(app)({"type": "http"}, gone, send))  # type: ignore[arg-type]


def test_what_is_a_wsgi_application() -> None:
    class Made:
        def __call__(self, environ: Any, start_response: Any) -> Any: ...

    async def asgi(scope: Any, receive: Any, send: Any) -> None: ...

    def factory(one: Any, two: Any) -> Any: ...

    assert is_wsgi(app) and is_wsgi(Made()) and is_wsgi(Made().__call__)
    assert not any(map(is_wsgi, (Made, asgi, factory, lambda: None, 5, "app")))
