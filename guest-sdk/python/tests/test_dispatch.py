"""Middleware functions of the app's own around plans: the same requests in both lanes; the answers, and what ran in its order, must be equal."""

# No `from __future__ import annotations`: the routes are local functions, and FastAPI reads their annotations.

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Annotated, Any

import anyio.to_thread
import pytest
from fake_host import FakeHost
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from lanes import Copy, Lanes
from pydantic import BaseModel
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from fasterapi._compiled import dispatch, lane as lanes, reasons, support
from fasterapi._wasm import threads

Next = Callable[[Request], Awaitable[Response]]

who: ContextVar[str] = ContextVar("who", default="nobody")
held: ContextVar[str] = ContextVar("held", default="nothing")


class Item(BaseModel):
    name: str
    price: float = 1.5


def make(*functions: Any) -> Copy:
    """An app within these, the outermost first. A class is added as one; `Middleware`-like pairs with their options."""
    log: list[str] = []
    app = FastAPI()

    def session() -> Iterator[str]:
        log.append("opened")
        yield "session"
        log.append("closed")

    async def session_async() -> AsyncIterator[str]:
        token = held.set("held")
        yield "session"
        held.reset(token)
        log.append(f"reset to {held.get()}")

    @app.get("/")
    def plain() -> dict[str, str]:
        log.append("plain")
        return {"who": who.get()}

    @app.get("/async")
    async def plain_async() -> dict[str, str]:
        log.append("async")
        who.set("the endpoint")
        return {"who": who.get()}

    @app.get("/items/{number}")
    def item(number: int, q: str | None = None) -> dict[str, Any]:
        log.append(f"item {number}")
        return {"number": number, "q": q}

    @app.post("/items", status_code=201)
    def create(item: Item, response: Response) -> Item:
        log.append(f"create {item.name}")
        response.headers["x-made"] = item.name
        return item

    @app.get("/state")
    def state(request: Request) -> dict[str, Any]:
        log.append("state")
        request.state.answer = 42
        return {"user": getattr(request.state, "user", None), "path": request.url.path}

    @app.post("/raw")
    async def raw(request: Request) -> int:
        body = await request.body()
        log.append(f"raw {len(body)}")
        return len(body)

    @app.get("/yield")
    def yields(session: Annotated[str, Depends(session)]) -> str:
        log.append("yields")
        return session

    @app.get("/yield-async")
    async def yields_async(session: Annotated[str, Depends(session_async)]) -> str:
        log.append("yields async")
        return session

    @app.get("/yield-fails")
    def yields_and_fails(session: Annotated[str, Depends(session)]) -> str:
        raise HTTPException(409, "no")

    @app.get("/http")
    def http() -> None:
        log.append("http")
        raise HTTPException(418, "teapot", {"x-tea": "yes"})

    @app.get("/error")
    def error() -> None:
        log.append("error")
        raise KeyError("it")

    @app.get("/waits")
    async def waits() -> str:
        log.append("waits")
        await asyncio.sleep(0)
        return "waited"

    @app.get("/stream")
    def stream() -> StreamingResponse:
        log.append("stream")
        return StreamingResponse(iter(["a", "b"]), media_type="text/plain")

    @app.get("/background")
    def background(tasks: BackgroundTasks) -> str:
        tasks.add_task(log.append, "in the background")
        return "soon"

    @app.get("/nothing", status_code=204)
    def nothing() -> None:
        log.append("nothing")

    @app.get("/text", response_class=PlainTextResponse)
    def text() -> str:
        return "x" * 600

    for function in reversed(functions):
        if isinstance(function, tuple):
            app.add_middleware(function[0], **function[1])
        elif isinstance(function, type):
            app.add_middleware(function, log=log)  # type: ignore[arg-type]
        else:
            app.middleware("http")(bound(function, log))
    return Copy(app, log)


def bound(function: Callable[..., Any], log: list[str]) -> Any:
    async def call(request: Request, call_next: Next) -> Response:
        response: Response = await function(request, call_next, log)
        return response

    return call


async def header(request: Request, call_next: Next, log: list[str]) -> Response:
    log.append(f"before {request.method} {request.url.path}")
    response = await call_next(request)
    log.append(f"after {response.status_code}")
    response.headers["x-process-time"] = "1"
    return response


async def sets(request: Request, call_next: Next, log: list[str]) -> Response:
    who.set("the function")
    request.state.user = "ann"
    response = await call_next(request)
    route = request.scope.get("route")
    log.append(f"{who.get()} {getattr(route, 'path', None)} {request.scope.get('path_params')} {getattr(request.state, 'answer', None)} {request.app.title}")
    return response


async def guards(request: Request, call_next: Next, log: list[str]) -> Response:
    if "x-let-in" not in request.headers:
        log.append("refused")
        return JSONResponse({"detail": "who are you?"}, 401, {"x-refused": "1"})
    return await call_next(request)


