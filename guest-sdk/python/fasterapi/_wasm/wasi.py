"""The standard transport: `wasi:http/handler@0.3`, for any WASI 0.3 host.

Slower than ours: a dozen calls a request. It also leaks the bytes of the response's header values (`fields.from-list` takes
`list<u8>`, which componentize-py 0.25.1 never frees): a host that reuses instances should retire them after some thousands of requests.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

import wit_world
from componentize_py_types import Err, Ok
from wit_world.imports import wasi_http_types as types

from .._asgi import scope as scopes
from .._asgi.cycle import Cycle
from .._asgi.lifespan import Lifespan, LifespanError
from .._asgi.types import ASGIApp, Headers, Scope
from .calls import Scheduler
from .streams import ByteSink, ByteSource

logger = logging.getLogger("fasterapi.error")

_new_trailers = wit_world.result_option_wasi_http_types_fields_wasi_http_types_error_code_future
_new_outcome = wit_world.result_unit_wasi_http_types_error_code_future
_PIECE = 128 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}


class WasiHttp:
    """The export over one application."""

    def __init__(self, scheduler: Scheduler, app: ASGIApp, lifespan: Lifespan) -> None:
        self._scheduler = scheduler
        self._app = app
        self._lifespan = lifespan

    def handle(self, request: Any) -> Callable[[Callable[[Any], None]], Coroutine[Any, Any, None]]:
        """Answers one request."""

        async def work(resolve: Callable[[Any], None]) -> None:
            if not self._lifespan.ready:
                try:
                    await self._lifespan.startup()
                except LifespanError as error:
                    logger.error("the application's start-up failed\n%s", error)
                    resolve(Err(types.ErrorCode_InternalError("the application's start-up failed")))
                    return
            await self._serve(request, resolve)

        return work

    async def _serve(self, request: Any, resolve: Callable[[Any], None]) -> None:
        scope = _scope(request, self._lifespan.state)
        outcome, outcome_reader = _new_outcome(_fine)
        body, trailers = types.Request.consume_body(request, outcome_reader)
        source = ByteSource(self._scheduler, body)
        sink = _WasiSink(self._scheduler, resolve)
        sink.cycle = cycle = Cycle(scope, None, source, sink, self._scheduler.before_sleep)
        await cycle.run(self._app)
        del sink.cycle
        trailers.__exit__(None, None, None)
        await outcome.write(Ok(None))


class _WasiSink:
    """The response of one call of `handle`."""

    __slots__ = ("_resolve", "_scheduler", "_stream", "_trailers", "_whole", "cycle")

    def __init__(self, scheduler: Scheduler, resolve: Callable[[Any], None]) -> None:
        self._scheduler = scheduler
        self._resolve = resolve
        self._stream: ByteSink | None = None
        self._trailers: Any = None
        self._whole = True
        self.cycle: Cycle

    def respond(self, status: int, headers: Headers, body: bytes) -> None:
        self.open(status, headers, body)
        self.end(True)

    def open(self, status: int, headers: Headers, first: bytes) -> None:
        fields = types.Fields.from_list([(name.decode("latin-1"), value) for name, value in headers])
        self._stream = stream = ByteSink(self._scheduler, self._gone)
        self._trailers, trailers = _new_trailers(_no_trailers)
        response, sent = types.Response.new(fields, stream.open(), trailers)
        response.set_status_code(status)
        sent.__exit__(None, None, None)
        self._resolve(Ok(response))
        self._queue(first)

    async def write(self, data: bytes) -> None:
        self._queue(data)
        if self._stream is not None:
            await self._stream.drain()

    def end(self, whole: bool) -> None:
        self._whole = whole
        if self._stream is not None:
            self._stream.close()

    def fail(self, traceback: str) -> None:
        logger.error("Exception in ASGI application\n%s", traceback)
        self.respond(500, [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"21")], b"Internal Server Error")

    async def finished(self) -> None:
        if self._stream is None:
            return
        await self._stream.drain()
        await self._trailers.write(_no_trailers() if self._whole else Err(types.ErrorCode_HttpResponseIncomplete()))

    def _queue(self, data: bytes) -> None:
        if self._stream is not None and data:
            self._stream.write(*(data[start : start + _PIECE] for start in range(0, len(data), _PIECE)))

    def _gone(self) -> None:
        self.cycle.disconnect()


def _scope(request: Any, state: dict[str, Any]) -> Scope:
    target = (request.get_path_with_query() or "/").encode("latin-1", "replace")
    path, _, query = target.partition(b"?")
    scheme = _scheme(request.get_scheme())
    headers = [(name.lower().encode("latin-1"), value) for name, value in request.get_headers().copy_all()]
    authority = request.get_authority() or ""
    if authority and not any(name == b"host" for name, _ in headers):
        headers.insert(0, (b"host", authority.encode("latin-1", "replace")))
    return scopes.make(
        method=_method(request.get_method()),
        raw_path=path,
        query=query,
        scheme=scheme,
        version="1.1",
        client=None,  # wasi:http does not tell
        server=_server(authority, scheme),
        headers=headers,
        state=state,
    )


def _method(method: Any) -> str:
    if isinstance(method, types.Method_Other):
        return str(method.value)
    return type(method).__name__.removeprefix("Method_").upper()


def _scheme(scheme: Any) -> str:
    if isinstance(scheme, types.Scheme_Other):
        return str(scheme.value)
    return "https" if isinstance(scheme, types.Scheme_Https) else "http"


def _server(authority: str, scheme: str) -> tuple[str, int] | None:
    host, colon, port = authority.rpartition(":")
    if colon and port.isdigit():
        return host.strip("[]"), int(port)
    return (authority, _DEFAULT_PORTS.get(scheme, 80)) if authority else None


def _fine() -> Any:
    return Ok(None)


def _no_trailers() -> Any:
    return Ok(None)
