"""The same requests to the same app under uvicorn and under our engine: scope and answers must be equal."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_for_uvicorn import app
from fake_host import FakeHost
from test_cycle import unframe

from fasterapi._wasm.fast import FastHttp

pytestmark = pytest.mark.usefixtures("no_threads")


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    options = "--ws none --log-level critical --no-date-header --no-server-header --http h11".split()
    command = [sys.executable, "-m", "uvicorn", "app_for_uvicorn:app", "--fd", str(listener.fileno()), *options]
    server = subprocess.Popen(command, cwd=Path(__file__).parent, pass_fds=[listener.fileno()])
    with listener, server:
        yield listener.getsockname()
        server.terminate()


Reply = tuple[int, list[tuple[str, str]], bytes]


def over_uvicorn(address: tuple[str, int], method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> Reply:
    connection = http.client.HTTPConnection(*address)
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders(body or None)
    response = connection.getresponse()
    reply = response.status, [(name.lower(), value) for name, value in response.getheaders()], response.read()
    connection.close()
    return reply


def over_ours(host: FakeHost, server: tuple[str, int], method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> Reply:
    path, _, query = target.partition("?")
    fields = [method, path, query, "http", "1.1", "127.0.0.1", "1", server[0], str(server[1])]
    for name, value in headers:
        fields += [name.lower(), value]
    task = host.call(FastHttp(host.scheduler, app).handle(1, "\0".join(fields), body, None))
    host.run()
    response = task.value
    status, *rest = response.head.split("\0")
    content = response.body.encode("latin-1")
    if response.rest is not None:
        more, whole = unframe(host.drain(response.rest))
        assert whole
        content += more
    host.run()
    assert task.exited
    return int(status), list(zip(rest[::2], rest[1::2])), content


@pytest.mark.parametrize(
    ("method", "target", "headers", "body"),
    [
        ("GET", "/scope", [], b""),
        ("GET", "/scope/a%20b/%C3%A9/%2F?x=1&y=%20&x=2", [("X-Twice", "1"), ("x-twice", "2"), ("Accept", "*/*")], b""),
        ("DELETE", "/scope?", [("cookie", "a=b"), ("X-Latin", "caf\xe9")], b""),
        ("GET", "/echo/a%20b%2Fc/d?q=%C3%A9&q=", [], b""),
        ("POST", "/echo/x", [("content-length", "6")], b"\x00\xff\x80abc"),
        ("HEAD", "/echo/x", [], b""),
        ("GET", "/cookies", [], b""),
        ("GET", "/stream", [], b""),
        ("GET", "/nothing", [], b""),
        ("POST", "/form", [("content-type", "application/x-www-form-urlencoded"), ("content-length", "9")], b"a=5&b=%20"),
        ("POST", "/form", [("content-type", "application/x-www-form-urlencoded"), ("content-length", "3")], b"a=x"),
        ("PUT", "/cookies", [], b""),
        ("GET", "/nowhere", [], b""),
        ("GET", "/boom", [], b""),
        ("GET", "/openapi.json", [], b""),
    ],
)
def test_equal(host: FakeHost, address: tuple[str, int], method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> None:
    headers = [("host", f"{address[0]}:{address[1]}"), *headers]
    theirs = over_uvicorn(address, method, target, headers, body)
    ours = over_ours(host, address, method, target, headers, body)
    assert ours[0] == theirs[0]
    assert ours[2] == theirs[2]
    framing = ("transfer-encoding", "connection")  # the edge's business
    assert ours[1] == [header for header in theirs[1] if header[0] not in framing]
