"""Asks an app what the host is to answer: FastAPI's own middleware and its handlers of errors, around what its router would raise.

Nothing of the user's runs: `unchanged` has seen to that. A document is what FastAPI's own endpoint for it gives.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import fastapi
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .._build.pages import is_own
from .._compiled.drive import drive
from .._compiled.reasons import takes_form
from .unchanged import is_known

_MOST = 1 << 20
"""Characters of documents that a manifest carries, as JSON. An app that describes itself at more length is asked for it."""

Answer = dict[str, Any]


def answers(app: Any) -> dict[str, Any] | None:
    """What the host may answer. None: a route of the app is one that only the app knows."""
    routes = list(iter_route_contexts(app.routes))
    if not all(is_known(route) for route in routes):
        return None
    return {
        "not_found": _answer(app, app.router.default),
        "redirect_slashes": app.router.redirect_slashes,
        "wrong_method": _wrong_methods(app, routes),
        "documents": list(_bounded(_documents(app, routes))),
        "no_json": _no_json(app, routes),
    }


def _wrong_methods(app: Any, routes: list[Any]) -> list[Answer]:
    """The 405 of each route: the order of the methods in `allow` is that of a set, which stays as it is in the component."""
    places: dict[str, list[int]] = {}
    for place, route in enumerate(routes):
        if isinstance(route.original_route, Route) and route.methods:
            places.setdefault(", ".join(route.methods), []).append(place)
    return [_answer(app, _raises(HTTPException(405, headers={"Allow": allow}))) | {"routes": found} for allow, found in places.items()]


def _documents(app: Any, routes: list[Any]) -> Iterable[Answer]:
    """OpenAPI's document and the pages that show it, as long as they are FastAPI's own."""
    if type(app).openapi is not fastapi.FastAPI.openapi or "openapi" in vars(app):
        return
    for place, route in enumerate(routes):
        if type(route.original_route) is Route and is_own(route) and "{" not in route.path:
            try:
                yield _answer(app, route.original_route.handle, path=route.path) | {"routes": [place]}
            except Exception:  # noqa: S112: it fails when it is asked for, as under any server
                continue


def _bounded(documents: Iterable[Answer]) -> Iterable[Answer]:
    room = _MOST
    for document in documents:
        room -= len(json.dumps(document))
        if room >= 0:
            yield document


def _no_json(app: Any, routes: list[Any]) -> Answer | None:
    """The answer to a body that is not JSON from its very beginning. `at` is where the number of its first bad character stands."""
    if app.exception_handlers.get(RequestValidationError) is not request_validation_exception_handler:
        return None
    places = [place for place, route in enumerate(routes) if _takes_json(route)]
    answer = _answer(app, _raises(RequestValidationError([_json_error(0)])))
    other = _answer(app, _raises(RequestValidationError([_json_error(7)])))
    at = next((place for place, (one, two) in enumerate(zip(answer["body"], other["body"])) if one != two), None)
    if not places or at is None:
        return None
    return answer | {"at": at, "routes": places}


def _takes_json(route: Any) -> bool:
    original = route.original_route
    own = isinstance(original, APIRoute) and type(original).get_route_handler is APIRoute.get_route_handler
    return own and route.max_body_size is None and route.body_field is not None and not takes_form(route)


def _json_error(position: int) -> dict[str, Any]:
    try:
        json.loads(" " * position + "x")
    except json.JSONDecodeError as error:
        return {"type": "json_invalid", "loc": ("body", error.pos), "msg": "JSON decode error", "input": {}, "ctx": {"error": error.msg}}
    raise AssertionError("no JSON")


def _raises(error: Exception) -> ASGIApp:
    async def raises(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return raises


def _answer(app: Any, inner: ASGIApp, path: str = "/") -> Answer:
    """What the app's handlers of errors make of `inner` in the place of its router. What middleware it has is the host's to do."""
    (router, app.router), (middleware, app.user_middleware) = (app.router, inner), (app.user_middleware, [])
    try:
        stack: ASGIApp = app.build_middleware_stack()
    finally:
        app.router, app.user_middleware = router, middleware
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    drive(stack(_scope(app, path), _never, send))
    start, *rest = messages
    headers = [[name.decode("latin-1").lower(), value.decode("latin-1")] for name, value in start["headers"]]
    return {"status": start["status"], "headers": headers, "body": b"".join(part.get("body", b"") for part in rest).decode()}


def _scope(app: Any, path: str) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": None,
        "server": None,
        "state": {},
        "app": app,
        "router": app.router,
        "path_params": {},
    }


async def _never() -> Message:
    raise RuntimeError("FastAPI's own answers read no body")
