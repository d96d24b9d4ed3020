"""Why an app must be asked itself where it has no route: something in it is not FastAPI's own, or may change before it is asked.

The host's router decides as Starlette's does, and `record` keeps what the app said. Both hold for a request only if nothing of the user's would
take part in the answer. What is looked at here is all that takes part: the app, its router, its routes' matching, its handlers of errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi.exception_handlers import http_exception_handler
from fastapi.routing import APIRoute, APIRouter, APIWebSocketRoute, _IncludedRouter
from starlette import convertors
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route, WebSocketRoute, compile_path

from .._compiled.reasons import has_middleware

_BUILT_IN = {
    "str": convertors.StringConvertor,
    "path": convertors.PathConvertor,
    "int": convertors.IntegerConvertor,
    "float": convertors.FloatConvertor,
    "uuid": convertors.UUIDConvertor,
}
_ROUTES: tuple[Any, ...] = (APIRoute, Route, APIWebSocketRoute, WebSocketRoute, Mount)
_ROUTING = ("__call__", "app", "matches", "handle", "not_found", "_match_low_priority")


def reason(app: Any, lane: Any) -> str | None:
    """Why the app must be asked. None: the host may answer. `lane` is the app's compiled lane: who has one is a FastAPI app of the version that
    is known here, with nothing unusual about it (`reasons.of_app`)."""
    return next((why for found, why in _reasons(app, lane) if found), None)


def _reasons(app: Any, lane: Any) -> Iterator[tuple[bool, str]]:
    serving = getattr(app, "serving", None)
    yield serving is not None and serving.isolation != "route", "its routes share their memory: one may change what another answers"
    yield lane.needs_start_up(), "its start-up may change it"
    yield bool(app._telemetry["auto_configure"]), "its start-up may turn telemetry on"
    yield has_middleware(app) and lane.lifted is None, "it has middleware that the host does not do"
    yield not _has_own_handler(app), "it handles HTTP errors itself"
    yield _is_changed_router(app.router), "its router is changed"
    yield any(True for _ in app.router._iter_low_priority_routes()), "it serves a frontend"
    yield any(_is_changed_included(route) for route in _included(app.router)), "a router that it includes is changed"
    yield not _has_own_convertors(), "a convertor of paths is replaced"


def _has_own_handler(app: Any) -> bool:
    handlers = app.exception_handlers
    return handlers.get(HTTPException) is http_exception_handler and not {404, 405} & {key for key in handlers if isinstance(key, int)}


def _is_changed_router(router: Any) -> bool:
    return (
        any(getattr(type(router), name, None) is not getattr(APIRouter, name) or name in vars(router) for name in _ROUTING)
        or router.default != router.not_found
        or router.middleware_stack != router.app
        or type(router.redirect_slashes) is not bool
    )


def _included(router: Any) -> Iterator[Any]:
    for route in router.routes:
        if hasattr(route, "include_context"):
            yield route
            yield from _included(route.original_router)


def _is_changed_included(route: Any) -> bool:
    return type(route) is not _IncludedRouter or _is_changed_router(route.original_router) or route.include_context.max_body_size is not None


def _has_own_convertors() -> bool:
    return all(type(convertors.CONVERTOR_TYPES.get(name)) is convertor for name, convertor in _BUILT_IN.items())


def is_known(route: Any) -> bool:
    """Whether a route (a `RouteContext`) matches as its pattern says, and refuses other methods as FastAPI's do."""
    original = route.original_route
    own = [cls for cls in _ROUTES if isinstance(original, cls)]
    if not own or any(getattr(type(original), name) is not getattr(own[0], name) or name in vars(original) for name in ("matches", "handle")):
        return False
    if isinstance(original, WebSocketRoute):
        return True
    pattern = route.path.rstrip("/") + "/{path:path}" if isinstance(original, Mount) else route.path
    regex, _, found = compile_path(pattern)
    return regex == route.path_regex and all(type(convertor) in _BUILT_IN.values() for convertor in found.values())