async def reads(request: Request, call_next: Next, log: list[str]) -> Response:
    log.append(f"read {await request.body()!r}")
    return await call_next(request)


async def drains(request: Request, call_next: Next, log: list[str]) -> Response:
    log.append(f"drained {[chunk async for chunk in request.stream()]}")
    return await call_next(request)


async def rewrites(request: Request, call_next: Next, log: list[str]) -> Response:
    request.scope["path"] = request.scope["path"].replace("/old", "")
    request.scope["headers"].append((b"x-let-in", b"1"))
    return await call_next(request)


async def catches(request: Request, call_next: Next, log: list[str]) -> Response:
    try:
        return await call_next(request)
    except Exception as error:
        log.append(f"caught {error!r}")
        return PlainTextResponse("sorry", 503)


async def collects(request: Request, call_next: Next, log: list[str]) -> Response:
    response: Any = await call_next(request)
    body = b"".join([chunk async for chunk in response.body_iterator])
    log.append(f"collected {len(body)}")
    return Response(body.upper(), response.status_code, dict(response.headers))


async def swallows(request: Request, call_next: Next, log: list[str]) -> Response:
    response: Any = await call_next(request)
    async for _ in response.body_iterator:
        pass
    return response  # type: ignore[no-any-return]


async def wraps(request: Request, call_next: Next, log: list[str]) -> Response:
    response: Any = await call_next(request)
    inner = response.body_iterator

    async def doubled() -> AsyncIterator[bytes]:
        async for chunk in inner:
            await asyncio.sleep(0)
            yield chunk + chunk

    response.body_iterator = doubled()
    del response.headers["content-length"]
    return response  # type: ignore[no-any-return]


async def dawdles(request: Request, call_next: Next, log: list[str]) -> Response:
    await asyncio.sleep(0)
    response = await call_next(request)
    await asyncio.sleep(0)
    log.append("dawdled")
    return response


async def lingers(request: Request, call_next: Next, log: list[str]) -> Response:
    response = await call_next(request)
    await asyncio.sleep(0)
    log.append("lingered")
    return response


async def fails(request: Request, call_next: Next, log: list[str]) -> Response:
    raise ValueError("before")


async def fails_after(request: Request, call_next: Next, log: list[str]) -> Response:
    await call_next(request)
    log.append("fails")
    raise ValueError("after")


async def exits(request: Request, call_next: Next, log: list[str]) -> Response:
    await call_next(request)
    raise SystemExit(3)


async def exits_late(request: Request, call_next: Next, log: list[str]) -> Response:
    await asyncio.sleep(0)
    raise SystemExit(3)


async def returns_nothing(request: Request, call_next: Next, log: list[str]) -> Any:
    await call_next(request)


async def adds_background(request: Request, call_next: Next, log: list[str]) -> Response:
    from starlette.background import BackgroundTask

    response = await call_next(request)
    response.background = BackgroundTask(log.append, "behind")
    return response


async def streams(request: Request, call_next: Next, log: list[str]) -> Response:
    await call_next(request)
    return StreamingResponse(iter(["own"]))


class Counts(BaseHTTPMiddleware):
    def __init__(self, app: Any, log: list[str]) -> None:
        super().__init__(app)
        self.log = log
        self.count = 0

    async def dispatch(self, request: Request, call_next: Next) -> Response:
        self.count += 1
        response = await call_next(request)
        response.headers["x-count"] = str(self.count)
        self.log.append(f"counted {self.count}")
        return response


CORS = (CORSMiddleware, {"allow_origins": ["https://a.example"], "expose_headers": ["x-process-time"]})
GZIP = (GZipMiddleware, {"minimum_size": 100})

STACKS: dict[str, tuple[Any, ...]] = {
    "header": (header,),
    "sets": (sets,),
    "guards": (guards,),
    "reads": (reads,),
    "drains": (drains,),
    "rewrites": (rewrites,),
    "catches": (catches,),
    "collects": (collects,),
    "swallows": (swallows,),
    "wraps": (wraps,),
    "dawdles": (dawdles,),
    "lingers": (lingers,),
    "fails": (fails,),
    "fails after": (fails_after,),
    "exits": (exits,),
    "exits late": (exits_late,),
    "returns nothing": (returns_nothing,),
    "background": (adds_background,),
    "streams": (streams,),
    "class": (Counts,),
    "two": (header, sets),
    "three": (Counts, sets, header),
    "lingers within": (header, lingers),
    "lingers around": (lingers, header),
    "rewrites around": (rewrites, guards),
    "reads around": (reads, reads),
    "drains around": (drains, reads),
    "cors around": (CORS, header),
    "cors within": (header, CORS),
    "gzip around": (GZIP, header),
    "gzip within": (header, GZIP),
    "all": (CORS, catches, GZIP, Counts, sets),
}

JSON = [("content-type", "application/json")]
ZIPPED = [("accept-encoding", "gzip"), ("origin", "https://a.example")]

