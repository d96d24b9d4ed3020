"""Why a route keeps the ASGI lane, in words that its author can act on. None: it has a plan."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import fastapi
from fastapi import params
from fastapi.dependencies.models import Dependant, _is_async_gen_callable, _is_gen_callable
from fastapi.routing import APIRoute, APIRouter
from starlette.convertors import FloatConvertor, IntegerConvertor, PathConvertor, StringConvertor, UUIDConvertor

_FASTAPI = "0.165."
"""The FastAPI whose insides this package knows."""

_SEGMENT = re.compile(r"\{[a-zA-Z_][a-zA-Z0-9_]*(:str)?\}")
_TAIL = re.compile(r"\{[a-zA-Z_][a-zA-Z0-9_]*:path\}")
_CONVERTORS = (FloatConvertor, IntegerConvertor, PathConvertor, StringConvertor, UUIDConvertor)

def of_app(app: Any) -> str | None:
    """What keeps every route of an app in the ASGI lane."""
    if not isinstance(app, fastapi.FastAPI):
        return "the app is not a FastAPI app"
    if not fastapi.__version__.startswith(_FASTAPI):
        return f"FastAPI is {fastapi.__version__}: plans are made for {_FASTAPI}x"
    return next((reason for found, reason in _unusual(app) if found), None)


def _unusual(app: fastapi.FastAPI) -> Iterator[tuple[bool, str]]:
    cls = type(app)
    overridden = [name for name in ("__call__", "build_middleware_stack") if getattr(cls, name) is not getattr(fastapi.FastAPI, name)]
    yield bool(overridden), f"`{cls.__name__}` overrides `{'`, `'.join(overridden)}`"
    yield type(app.router) is not APIRouter, f"the app's router is a `{type(app.router).__name__}`"
    yield bool(app.dependency_overrides), "`app.dependency_overrides` is not empty"
    yield bool(app.root_path), "`root_path` is set"
    yield app.debug, "`debug` is on"
    yield app.max_body_size is not None, "`max_body_size` is set: the host has `--max-body-size`"
    yield app._native_telemetry.enabled(), "FastAPI's telemetry is on"
    yield _limits_forms(app.router), "a router sets `form_limits`"


def _limits_forms(router: Any) -> bool:
    included = [route for route in router.routes if hasattr(route, "include_context")]
    return bool(router.form_limits) or any(route.include_context.form_limits or _limits_forms(route.original_router) for route in included)


def has_middleware(app: Any) -> bool:
    """Whether anything but FastAPI's own stands before an app's routes."""
    return bool(app.user_middleware) or builds_its_stack(app)


def builds_its_stack(app: Any) -> bool:
    """Whether an app puts its middleware together in its own way, as one under OpenTelemetry's instrumentation does."""
    return "build_middleware_stack" in vars(app)


def of_route(route: Any) -> str | None:
    """What keeps one route (a `RouteContext`) in the ASGI lane."""
    original = route.original_route
    if type(original) is not APIRoute:
        return f"it is a `{type(original).__name__}`, not a path operation of FastAPI's" if not isinstance(original, APIRoute) else f"its class is `{type(original).__name__}`"
    for reason in (_path(route), _stream(route), _body(route)):
        if reason:
            return reason
    return next((reason for dependant in tree(route.dependant) if (reason := _dependant(dependant))), None)


def tree(dependant: Dependant) -> Iterator[Dependant]:
    """A dependant and all below it."""
    yield dependant
    for below in dependant.dependencies:
        yield from tree(below)


def _path(route: Any) -> str | None:
    for name, convertor in route.param_convertors.items():
        if type(convertor) not in _CONVERTORS:
            return f"the path converts `{name}` with a `{type(convertor).__name__}`"
    return None


def has_plain_path(route: Any) -> bool:
    """Whether every parameter of a path is a whole segment, or all from the last one on: the host then takes them out."""
    *segments, last = route.path.split("/")
    return all("{" not in segment or _SEGMENT.fullmatch(segment) for segment in segments + ([] if _TAIL.fullmatch(last) else [last]))


def _stream(route: Any) -> str | None:
    call = route.dependant.call
    if route.is_sse_stream or route.is_json_stream or route.stream_item_field is not None or _is_gen_callable(call) or _is_async_gen_callable(call):
        return "it streams its answer"
    return None


def _body(route: Any) -> str | None:
    if route.max_body_size is not None:
        return "`max_body_size` is set: the host has `--max-body-size`"
    if takes_form(route) and route.original_route.form_limits:
        return "its form has limits of its own"
    return None


def takes_form(route: Any) -> bool:
    """Whether a route's body is a form."""
    return route.body_field is not None and isinstance(route.body_field.field_info, params.Form)


def _dependant(dependant: Dependant) -> str | None:
    call = dependant.call
    if dependant.websocket_param_name:
        return f"`{_name(call)}` takes a WebSocket"
    if dependant.concurrency is not None:
        return f"`{_name(call)}` limits its concurrency"
    return None


def _name(call: Callable[..., Any] | None) -> str:
    return getattr(inspect.unwrap(call) if callable(call) else call, "__name__", type(call).__name__)
