"""The compiled lane against the ASGI lane: the same requests to two copies of one app; status, headers, body and what ran must be equal."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import compiled_app
import fastapi.routing
import pytest
from fake_host import FakeHost
from lanes import Copy, Lanes
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from fasterapi._compiled import reasons
from fasterapi._compiled.lane import Lane
from fasterapi._compiled.plan import REPLAY
from fasterapi._wasm.fast import FastHttp

pytestmark = pytest.mark.usefixtures("no_threads")

# Routes of the app that are meant to keep the ASGI lane.
ASGI = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}


class Both(Lanes):
    """Two copies of the app, one in each lane."""

    def __init__(self, host: FakeHost, *layers: Middleware) -> None:
        super().__init__(host, *(Copy(compiled_app.make(*layers), compiled_app.log) for _ in range(2)))


@pytest.fixture
def both(host: FakeHost) -> Both:
    return Both(host)


JSON = [("content-type", "application/json")]
FORM = [("content-type", "application/x-www-form-urlencoded")]
MULTIPART = [("content-type", "multipart/form-data; boundary=b")]
PARTS = (
    b'--b\r\nContent-Disposition: form-data; name="raw"\r\n\r\nbytes\r\n'
    b'--b\r\nContent-Disposition: form-data; name="upload"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n\xc3\xa9\r\n--b--\r\n'
)
TOKEN = [("authorization", "Bearer tok")]

# (method, target, headers, body); the compiled lane answers these by itself...
DIRECT: list[tuple[str, str, list[tuple[str, str]], bytes]] = [
    ("GET", "/", [], b""),
    ("GET", "/async", [], b""),
    ("GET", "/context", [], b""),
    ("GET", "/context?q=1", [], b""),
    ("GET", "/context-sync", [], b""),
    ("GET", "/items/42?q=x", [], b""),
    ("GET", "/items/%34%32?q=a+b%20%C3%A9%FF&q=last&many=1&many=2&flag=yes&unknown=1", [], b""),
    ("GET", "/items/1?q=&&x&=y", [], b""),
    ("GET", "/types/red?when=2026-01-02", [], b""),
    ("GET", "/types/blue?when=2026-01-02&id=00000000-0000-0000-0000-000000000005&ratio=2.5&amount=3.10&Word-Of=aaa&words=1&words=2&made=4", [], b""),
    ("GET", "/files/a/b//c.txt", [], b""),
    ("GET", "/files/", [], b""),
    ("GET", "/undeclared/1/2", [], b""),
    ("GET", "/numbers/3", [], b""),
    ("GET", "/function-scope", [], b""),
    ("POST", "/items", JSON, b'{"id": 1, "name": "n"}'),
    ("POST", "/items", JSON, b'{"id": "1", "name": "n", "price": 1e400, "when": "2026-01-02T03:04:05Z", "more": 1}'),
    ("POST", "/items", JSON, b'{"id": 1, "id": 2, "name": "\\u00e9\\ud83d\\ude00"}'),
    ("PUT", "/items/5", JSON, b'{"item": {"id": 1, "name": "n"}, "user": "u"}'),
    ("PUT", "/items/5", JSON, b'{"item": {"id": 1, "name": "n", "tags": ["a"]}, "user": "u", "importance": 7}'),
    ("POST", "/embedded", JSON, b'{"item": {"id": 1, "name": "n"}}'),
    ("POST", "/any", JSON, b"[1, 2.5, null, true, {}, 1e-7, -0, -0.0, 1E5, 123456789012345678901234567890]"),
    ("POST", "/any", JSON, b' "text" '),
    ("POST", "/echo", JSON, b'[1e-7, 1e-5, 0.0001, 1e15, 1e16, 1e22, 5e-324, -1e-7, "\\u2028", {"_sa_x": 1}]'),
    ("POST", "/any", JSON, b"[NaN, Infinity]"),
    ("POST", "/optional", JSON, b'{"a": 1}'),
    ("POST", "/optional", JSON, b"null"),
    ("GET", "/list", [], b""),
    ("GET", "/aliased", [], b""),
    ("GET", "/aliased-not", [], b""),
    *(("GET", f"/plain/{kind}", [], b"") for kind in ("float", "small", "when", "keys", "model", "set", "tuple", "enum", "bytes", "deep", "big")),
    ("GET", "/headers", [("User-Agent", "caf\xe9"), ("X-Many", "1"), ("x-many", "2"), ("x-number", "8")], b""),
    ("GET", "/headers", [], b""),
    ("GET", "/headers", [("x-number", "1"), ("X-Number", "2"), ("x-many", "")], b""),
    ("GET", "/header-host", [], b""),
    ("GET", "/cookies", [("cookie", "session=abc; N=3")], b""),
    ("GET", "/filter?limit=5&order=b&tags=1&tags=2", [], b""),
    ("GET", "/response", [], b""),
    ("GET", "/response?code=202", [], b""),
    ("GET", "/response?code=204", [], b""),
    *(("GET", f"/responses/{kind}", [], b"") for kind in ("json", "html", "text", "redirect", "empty", "loud", "bytes")),
    ("GET", "/custom", [], b""),
    ("GET", "/html", [], b""),
    ("GET", "/no-content", [], b""),
    ("GET", "/deps?q=a&n=3", [], b""),
    ("GET", "/generators?token=t", [], b""),
    ("GET", "/generators-fail/http", [], b""),
    ("GET", "/generators-fail/no-body", [], b""),
    ("GET", "/late", [], b""),
    ("GET", "/changes", [], b""),
    ("GET", "/raise/http", [], b""),
    ("GET", "/security?q=x", TOKEN, b""),
    ("GET", "/security", [], b""),
    ("GET", "/bearer", [*TOKEN, ("x-key", "k")], b""),
    ("GET", "/bearer", TOKEN, b""),
    ("GET", "/holds/on", [], b""),
    ("POST", "/form", FORM, b"name=a+b%20c&many=1&many=2&flag=on&other=1"),
    ("POST", "/form", MULTIPART, b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n--b--\r\n'),
    ("POST", "/form-model", FORM, b"id=1&name=n&tags=a&tags=b"),
    ("POST", "/login", FORM, b"username=u&password=p&scope=a+b"),
    ("POST", "/login?fail=1", FORM, b"username=u&password=p"),
    ("GET", "/sub/included/a?n=2", [], b""),
    ("GET", "/twice/sub/included/a?n=2", [], b""),
]

# They await something that is there already.
EAGER: list[tuple[str, str, list[tuple[str, str]], bytes]] = [
    ("GET", "/request?x=1&y=2&y=3", [], b""),
    ("GET", "/request", [("content-length", "2")], b"ab"),
    ("POST", "/request-body", JSON, b'{"id": 1, "name": "n"}'),
    ("POST", "/files-form", MULTIPART, PARTS.replace(b'name="raw"', b'name="raw"; filename="r"')),
    ("GET", "/async-generator", [], b""),
    ("GET", "/async-generator/value", [], b""),
    ("GET", "/async-generator/response", [], b""),
    ("GET", "/async-late", [], b""),
]

# ...and these it gives back, before the app's code ran or after it.
GIVEN_BACK: list[tuple[str, str, list[tuple[str, str]], bytes]] = [
    ("GET", "/items/x", [], b""),
    ("GET", "/items/1?many=x&flag=perhaps", [], b""),
    ("GET", "/types/green?when=no&ratio=99&Word-Of=b", [], b""),
    ("GET", "/types/red", [], b""),
    ("GET", "/types/red?when=2026-01-02&strict=1", [], b""),
    ("GET", "/deps?n=x", [], b""),
    ("POST", "/items", JSON, b'{"id": 1, "name": "SHOUT"}'),
    ("POST", "/items", JSON, b'{"id": 1'),
    ("POST", "/items", JSON, b"[]"),
    ("POST", "/items", JSON, b'{"id": 1, "name": "\\ud800"}'),
    ("POST", "/items", JSON, b'{"id": 1, "name": "\xff"}'),
    ("POST", "/any", JSON, b"[" * 1000 + b"]" * 1000),
    ("POST", "/any", JSON, b"\xef\xbb\xbf[1]"),
    ("PUT", "/items/5", JSON, b"[1]"),
    ("PUT", "/items/5", JSON, b'{"item": {"id": 1, "name": "n"}, "importance": 0}'),
    ("POST", "/strict", JSON, b'"2026-01-02"'),
    ("GET", "/invalid-response", [], b""),
    ("GET", "/plain/surrogate", [], b""),
    ("GET", "/plain/nan", [], b""),
    ("GET", "/plain/absent", [], b""),
    ("GET", "/headers", [("x-number", "x")], b""),
    ("GET", "/cookies", [], b""),
    ("GET", "/filter?limit=500&other=1", [], b""),
    *(("GET", f"/responses/{kind}", [], b"") for kind in ("stream", "large")),
    ("GET", "/generators-fail/teapot", [], b""),
    ("GET", "/generators-fail/boom", [], b""),
    ("GET", "/swallows", [], b""),
    ("GET", "/swallows?how=boom", [], b""),
    ("GET", "/raise/teapot", [], b""),
    ("GET", "/raise/key", [], b""),
    ("GET", "/raise/detail", [], b""),
    ("GET", "/raise/exit", [], b""),
    ("GET", "/raise/cancelled", [], b""),
    ("GET", "/background", [], b""),
    ("GET", "/waits", [], b""),
    *(("GET", f"/waits/{kind}", [], b"") for kind in ("raise", "boom", "detail", "stream", "response", "value")),
    *(("GET", f"/async-generator/{kind}", [], b"") for kind in ("http", "boom", "stream")),
    ("GET", "/slow-to-leave", [], b""),
    ("POST", "/form", FORM, b"name="),
    ("POST", "/form", FORM, b""),
    ("POST", "/form", FORM, b"&".join([b"many=1"] * 1001)),
    ("POST", "/form-model", FORM, b"id=x"),
    ("POST", "/form", MULTIPART, b"--b\r\nbroken"),
    ("POST", "/form", [("content-type", "multipart/form-data")], b"--b--"),
    ("GET", "/leaves", [], b""),
    ("GET", "/lingers", [], b""),
    ("GET", "/holds/raise", [], b""),
    ("GET", "/holds-and-waits", [], b""),
    ("GET", "/holds-later", [], b""),
    ("GET", "/disconnected", [], b""),
]

# The ASGI lane alone knows what to do with these.
ELSEWHERE: list[tuple[str, str, list[tuple[str, str]], bytes]] = [
    ("POST", "/items", [], b'{"id": 1, "name": "n"}'),
    ("POST", "/items", [("content-type", "text/plain")], b'{"id": 1, "name": "n"}'),
    ("POST", "/items", JSON, b""),
    ("POST", "/form", JSON, b'{"name": "n"}'),
    ("POST", "/optional", [], b""),
    ("DELETE", "/items/1", [], b""),
    ("GET", "/nowhere", [], b""),
]


def name(request: Any) -> str:
    return f"{request[0]} {request[1]} {request[3][:30]!r}"


@pytest.mark.parametrize("request_", DIRECT, ids=name)
def test_answers_as_the_asgi_lane_does(both: Both, request_: Any) -> None:
    compare(both, request_)
    assert both.replayed == 0


@pytest.mark.parametrize("request_", EAGER, ids=name)
def test_answers_what_need_not_wait(begins: str, both: Both, request_: Any) -> None:
    compare(both, request_)
    assert both.replayed == (0 if begins == "eager" else 1)


@pytest.mark.parametrize("request_", GIVEN_BACK, ids=name)
def test_gives_back_what_it_cannot_answer(begins: str, both: Both, request_: Any) -> None:
    compare(both, request_)
    assert both.replayed == 1


HOW = ("value", "http", "teapot", "boom", "background", "stream")
IN_CONTEXT = ["/tenant", *(f"/{where}/{how}" for where in ("tenant", "tenant-waits", "group", "set") for how in HOW)]


@pytest.mark.parametrize("layers", [(), (Middleware(GZipMiddleware),)], ids=["alone", "within middleware"])
def test_all_of_a_request_is_in_one_context(host: FakeHost, begins: str, layers: Any) -> None:
    """What a dependency sets is seen by handlers, streams, background tasks, and by itself when it ends; in the task in which it began."""
    both = Both(host, *layers)
    for target in IN_CONTEXT:
        expected, got, wanted, ran = both.ask("GET", target, [], b"")
        assert got == expected, target
        assert ran == wanted, target


@pytest.mark.parametrize("request_", ELSEWHERE, ids=name)
def test_leaves_the_rest_alone(both: Both, request_: Any) -> None:
    compare(both, request_)


def compare(both: Both, request: Any) -> None:
    expected, got, wanted, ran = both.ask(*request)
    assert got == expected
    assert sorted(ran) == sorted(wanted)
    # A second time: nothing of the first is left.
    expected, got, wanted, ran = both.ask(*request)
    assert got == expected
    assert both.lane.support.pending is None
    both.replayed //= 2


LAYERS = {
    "cors": [Middleware(CORSMiddleware, allow_origins=["https://a.example"], allow_credentials=True, expose_headers=["x-one"])],
    "cors-all": [Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"])],
    "gzip": [Middleware(GZipMiddleware, minimum_size=200)],
    "host": [Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "www.b.example"])],
    "https": [Middleware(HTTPSRedirectMiddleware)],
    "all": [
        Middleware(TrustedHostMiddleware, allowed_hosts=["localhost"]),
        Middleware(GZipMiddleware, minimum_size=1),
        Middleware(CORSMiddleware, allow_origin_regex=r"https://.*\.example"),
    ],
}
ZIPPED = [("accept-encoding", "gzip, br")]
ORIGIN = [("origin", "https://a.example"), ("cookie", "a=b")]


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_middleware_stands_before_plans(host: FakeHost, begins: str, layers: list[Middleware]) -> None:
    both = Both(host, *layers)
    requests: list[Any] = [
        *(request for request in DIRECT[::3] + GIVEN_BACK[::3]),
        ("GET", "/plain/keys", ZIPPED, b""),
        ("GET", "/responses/large", ZIPPED, b""),
        ("GET", "/plain/deep", [*ZIPPED, *ORIGIN], b""),
        ("GET", "/", ORIGIN, b""),
        ("GET", "/response", ORIGIN, b""),
        ("GET", "/", [("origin", "https://evil")], b""),
        ("GET", "/raise/http", ORIGIN, b""),
        ("GET", "/raise/key", ORIGIN, b""),
        ("GET", "/leaves", [*ORIGIN, *ZIPPED], b""),
        ("GET", "/waits", ORIGIN, b""),
        ("GET", "/items/x", ORIGIN, b""),
        ("OPTIONS", "/items", [*ORIGIN, ("access-control-request-method", "POST")], b""),
        ("OPTIONS", "/options", [*ORIGIN, ("access-control-request-method", "POST")], b""),
        ("GET", "/", [("host", "b.example")], b""),
        ("GET", "/", [("host", "evil")], b""),
    ]
    for request in requests:
        expected, got, wanted, ran = both.ask(*request)
        assert got == expected, request
        assert sorted(ran) == sorted(wanted), request


@pytest.mark.parametrize("begins", ["eager"], indirect=True)
def test_middleware_is_fast_where_it_can_be(host: FakeHost, begins: str) -> None:
    both = Both(host, *LAYERS["all"])
    both.ask("GET", "/", [*ORIGIN, *ZIPPED], b"")
    both.ask("GET", "/raise/http", ORIGIN, b"")
    both.ask("GET", "/", [("host", "evil")], b"")
    assert both.replayed == 0


def test_every_route_has_a_plan_or_a_reason(both: Both) -> None:
    without = {route.path: both.lane.reasons[place] for place, route in enumerate(both.routes) if place in both.lane.reasons}
    assert set(without) == ASGI, without
    assert without["/docs"] == "it is a `Route`, not a path operation of FastAPI's"


def test_an_outcome_is_only_for_its_own_request(both: Both) -> None:
    """The host gave up between the two calls: the next request must not see what the first left."""
    number = both.lane.numbers[next(place for place, route in enumerate(both.routes) if route.path == "/raise/{kind}")]
    assert both.lane.call(77, number, '{"kind": "key"}', "", b"") == REPLAY
    expected, got, _, _ = both.ask("GET", "/nowhere", [], b"")
    assert got == expected
    assert got[0] == 404


def test_who_waits_sees_the_client_leave(both: Both) -> None:
    """The request is begun in the compiled lane, and the client leaves while it waits in the ASGI lane."""
    number = both.lane.numbers[next(place for place, route in enumerate(both.routes) if route.path == "/until-gone")]
    head = "GET\0/until-gone\0\0http\x001.1\x00127.0.0.1\x001\0localhost\x008000"
    assert both.lane.call(78, number, "{}", head, b"") == REPLAY
    task = both.host.call(both.compiled.handle(78, head, b"", None))
    both.host.run(1)
    assert not task.exited
    both.host.call(both.compiled.disconnect(78))
    both.host.run(1)
    assert task.exited
    assert compiled_app.log[-1] == "the client left"


def test_files_are_closed_with_their_request(both: Both) -> None:
    compiled_app.kept.clear()
    both.ask("POST", "/files-form", MULTIPART, PARTS.replace(b'name="raw"', b'name="raw"; filename="r"'))
    assert [upload.file.closed for upload in compiled_app.kept] == [True, True]


def test_overrides_close_the_lane(both: Both) -> None:
    both.app.dependency_overrides[compiled_app.first] = lambda: "overridden"
    both.reference._app.dependency_overrides[compiled_app.first] = lambda: "overridden"  # type: ignore[attr-defined]
    expected, got, _, _ = both.ask("GET", "/deps", [], b"")
    assert got == expected
    assert b"overridden" in got[2]
    assert both.replayed == 1


def test_what_start_up_changes_is_seen(host: FakeHost) -> None:
    app = compiled_app.make()
    lane = Lane(app, list(fastapi.routing.iter_route_contexts(app.routes)))
    app.add_api_route("/late", lambda: 1)
    lane.started(host.scheduler.loop, {})
    assert lane.call(1, 0, "{}", "", b"") == REPLAY


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda app: setattr(app, "debug", True), "`debug` is on"),
        (lambda app: setattr(app, "root_path", "/x"), "`root_path` is set"),
    ],
)
def test_reasons_of_apps(change: Any, reason: str) -> None:
    app = compiled_app.make()
    assert reasons.of_app(app) is None
    change(app)
    assert reasons.of_app(app) == reason


@pytest.mark.parametrize("how", ["nothing", "included", "on_startup", "lifespan", "included lifespan", "middleware", "telemetry"])
def test_start_up_is_run_where_it_does_something(host: FakeHost, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        ran.append("lifespan")
        yield

    app = fastapi.FastAPI(lifespan=lifespan if how == "lifespan" else None)
    if how == "on_startup":
        app.router.on_startup.append(lambda: ran.append("on_startup"))
    if how.startswith("included"):
        app.include_router(fastapi.APIRouter(lifespan=lifespan if "lifespan" in how else None))
    if how == "middleware":
        app.add_middleware(Nothing)
    if how == "telemetry":
        monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "false")
    lane = Lane(app, [])
    assert lane.needs_start_up() is (how not in ("nothing", "included"))
    fast = FastHttp(host.scheduler, app, lane if how != "middleware" else None)
    started = host.call(fast.startup())
    host.run()
    assert started.exited
    assert bool(ran) is (how in ("on_startup", "lifespan", "included lifespan"))
    stopped = host.call(fast.shutdown())
    host.run()
    assert stopped.exited


class Nothing:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "fasterapi.error")