REQUESTS: list[tuple[str, str, list[tuple[str, str]], bytes]] = [
    ("GET", "/", [], b""),
    ("GET", "/", ZIPPED, b""),
    ("GET", "/", [("x-let-in", "1")], b""),
    ("GET", "/async", [], b""),
    ("GET", "/items/3?q=a", [], b""),
    ("GET", "/items/x", [], b""),
    ("POST", "/items", JSON, b'{"name": "n"}'),
    ("POST", "/items", JSON, b'{"name": 1}'),
    ("POST", "/items", JSON, b"{"),
    ("POST", "/raw", JSON, b"[1]"),
    ("GET", "/state", [], b""),
    ("GET", "/yield", [], b""),
    ("GET", "/yield-async", [], b""),
    ("GET", "/yield-fails", [], b""),
    ("GET", "/http", [], b""),
    ("GET", "/error", [], b""),
    ("GET", "/waits", [], b""),
    ("GET", "/stream", ZIPPED, b""),
    ("GET", "/background", [], b""),
    ("GET", "/nothing", [], b""),
    ("GET", "/text", ZIPPED, b""),
    ("GET", "/old/items/4", [], b""),
    ("GET", "/nowhere", [], b""),
    ("DELETE", "/items", [], b""),
    ("OPTIONS", "/items", [*ZIPPED, ("access-control-request-method", "POST")], b""),
]


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anyio.to_thread, "run_sync", threads._run_sync)
    monkeypatch.setattr("starlette.concurrency.run_in_threadpool", threads._run_in_threadpool)


class EagerTask(asyncio.tasks._PyTask):  # type: ignore[name-defined,misc]
    """A task that begins at once, as `eager_start=True` has it from Python 3.12 on."""

    def __init__(self, coroutine: Any, *, loop: Any, context: Any) -> None:
        super().__init__(coroutine, loop=loop, context=context)
        loop._ready.pop()
        current = asyncio.tasks._current_tasks  # type: ignore[attr-defined]
        around = current.pop(loop, None)
        try:
            context.run(self._Task__step)
        finally:
            if around is not None:
                current[loop] = around


Ask = Callable[..., Lanes]


@pytest.fixture
def lanes_of(host: FakeHost) -> Iterator[Ask]:
    """Makes the two copies of an app within functions; they are closed at the end."""
    opened: list[Lanes] = []

    def open_lanes(*functions: Any) -> Lanes:
        opened.append(Lanes(host, make(*functions), make(*functions)))
        return opened[-1]

    yield open_lanes
    for both in opened:
        both.close()


@pytest.fixture(params=["eager", "late"])
def begins(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether a task begins at once, as in a component, or later, as no task does otherwise before Python 3.12."""
    if request.param == "eager":
        for module in (dispatch, lanes, support):
            patched = type("asyncio", (), {**vars(asyncio), "Task": EagerTask})
            monkeypatch.setattr(module, "asyncio", patched)
            monkeypatch.setattr(module, "EAGER", {})
    began: str = request.param
    return began


@pytest.mark.parametrize("functions", STACKS.values(), ids=STACKS)
def test_functions_stand_before_plans(lanes_of: Ask, begins: str, functions: tuple[Any, ...]) -> None:
    both = lanes_of(*functions)
    assert reasons.of_app(both.app) is None
    for _ in range(2):
        for request in REQUESTS:
            expected, got, wanted, ran = both.ask(*request)
            assert got == expected, request
            assert ran == wanted, request
            assert both.lane.support.pending is None, request


FAST = ("/", "/async", "/items/3?q=a", "/state", "/yield", "/yield-async", "/http", "/text", "/nothing")


@pytest.mark.parametrize("name", ["header", "sets", "guards", "collects", "catches", "reads", "class", "two", "three", "cors around", "cors within", "gzip within"])
@pytest.mark.parametrize("begins", ["eager"], indirect=True)
def test_a_function_that_does_not_wait_is_answered_at_once(lanes_of: Ask, begins: str, name: str) -> None:
    both = lanes_of(*STACKS[name])
    for target in FAST:
        both.ask("GET", target, [], b"")
    both.ask("POST", "/items", JSON, b'{"name": "n"}')
    assert both.replayed == 0


def test_a_client_that_gives_up_between_the_lanes_leaves_nothing(lanes_of: Ask, begins: str) -> None:
    both = lanes_of(header)
    number = both.lane.numbers[next(place for place, route in enumerate(both.routes) if route.path == "/waits")]
    head = "GET\0/waits\0\0http\x001.1\x00127.0.0.1\x001\0localhost\x008000"
    both.lane.call(77, number, "{}", head, b"")
    expected, got, wanted, ran = both.ask("GET", "/items/1", [], b"")
    assert (got, ran) == (expected, wanted)


class Own(BaseHTTPMiddleware):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await super().__call__(scope, receive, send)


def test_what_is_more_than_a_function_keeps_the_asgi_lane() -> None:
    app = FastAPI()
    app.add_middleware(Own)
    assert reasons.of_app(app) == "middleware: Own"
