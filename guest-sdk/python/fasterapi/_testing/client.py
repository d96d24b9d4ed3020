"""The client: Starlette's, with another transport where the app is a component."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, NoReturn, Self

from starlette import testclient as base
from starlette.types import ASGIApp

from . import backend as backends
from .backend import Backend, TestingError
from .served import Served, Target

if TYPE_CHECKING:
    import httpx2 as httpx
else:
    httpx = base.httpx

_PATIENCE = 60.0
"""Seconds for an answer of the component, whose first request may wait for its instance."""


class TestClient(base.TestClient):
    """Starlette's `TestClient`: the same arguments, the same methods.

    As a context manager it starts the app before the block and ends it after. Without one, the native backend runs no lifespan, as
    with Starlette's; the component, which has no life without, is started with the first request and ended with the process.

    Args:
        app: the app, or where it is: `"main:app"`. An object is looked for in the modules that are imported.
        fasterapi_backend: `"native"` or `"component"`, if not what pytest's option or FASTERAPI_TEST_BACKEND says.
        options: Starlette's. Those that reach into the app (`root_path`, `client`, `backend`) mean nothing to a component, and an
            exception that the app raises is a 500 there, as if `raise_server_exceptions` were false.

    Raises:
        TestingError: the component backend, and no host's program is found, the app is in no module, or it cannot be built.
    """

    __test__ = False

    def __init__(self, app: ASGIApp | str, *args: Any, fasterapi_backend: Backend | None = None, **options: Any) -> None:
        backend = backends.current() if fasterapi_backend is None else backends.checked(fasterapi_backend, "fasterapi_backend")
        self.fasterapi_backend = backend
        self._served: Served | None = None
        if backend == "native":
            super().__init__(_loaded(app) if isinstance(app, str) else app, *args, **options)
            return
        super().__init__(_no_app, *args, **options)
        self._served = Served(Target.named(app) if isinstance(app, str) else Target.of(app))
        self._overridden = app
        self._transport = _Transport(self)
        self.timeout = _PATIENCE

    def __enter__(self) -> Self:
        if self._served is None:
            return super().__enter__()
        self.address()
        return self

    def __exit__(self, *args: Any) -> None:
        if self._served is None:
            super().__exit__(*args)
        else:
            self.close()

    def close(self) -> None:
        """Ends the component's server, if there is one, and the connections."""
        super().close()
        if self._served is not None:
            self._served.stop()

    def websocket_connect(self, *args: Any, **options: Any) -> Any:
        """See Starlette's. Only where the app runs in this Python."""
        if self._served is not None:
            raise TestingError("WebSockets are tested in the native backend only")
        return super().websocket_connect(*args, **options)

    def address(self) -> tuple[str, int]:
        """Where the component listens. Builds and starts it when it is not."""
        assert self._served is not None
        if getattr(self._overridden, "dependency_overrides", None):
            raise TestingError("the app has `dependency_overrides`, which are of this process: the component has none of them")
        return self._served.start()


class _Transport(httpx.BaseTransport):
    """To the component's address, whatever host the URL names: that goes in the header, as to a server behind a proxy."""

    def __init__(self, client: TestClient) -> None:
        self._client = client
        self._http = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host, port = self._client.address()
        url = request.url.copy_with(scheme="http", host=host, port=port)
        sent = httpx.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions)
        return self._http.handle_request(sent)

    def close(self) -> None:
        self._http.close()


def _loaded(target: str) -> ASGIApp:
    module, _, name = target.partition(":")
    if "" not in sys.path and "." not in sys.path:
        sys.path.insert(0, "")  # as `fasterapi-host build` finds it
    app: ASGIApp = getattr(importlib.import_module(module), name or "app")
    return app


async def _no_app(*_: Any) -> NoReturn:
    raise TestingError("the component is asked over HTTP")
