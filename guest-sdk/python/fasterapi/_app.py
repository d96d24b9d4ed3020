"""`App`: a FastAPI application that knows its host."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import FastAPI, WebSocket


@dataclass(frozen=True)
class Serving:
    """What an app asks of its host. `None`: as the host likes."""

    host: str | None
    port: int | None
    enable_h2: bool | None
    compression: bool | None
    isolation: Literal["route", "app"]


class App(FastAPI):
    """A `fastapi.FastAPI` with what the host is to do for it. Everything FastAPI takes is taken.

    Args:
        host: the address that `run` binds, and that the host suggests. `None` leaves it to the host (127.0.0.1).
        port: the port. `None` leaves it to the host (8000).
        enable_h2: whether HTTP/2 is offered. `None` leaves it to the host (it is).
        enable_h3: HTTP/3 is not there yet: only `False`.
        compression: whether the host compresses responses. `None` leaves it to the host.
        isolation: `"route"`: an instance that served one route never serves another, so routes share no memory.
            `"app"`: one pool of instances for all routes.
    """

    def __init__(
        self,
        *,
        host: str | None = None,
        port: int | None = None,
        enable_h2: bool | None = None,
        enable_h3: bool = False,
        compression: bool | None = None,
        isolation: Literal["route", "app"] = "route",
        **options: Any,
    ) -> None:
        if enable_h3:
            raise ValueError("enable_h3=True: HTTP/3 is not available yet; leave it out")
        if isolation not in ("route", "app"):
            raise ValueError(f'isolation must be "route" or "app", not {isolation!r}')
        super().__init__(**options)
        self.serving = Serving(host, port, enable_h2, compression, isolation)

    def add_api_websocket_route(self, path: str, endpoint: Callable[..., Any], name: str | None = None, **options: Any) -> None:
        """As FastAPI's. A parameter called `websocket` may go without its type."""
        parameter = inspect.signature(endpoint).parameters.get("websocket")
        if parameter is not None and parameter.annotation is parameter.default is inspect.Parameter.empty:
            endpoint.__annotations__["websocket"] = WebSocket
        super().add_api_websocket_route(path, endpoint, name, **options)

    def run(self, *, port: int | None = None, host: str | None = None) -> None:
        """Builds this app and serves it with `fasterapi-host`, until that ends. Does not return.

        For a program run with an ordinary Python (`python main.py`). The binary is found by `FASTERAPI_HOST_BIN`, else on `PATH`.

        Args:
            port: the port; else the app's own, else 8000.
            host: the address; else the app's own, else 127.0.0.1.
        """
        from ._run import run

        run(self, host=host or self.serving.host or "127.0.0.1", port=port or self.serving.port or 8000)
