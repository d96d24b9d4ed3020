"""What is recorded for the host to answer; and every kind of app that must be asked itself, by the reason why."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import fastapi.routing
import pytest
from fake_host import FakeHost
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.convertors import CONVERTOR_TYPES, IntegerConvertor, PathConvertor
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute, Host, Match, Mount, Route
from test_cycle import Server

import fasterapi
from fasterapi import _answers
from fasterapi._answers import unchanged
from fasterapi._build.lanes import Lanes


class Item(BaseModel):
    name: str


def plain(**options: Any) -> FastAPI:
    app = FastAPI(**options)

    @app.get("/items/{item_id}")
    def item(item_id: int) -> int:
        return item_id

    @app.post("/items")
    def make(item: Item) -> Item:
        return item

    return app


def recorded(app: FastAPI) -> Any:
    return _answers.of(app, Lanes(app).compiled)


def asked(host: FakeHost, app: FastAPI, path: str, **options: Any) -> dict[str, Any]:
    (status, *fields), body = Server(host, app).get(path, **options)
    return {"status": int(status), "headers": [list(field) for field in zip(fields[::2], fields[1::2])], "body": body.decode()}


def test_what_is_recorded_is_what_the_app_answers(host: FakeHost) -> None:
    app = plain(title="<Ünïcode>")
    found = recorded(app)
    assert found["not_found"] == asked(host, app, "/nowhere")
    assert found["redirect_slashes"] is True
    routes = list(fastapi.routing.iter_route_contexts(app.routes))
    documents = {str(route.path) for route in routes if "/items" not in str(route.path)}
    assert documents == {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}
    for given in found["documents"]:
        (place,) = given.pop("routes")
        path = str(routes[place].path)
        documents.remove(path)
        assert given == asked(host, app, path)
    assert not documents
    wrong = {place: given for given in found["wrong_method"] for place in given["routes"]}
    for place, route in enumerate(routes):
        expected = asked(host, app, str(route.path).format(item_id=1), method="BREW")
        assert expected == {key: value for key, value in wrong[place].items() if key != "routes"}
    no_json = found["no_json"]
    assert no_json["body"][no_json["at"]] == "0"
    assert [routes[place].path for place in no_json["routes"]] == ["/items"]
    body = {key: no_json[key] for key in ("status", "headers", "body")}
    assert body == asked(host, app, "/items", method="POST", body=b"x", headers="\0content-type\0application/json")


def test_routers_within_routers_are_known() -> None:
    app, outer, inner = plain(), APIRouter(prefix="/outer"), APIRouter(prefix="/inner")

    @inner.api_route("/x", methods=["GET", "PUT"])
    def x() -> None: ...

    outer.include_router(inner)
    app.include_router(outer)
    app.mount("/sub", FastAPI())
    found = recorded(app)
    routes = list(fastapi.routing.iter_route_contexts(app.routes))
    (allow,) = [dict(given["headers"])["allow"] for given in found["wrong_method"] for place in given["routes"] if routes[place].path == "/outer/inner/x"]
    assert allow == ", ".join(routes[-2].methods or ())


def test_a_long_description_stays_with_the_app() -> None:
    app = plain(description="x" * (1 << 20), summary="short")
    paths = {getattr(app.routes[place], "path", "") for given in recorded(app)["documents"] for place in given["routes"]}
    assert "/openapi.json" not in paths
    json.dumps(recorded(app))


def own_openapi(app: FastAPI) -> None:
    app.openapi = lambda: {"openapi": "3.1.0"}  # type: ignore[method-assign]


def own_page(app: FastAPI) -> None:
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", "") not in ("/docs", "/openapi.json")]

    @app.get("/docs", include_in_schema=False)
    def docs() -> str:
        return "mine"


def test_documents_of_its_own_stay_with_the_app() -> None:
    app = plain()
    own_openapi(app)
    assert recorded(app)["documents"] == []
    app = plain()
    own_page(app)
    paths = {getattr(app.routes[place], "path", "") for given in recorded(app)["documents"] for place in given["routes"]}
    assert paths == {"/docs/oauth2-redirect", "/redoc"}


def own_invalid(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(request: Any, error: Any) -> JSONResponse:
        return JSONResponse({}, 422)


def test_bodies_stay_with_an_app_that_handles_bad_ones() -> None:
    app = plain()
    own_invalid(app)
    assert recorded(app)["no_json"] is None


# --- apps that must be asked ---


def own_404(app: FastAPI) -> None:
    @app.exception_handler(404)
    async def missing(request: Any, error: Any) -> JSONResponse:
        return JSONResponse({}, 404)


def own_405(app: FastAPI) -> None:
    app.add_exception_handler(405, lambda request, error: JSONResponse({}, 405))


def own_http(app: FastAPI) -> None:
    app.add_exception_handler(HTTPException, lambda request, error: JSONResponse({}, 400))


def middleware(app: FastAPI) -> None:
    app.add_middleware(GZipMiddleware, compresslevel=0)


def start_up(app: FastAPI) -> None:
    app.router.on_startup.append(lambda: None)


def router_start_up(app: FastAPI) -> None:
    router = APIRouter()
    router.on_startup.append(lambda: None)
    app.include_router(router)


def default(app: FastAPI) -> None:
    app.router.default = JSONResponse({})


def own_not_found(app: FastAPI) -> None:
    app.router.not_found = JSONResponse({})  # type: ignore[method-assign]
    app.router.default = app.router.not_found


class OwnRouter(APIRouter):
    def matches(self, scope: Any) -> tuple[Match, Any]:
        return super().matches(scope)


def included(app: FastAPI) -> None:
    app.include_router(OwnRouter())


def limited(app: FastAPI) -> None:
    app.include_router(APIRouter(max_body_size=10))


def front(app: FastAPI) -> None:
    app.frontend("/", directory="tests", check_dir=False)


@asynccontextmanager
async def nothing(app: Any) -> Any:
    yield


REFUSED: dict[str, tuple[Callable[[FastAPI], object], dict[str, Any], str]] = {
    "404": (own_404, {}, "handles HTTP errors itself"),
    "405": (own_405, {}, "handles HTTP errors itself"),
    "http": (own_http, {}, "handles HTTP errors itself"),
    "middleware": (middleware, {}, "has middleware that the host does not do"),
    "lifespan": (lambda app: None, {"lifespan": nothing}, "start-up may change it"),
    "start-up": (start_up, {}, "start-up may change it"),
    "router's start-up": (router_start_up, {}, "start-up may change it"),
    "telemetry": (lambda app: None, {"telemetry": {"auto_configure": True}}, "telemetry"),
    "default": (default, {}, "its router is changed"),
    "not_found": (own_not_found, {}, "its router is changed"),
    "included": (included, {}, "router that it includes is changed"),
    "limited": (limited, {}, "router that it includes is changed"),
    "frontend": (front, {}, "frontend"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_app_of_its_own_kind_is_asked(name: str) -> None:
    change, options, expected = REFUSED[name]
    app = plain(**options)
    change(app)
    lane = Lanes(app).compiled
    assert lane is not None
    reason = unchanged.reason(app, lane)
    assert reason is not None and expected in reason
    assert recorded(app) is None


def test_an_app_that_shares_its_memory_is_asked() -> None:
    assert recorded(fasterapi.App()) is not None
    assert recorded(fasterapi.App(isolation="app")) is None


def test_a_replaced_convertor_has_the_app_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    app = plain()
    monkeypatch.setitem(CONVERTOR_TYPES, "int", PathConvertor())
    assert recorded(app) is None


class Caseless(APIRoute):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.path_regex = re.compile(self.path_regex.pattern, re.IGNORECASE)


class Picky(APIRoute):
    def matches(self, scope: Any) -> tuple[Match, Any]:
        return Match.NONE, {}


class Strange(BaseRoute):
    pass


class Date(IntegerConvertor):
    pass


def route_of(cls: type[APIRoute]) -> Callable[[FastAPI], None]:
    def change(app: FastAPI) -> None:
        app.router.route_class = cls
        app.add_api_route("/x", lambda: None)

    return change


UNKNOWN: dict[str, Callable[[FastAPI], object]] = {
    "no case": route_of(Caseless),
    "matches": route_of(Picky),
    "base": lambda app: app.router.routes.append(Strange()),
    "host": lambda app: app.router.routes.append(Host("x.example", FastAPI())),
    "replaced": lambda app: setattr(app.router.routes[0], "matches", lambda scope: (Match.NONE, {})),
    "mount": lambda app: app.router.routes.append(type("M", (Mount,), {"matches": Picky.matches})("/m", FastAPI())),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_app_with_a_route_that_only_it_knows_is_asked(name: str) -> None:
    app = plain()
    assert recorded(app) is not None
    UNKNOWN[name](app)
    assert recorded(app) is None


def test_an_unknown_convertor_has_the_app_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONVERTOR_TYPES, "date", Date())
    app = plain()
    app.router.routes.append(Route("/x/{day:date}", lambda request: None))
    assert recorded(app) is None
