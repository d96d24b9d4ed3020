"""The module that componentize-py makes a component of: the exports of wit/world.wit over the user's application.

Imported once, at build time; what it leaves in memory is the component.
"""

from __future__ import annotations

import sys

sys.pycache_prefix = "/2/.pyc"  # where the builder puts what it compiled beforehand, the standard library's included

from fasterapi._build import prepare  # noqa: E402

prepare.interpreter()

from typing import Any  # noqa: E402

from wit_world import exports  # noqa: E402

from fasterapi._wasm import background, logs, runtime, threads  # noqa: E402
from fasterapi._wasm.fast import FastHttp  # noqa: E402
from fasterapi._wasm.loop import outside_loop  # noqa: E402
from fasterapi._wasm.wasi import WasiHttp  # noqa: E402
from fasterapi._wasm.websockets import WebSockets  # noqa: E402

_scheduler = runtime.install()
threads.install()
_app, _lane = prepare.application(outside_loop)
background.install(_scheduler)
logs.configure()
_fast = FastHttp(_scheduler, _app, _lane)
_websockets = WebSockets(_scheduler, _app, _fast.lifespan)
_wasi = WasiHttp(_scheduler, _app, _fast.lifespan)

# The bindings call these without awaiting what they give: it goes to `Scheduler.first_poll`.


class Http(exports.Http):  # type: ignore[misc]
    """`fasterapi:app/http`."""

    def handle(self, request: int, head: str, body: bytes, more: Any) -> Any:
        """Answers one request."""
        return _fast.handle(request, head, body, more)

    def disconnect(self, request: int) -> Any:
        """The client of a request has gone."""
        return _fast.disconnect(request)


class Compiled(exports.Compiled):  # type: ignore[misc]
    """`fasterapi:app/compiled`."""

    def call(self, request: int, plan: int, values: str, head: str, body: bytes) -> str:
        """Answers one request by the plan of its route."""
        return _fast.call(request, plan, values, head, body)


class Lifecycle(exports.Lifecycle):  # type: ignore[misc]
    """`fasterapi:app/lifecycle`."""

    def startup(self) -> Any:
        """Runs the app's start-up."""
        return _fast.startup()

    def shutdown(self) -> Any:
        """Runs the app's shut-down."""
        return _fast.shutdown()


class Endpoint(exports.Endpoint):  # type: ignore[misc]
    """`fasterapi:websocket/endpoint`."""

    def serve(self, connection: int, head: str, incoming: Any) -> Any:
        """Serves one WebSocket."""
        return _websockets.serve(head, incoming)


class Handler(exports.Handler):  # type: ignore[misc]
    """`wasi:http/handler`."""

    def handle(self, request: Any) -> Any:
        """Answers one request."""
        return _wasi.handle(request)


prepare.settle(_scheduler.loop)
