"""tests/guests/tutorial for the tests: copies of its apps, the same apps under uvicorn, and its requests."""

from __future__ import annotations

import http.client
import importlib
import json
import re
import select
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from fastapi.exceptions import FastAPIDeprecationWarning
from lanes import Ask, Copy, Headers, Reply

FOLDER = Path(__file__).parents[3] / "tests/guests/tutorial"
CASES = FOLDER / "cases"
APPS = ("main", *sorted(f"apps.{file.stem}" for file in (FOLDER / "apps").glob("[!_]*.py")))
TOPICS = sorted(file.stem for file in CASES.glob("*.txt"))
ALIKE = tuple(name for name in APPS if name != "apps.layers")
"""The apps that answer a request alike whatever they were asked before."""

NO_ANSWER: Reply = (0, [], b"")
"""The server hung up."""
_HOST = "localhost:8000"
_OURS = {"content-length", "transfer-encoding", "connection", "date", "server"}
"""Framing, which is the server's."""
_TIME = re.compile("expires=[A-Z][a-z]{2}, [^;]* GMT")

_SERVER = """
import asyncio, importlib, json, os, socket, sys, threading, uvicorn
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()

async def main():
    names = sys.argv[1:]
    sockets = {name: socket.socket(proto=socket.IPPROTO_TCP) for name in names}  # asyncio sends at once where it sees that it is TCP
    servers = []
    for name, listener in sockets.items():
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)  # before anybody is told of it
        app = importlib.import_module(name).app
        config = uvicorn.Config(app, http="httptools", ws="none", log_level="critical", date_header=False, server_header=False, proxy_headers=False)
        servers.append(asyncio.create_task(uvicorn.Server(config).serve(sockets=[listener])))
    print(json.dumps({name: listener.getsockname()[1] for name, listener in sockets.items()}), flush=True)
    await asyncio.gather(*servers)

asyncio.run(main())
"""


def copy(name: str) -> Copy:
    """A fresh copy of an app, with modules of its own."""
    _forget()
    sys.path.insert(0, str(FOLDER))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FastAPIDeprecationWarning)  # what is deprecated is served like the rest
            return Copy(importlib.import_module(name).app, importlib.import_module("ran").log)
    finally:
        sys.path.remove(str(FOLDER))
        _forget()


@cache
def document(name: str) -> str:
    """An app's OpenAPI document."""
    return json.dumps(copy(name).app.openapi())


def _forget() -> None:
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(FOLDER)):
            del sys.modules[name]


class Server:
    """An app served by somebody, over HTTP."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, ask: Ask) -> Reply:
        """Its answer."""
        connection = self._connection
        if connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
            connection.close()  # it has hung up, as uvicorn does behind an exception
        connection.putrequest(ask.method, ask.target, skip_host=True, skip_accept_encoding=True)
        for name, value in framed(ask).headers:
            connection.putheader(name, value)
        connection.endheaders(ask.body or None)
        try:
            response = connection.getresponse()
        except http.client.RemoteDisconnected:
            connection.close()
            return NO_ANSWER
        headers = [(name.lower(), value) for name, value in response.getheaders()]
        try:
            return response.status, headers, response.read()
        except http.client.IncompleteRead as cut:
            connection.close()
            return response.status, headers, cut.partial + b"(cut)"

    def ran(self) -> list[str]:
        """What ran since it was asked the last time."""
        aside = Server(self._port)  # uvicorn hangs up behind an exception, whoever asks for what on that connection by then
        try:
            notes: list[str] = json.loads(aside.ask(Ask("GET", "/ran"))[2])
        finally:
            aside.close()
        return notes

    def close(self) -> None:
        """Hangs up."""
        self._connection.close()


@contextmanager
def uvicorn(*names: str, folder: Path = FOLDER) -> Iterator[dict[str, Server]]:
    """Apps by the names of their modules, each under an uvicorn of its own."""
    command = [sys.executable, "-B", "-W", "ignore", "-c", _SERVER, *names]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        servers = {name: Server(port) for name, port in json.loads(process.stdout.readline()).items()}
        try:
            yield servers
        finally:
            for server in servers.values():
                server.close()
            process.stdin.close()


def framed(ask: Ask) -> Ask:
    """A request as it goes over the wire."""
    headers = list(ask.headers)
    if not any(name.lower() == "host" for name, _ in headers):
        headers.insert(0, ("host", _HOST))
    if ask.body:
        headers.append(("content-length", str(len(ask.body))))
    return ask._replace(headers=headers)


def gist(reply: Reply) -> Reply:
    """What of a reply is the app's, whenever it was made."""
    status, headers, body = reply
    kept: Headers = [(name, _TIME.sub("expires=(now)", value)) for name, value in headers if name not in _OURS]
    if status == 500 and not kept:  # the server answers an exception that nobody handled
        return 500, [("content-type", "text/plain; charset=utf-8")], b"Internal Server Error"
    return status, kept, body


def requests(topic: str) -> list[Ask]:
    """A topic's requests (tests/src/cases.rs says how they are written)."""
    asks: list[Ask] = []
    for line in (CASES / f"{topic}.txt").read_text().splitlines():
        line = line.rstrip()
        method, _, rest = line.partition(" ")
        if not line or line.startswith("#"):
            continue
        if method.isascii() and method.isalpha() and method.isupper():
            asks.append(Ask(method, rest, [], b""))
        else:
            asks[-1] = _with_line(asks[-1], line)
    return asks


_KINDS = {"json> ": "application/json", "form> ": "application/x-www-form-urlencoded", "text> ": "text/plain", "body> ": None}


def _with_line(ask: Ask, line: str) -> Ask:
    for mark, kind in _KINDS.items():
        if line.startswith(mark.rstrip()):
            body = ask.body + _unescaped(line[len(mark) :])
            return ask._replace(body=body, headers=[*ask.headers, ("content-type", kind)] if kind else ask.headers)
    name, _, value = line.partition(":")
    return ask._replace(headers=[*ask.headers, (name, _unescaped(value.strip()).decode("latin-1"))])


def _unescaped(text: str) -> bytes:
    plain, rest = b"", text.encode()
    while b"\\" in rest:
        before, _, rest = rest.partition(b"\\")
        mark, rest = rest[:1], rest[1:]
        if mark == b"x":
            plain += before + bytes.fromhex(rest[:2].decode())
            rest = rest[2:]
        else:
            plain += before + {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}[mark]
    return plain + rest
