"""What of an app's middleware the host does in its place, and what it leaves."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fake_host import FakeHost
from fastapi import FastAPI
from starlette.middleware import Middleware, gzip
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from fasterapi._build.lanes import Lanes
from fasterapi._compiled import lifted, patterns
from fasterapi._compiled.plan import REPLAY
from fasterapi._wasm.fast import FastHttp

HOSTS = Middleware(TrustedHostMiddleware, allowed_hosts=["a.example"])
CORS = Middleware(CORSMiddleware, allow_origins=["https://a.example"])


def made(*middleware: Middleware) -> FastAPI:
    app = FastAPI(middleware=list(middleware))

    @app.get("/")
    def home() -> str:
        return "home"

    return app


def layers(*middleware: Middleware) -> Any:
    return Lanes(made(*middleware)).layers("route")


def test_options_are_told() -> None:
    found = layers(HOSTS, CORS, Middleware(HTTPSRedirectMiddleware), Middleware(GZipMiddleware, 600, -1, exclude_content_types=("Audio/* ; a=b", "")))
    assert found["early"] is True
    hosts, cors, https, gzip = found["list"]
    assert gzip == {"kind": "gzip", "minimum_size": 600, "level": 6, "excluded": ["audio/*", ""]}
    assert hosts == {"kind": "trusted_host", "hosts": ["a.example"], "any": False}
    assert https == {"kind": "https_redirect"}
    assert (cors["kind"], cors["origins"], cors["methods"], cors["all_origins"]) == ("cors", ["https://a.example"], ["GET"], False)
    assert ["access-control-allow-methods", "GET"] in cors["preflight"] and cors["simple"] == []


class Own(CORSMiddleware):
    pass


@pytest.mark.parametrize(
    "middleware",
    [
        [],
        [Middleware(GZipMiddleware, minimum_size=0)],
        [Middleware(GZipMiddleware, minimum_size=500.5)],
        [Middleware(GZipMiddleware, minimum_size=1 << 80)],
        [CORS, Middleware(GZipMiddleware, compresslevel=0)],
        [Middleware(GZipMiddleware, compresslevel=10)],
        [Middleware(GZipMiddleware, thread_minimum_size=None)],
        [Middleware(GZipMiddleware, exclude_content_types=("é/*",))],
        [Middleware(GZipMiddleware, exclude_content_types={"image/png": 1})],
        [Middleware(Own, allow_origins=["*"])],
        [Middleware(CORSMiddleware, allow_origin_regex=r"https://(\w+)\.\1")],
        [Middleware(CORSMiddleware, allow_origin_regex=re.compile("https://.*", re.IGNORECASE))],
        [Middleware(CORSMiddleware, allow_origins={"https://a.example": 1}.keys())],
        [Middleware(CORSMiddleware, allow_origins="https://a.example https://b.example")],
        [Middleware(CORSMiddleware, allow_origins=["https://é.example"])],
    ],
)
def test_what_the_host_cannot_do_stays_with_the_app(middleware: list[Middleware]) -> None:
    app = made(*middleware)
    lanes = Lanes(app)
    assert lanes.layers("route") is None
    assert lanes.compiled is None or all(plan.needs.head == bool(middleware) for plan in lanes.compiled.plans)


def test_a_patched_class_stays_with_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CORSMiddleware, "is_allowed_origin", lambda self, origin: True)
    assert layers(CORS) is None


def test_a_patched_helper_stays_with_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    assert layers(Middleware(GZipMiddleware)) is not None
    with monkeypatch.context() as patched:
        patched.setattr(gzip.GZipResponder, "_compress_body", lambda self, body, more_body: body)
        assert layers(Middleware(GZipMiddleware)) is None
    monkeypatch.setattr(gzip, "GZipResponder", gzip.IdentityResponder)
    assert layers(Middleware(GZipMiddleware)) is None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"^a.$", r"\A\x61.\z"),
        (r"\Ab+?\Z", r"\A(?:\x62){1,}\z"),
        (r"(https?)://\.", r"(?:\x68\x74\x74\x70(?:\x73){0,1})\x3a\x2f\x2f\x2e"),
        (r"(?P<n>ab|c|)", r"(?:(?:\x61\x62|\x63|))"),
        (r"[^a-z\d_]{2,3}[^-]\W", r"(?:[^\x61-\x7a\d\x5f]){2,3}[^\x2d][\W]"),
    ],
)
def test_an_expression_is_written_for_the_host(pattern: str, expected: str) -> None:
    assert patterns.written(re.compile(pattern)) == expected
    assert layers(Middleware(CORSMiddleware, allow_origin_regex=pattern))["list"][0]["origin_regex"] == expected


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a|)*",
        r"(?:a?b?)+",
        r"(a*)?",
        r"a*+",
        r"(?>a)",
        r"(?i)a",
        r"(?i:a)",
        r"(?x) a",
        r"a\b",
        r"(a)\1",
        r"(?=a)a",
        r"(?<!a)b",
        r"(a)?(?(1)b|c)",
        "é",
        "[a-é]",
        r"\n",
        r"(a{500}){3}",
        r"a{1001,}",
    ],
)
def test_an_expression_that_the_engines_may_read_otherwise_stays_with_the_app(pattern: str) -> None:
    assert patterns.written(re.compile(pattern)) is None


def test_an_expression_of_bytes_stays_with_the_app() -> None:
    assert patterns.written(re.compile(b"a")) is None


def test_nothing_is_stopped_early_where_the_app_may_have_changed() -> None:
    app = made(CORS)
    assert Lanes(app).layers("app")["early"] is False  # type: ignore[index]
    app.router.on_startup.append(lambda: None)
    assert Lanes(app).layers("route")["early"] is False  # type: ignore[index]


def test_a_plan_answers_as_if_they_were_not_there_until_they_change(host: FakeHost) -> None:
    origins = ["https://a.example"]
    app = made(Middleware(CORSMiddleware, allow_origins=origins))

    @app.get("/allow")
    def allow() -> int:
        origins.append("https://b.example")
        return len(origins)

    lane = Lanes(app).compiled
    assert lane is not None and lifted.of(app) is not None
    fast = FastHttp(host.scheduler, app, lane)
    host.call(fast.startup())
    host.run()
    numbers = {plan.route.path: number for number, plan in enumerate(lane.plans)}
    assert lane.call(1, numbers["/"], "{}", "", b"") == '"home"'
    assert lane.call(2, numbers["/allow"], "{}", "", b"") == REPLAY
    head = "GET\0/allow\0\0http\x001.1\x00127.0.0.1\x001\0localhost\x008000\0host\0localhost\0origin\0https://b.example"
    task = host.call(fast.handle(2, head, b"", None))
    host.run()
    status, *fields = task.value.head.split("\0")
    assert (status, task.value.body) == ("200", "2")
    assert dict(zip(fields[::2], fields[1::2]))["access-control-allow-origin"] == "https://b.example"
    assert lane.call(3, numbers["/"], "{}", "", b"") == REPLAY
