"""The exports of wit/world.wit, over the one application of this instance.

Imported while the component is built. `instance.serve` gives them the application: then, or, in a component for development,
when the instance starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wit_world import exports

from .._asgi import wsgi
from .._asgi.types import ASGIApp
from . import background, logs, runtime, threads
from .fast import FastHttp
from .wasi import WasiHttp
from .websockets import WebSockets

if TYPE_CHECKING:
    from .._compiled.lane import Lane


class Instance:
    """What the exports call."""

    fast: FastHttp
    websockets: WebSockets
    wasi: WasiHttp

    def __init__(self) -> None:
        self.scheduler = runtime.install()
        threads.install()

    def serve(self, app: ASGIApp, lane: Lane | None) -> None:
        """Takes the application, which has been imported: its own configuration of the log wins."""
        background.install(self.scheduler)
        wsgi.install()
        logs.configure()
        self.fast = FastHttp(self.scheduler, app, lane)
        if lane is not None:
            setattr(Compiled, "call", staticmethod(lane.call))  # no function stands between the bindings and the lane
        self.websockets = WebSockets(self.scheduler, app, self.fast.lifespan)
        self.wasi = WasiHttp(self.scheduler, app, self.fast.lifespan)


instance = Instance()

# The bindings call these without awaiting what they give: it goes to `Scheduler.first_poll`.


class Http(exports.Http):  # type: ignore[misc]
    """`fasterapi:app/http`."""

    def handle(self, request: int, head: str, body: bytes, more: Any) -> Any:
        """Answers one request."""
        return instance.fast.handle(request, head, body, more)

    def disconnect(self, request: int) -> Any:
        """The client of a request has gone."""
        return instance.fast.disconnect(request)


class Compiled(exports.Compiled):  # type: ignore[misc]
    """`fasterapi:app/compiled`."""

    def call(self, request: int, plan: int, values: str, head: str, body: bytes) -> str:
        """Answers one request by the plan of its route. `Instance.serve` puts the lane's own in its place."""
        return "\0"


class Lifecycle(exports.Lifecycle):  # type: ignore[misc]
    """`fasterapi:app/lifecycle`."""

    def startup(self) -> Any:
        """Runs the app's start-up."""
        return instance.fast.startup()

    def shutdown(self) -> Any:
        """Runs the app's shut-down."""
        return instance.fast.shutdown()


class Endpoint(exports.Endpoint):  # type: ignore[misc]
    """`fasterapi:websocket/endpoint`."""

    def serve(self, connection: int, head: str, incoming: Any) -> Any:
        """Serves one WebSocket."""
        return instance.websockets.serve(head, incoming)


class Handler(exports.Handler):  # type: ignore[misc]
    """`wasi:http/handler`."""

    def handle(self, request: Any) -> Any:
        """Answers one request."""
        return instance.wasi.handle(request)
