"""WSGI applications (PEP 3333) behind ASGI: Flask, Django, Bottle.

Such an application reads its request's body synchronously, so the body is read whole before it is called. Its response is
passed on part by part as it makes them.
"""

from __future__ import annotations

import inspect
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextvars import copy_context
from types import TracebackType
from typing import Any

from .._wasm.loop import outside_loop
from .types import Receive, Scope, Send

Headers = list[tuple[str, str]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_LOCAL = ("localhost", 80)


def is_wsgi(found: Any) -> bool:
    """Whether it is a WSGI application, as far as can be told without calling it: it takes `environ` and `start_response`."""
    if not callable(found) or inspect.isclass(found):
        return False
    call = found if inspect.isroutine(found) else found.__call__
    if inspect.iscoroutinefunction(call):
        return False
    try:
        names = list(inspect.signature(call).parameters)
    except ValueError:
        return False
    return len(names) == 2 and "start" in names[1]


def install() -> None:
    """Has Starlette's own adapter, which needs threads, work as ours, if the app has it."""
    module: Any = sys.modules.get("starlette.middleware.wsgi")
    if module is None:
        return

    async def serve(self: Any, scope: Scope, receive: Receive, send: Send) -> None:
        await Wsgi(self.app)(scope, receive, send)

    module.WSGIMiddleware.__call__ = serve


class Wsgi:
    """A WSGI application as an ASGI application. It has neither a lifespan nor WebSockets."""

    def __init__(self, app: WsgiApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"a WSGI application serves HTTP, not {scope['type']}")
        body = await _whole(receive)
        context = copy_context()
        response = _Response(self.app, environ(scope, body))
        context.run(outside_loop, response.begin)
        try:
            while (part := context.run(outside_loop, response.next)) is not None:
                if response.head is not None:
                    await send({"type": "http.response.start", **response.head})
                    response.head = None
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            context.run(outside_loop, response.close)


class _Response:
    """One call of the application."""

    def __init__(self, app: WsgiApp, environ: dict[str, Any]) -> None:
        self._app = app
        self._environ = environ
        self._written: list[bytes] = []
        self._status: tuple[int, Headers] | None = None
        self._result: Iterable[bytes] = ()
        self._rest: Iterator[bytes] = iter(())
        self._began = False
        self.head: dict[str, Any] | None = None
        """The head, from the moment that it may be sent until it is taken."""

    def begin(self) -> None:
        self._result = self._app(self._environ, self._start)
        self._rest = self._parts(iter(self._result))

    def next(self) -> bytes | None:
        return next(self._rest, None)

    def close(self) -> None:
        close = getattr(self._result, "close", None)
        if close is not None:
            close()

    def _start(self, status: str, headers: Headers, exc_info: ExcInfo | None = None) -> Callable[[bytes], None]:
        if exc_info is not None and self._began:  # too late for another head
            raise exc_info[1].with_traceback(exc_info[2])
        if exc_info is None and self._status is not None:
            raise AssertionError("start_response was called twice")
        self._status = (int(status.split(" ", 1)[0]), headers)
        return self._written.append

    def _parts(self, result: Iterator[bytes]) -> Iterator[bytes]:
        """The parts that are not empty; the head stands ready before the first. Always at least one."""
        for part in result:
            yield from self._pass_on(part)
        yield from self._pass_on(b"", last=True)

    def _pass_on(self, part: bytes, last: bool = False) -> Iterator[bytes]:
        part = b"".join((*self._written, part))
        self._written.clear()
        if not part and not (last and not self._began):
            return
        if not self._began:
            self._begin(len(part))
        yield part

    def _begin(self, length: int) -> None:
        if self._status is None:
            raise AssertionError("the application did not call start_response")
        status, headers = self._status
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        whole = isinstance(self._result, Sized) and len(self._result) <= 1
        if whole and not any(name == b"content-length" for name, _ in raw) and status >= 200 and status not in (204, 304):
            raw.append((b"content-length", b"%d" % length))
        self._began = True
        self.head = {"status": status, "headers": raw}


async def _whole(receive: Receive) -> bytes:
    parts = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client left before its request was whole")
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def environ(scope: Scope, body: bytes) -> dict[str, Any]:
    """A request, as PEP 3333 has it: text is latin-1, one character a byte."""
    root = scope.get("root_path", "")
    path = scope["path"].removeprefix(root)
    name, port = scope.get("server") or _LOCAL
    made: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": _native(root),
        "PATH_INFO": _native(path),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": name,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "asgi.scope": scope,
    }
    if scope.get("client"):
        made["REMOTE_ADDR"], made["REMOTE_PORT"] = scope["client"][0], str(scope["client"][1])
    for raw, value in scope["headers"]:
        _add(made, raw.decode("latin-1"), value.decode("latin-1"))
    if body and "CONTENT_LENGTH" not in made:
        made["CONTENT_LENGTH"] = str(len(body))
    return made


def _native(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _add(made: dict[str, Any], name: str, value: str) -> None:
    if "_" in name:  # it would pass for the same name with dashes
        return
    key = name.upper().replace("-", "_")
    if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        key = f"HTTP_{key}"
    if key in made:
        value = made[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
    made[key] = value
