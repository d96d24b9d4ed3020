"""The manifest: what the host knows of an app without starting it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from .._version import __version__
from .lanes import Lanes
from .pages import shows_docs

_NO_PLAN = {
    "websocket": "it is a WebSocket",
    "mount": "it is an app of its own: what is below is not looked at",
    "host": "it is for a host name: what is below is not looked at",
}
_SERVER = ("host", "port", "enable_h2", "compression")


def manifest(app: Any, target: str, uses_postgres: bool, lanes: Lanes) -> dict[str, Any]:
    """Describes an application."""
    kind = _kind(app)
    serving = getattr(app, "serving", None) if kind == "fasterapi" else None
    isolation = "route" if serving is None else serving.isolation
    return {
        "sdk": __version__,
        "python": platform.python_version(),
        "kind": kind,
        "framework": _framework(kind),
        "target": target,
        "uses_postgres": uses_postgres,
        "isolation": isolation,
        "server": {name: getattr(serving, name, None) for name in _SERVER},
        "layers": lanes.layers(isolation),
        "routes": [{**route, "isolation": isolation} for route in _routes(app, kind, lanes)],
    }


def _kind(app: Any) -> str:
    for kind, module, name in (("fasterapi", "fasterapi._app", "App"), ("fastapi", "fastapi", "FastAPI"), ("starlette", "starlette.applications", "Starlette")):
        loaded = sys.modules.get(module)
        if loaded is not None and isinstance(app, getattr(loaded, name)):
            return kind
    return "asgi"


def _framework(kind: str) -> dict[str, str] | None:
    if kind == "asgi":
        return None
    name = "starlette" if kind == "starlette" else "fastapi"
    return {"name": name, "version": sys.modules[name].__version__}


def _routes(app: Any, kind: str, lanes: Lanes) -> Iterator[dict[str, Any]]:
    if kind == "asgi":
        return
    for place, route in enumerate(flat(app.routes)):
        described = _describe(route)
        if described is not None:
            yield described | (lanes.of(place) if described["kind"] == "http" else {"reason": _NO_PLAN[described["kind"]]})


def flat(routes: Iterable[Any]) -> Iterable[Any]:
    """An application's routes in matching order, those of included routers among them."""
    routing = sys.modules.get("fastapi.routing")
    return routes if routing is None else routing.iter_route_contexts(routes)


def _describe(route: Any) -> dict[str, Any] | None:
    kind = route_kind(route)
    path = getattr(route, "host" if kind == "host" else "path", None)
    if kind is None or path is None:
        return None
    return {
        "kind": kind,
        "path": path,
        "methods": sorted(getattr(route, "methods", None) or ()) if kind == "http" else [],
        "name": getattr(route, "name", None) or "",
        "in_schema": bool(getattr(route, "include_in_schema", False)) and kind == "http",
        "docs": kind == "http" and shows_docs(route),
    }


def route_kind(route: Any) -> str | None:
    """What a route is for; none where that is not known."""
    route = getattr(route, "original_route", route)
    routing = sys.modules["starlette.routing"]
    for kind, name in (("http", "Route"), ("websocket", "WebSocketRoute"), ("mount", "Mount"), ("host", "Host")):
        if isinstance(route, getattr(routing, name)):
            return kind
    return None
