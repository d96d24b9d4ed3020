"""FasterAPI: FastAPI apps in a WebAssembly sandbox, served by `fasterapi-host`.

`App` is a `fastapi.FastAPI` with the host's options; everything else here is FastAPI's own. `fasterapi.pg` talks to the
Postgres that the host lends.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from fastapi import (
        APIRouter as APIRouter,
        BackgroundTasks as BackgroundTasks,
        Body as Body,
        Cookie as Cookie,
        Depends as Depends,
        FastAPI as FastAPI,
        File as File,
        Form as Form,
        Header as Header,
        HTTPException as HTTPException,
        Path as Path,
        Query as Query,
        Request as Request,
        Response as Response,
        Security as Security,
        UploadFile as UploadFile,
        WebSocket as WebSocket,
        WebSocketDisconnect as WebSocketDisconnect,
        WebSocketException as WebSocketException,
        status as status,
    )

    from ._app import App as App

_FASTAPI = (
    "APIRouter BackgroundTasks Body Cookie Depends FastAPI File Form Header HTTPException Path Query Request Response Security UploadFile "
    "WebSocket WebSocketDisconnect WebSocketException status"
).split()

__all__ = ["App", "__version__", *_FASTAPI]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    # Lazily: a Starlette or plain ASGI app has no FastAPI.
    if name == "App":
        value = importlib.import_module("._app", __name__).App
    elif name in _FASTAPI:
        value = getattr(importlib.import_module("fastapi"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
