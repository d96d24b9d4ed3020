"""The app's middleware around plans: the same requests in both lanes; the answers, and what ran in its order, must be equal."""

# No `from __future__ import annotations`: the routes are local functions, and FastAPI reads their annotations.

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Annotated, Any

import pytest
from fake_host import FakeHost
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from itsdangerous import TimestampSigner
from lanes import Copy, Lanes
from pydantic import BaseModel
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware

from fasterapi._compiled import reasons

pytestmark = pytest.mark.usefixtures("no_threads")

Next = Callable[[Request], Awaitable[Response]]

who: ContextVar[str] = ContextVar("who", default="nobody")
held: ContextVar[str] = ContextVar("held", default="nothing")


class Item(BaseModel):
    name: str
    price: float = 1.5


def make(*functions: Any) -> Copy:
    """An app within these, the outermost first: functions, classes, and pairs of a class and its options."""
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


class Own(BaseHTTPMiddleware):
    """More than a function: it has a `__call__` of its own."""

    def __init__(self, app: Any, log: list[str]) -> None:
        super().__init__(app)
        self.log = log

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.log.append(f"own {scope['type']}")
        await super().__call__(scope, receive, send)

    async def dispatch(self, request: Request, call_next: Next) -> Response:
        response = await call_next(request)
        response.headers["x-own"] = "1"
        return response


class Plain:
    """Middleware as ASGI has it."""

    def __init__(self, app: Any, log: list[str]) -> None:
        self.app = app
        self.log = log

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self.http(scope, receive, send)
        else:
            self.log.append(f"not a request: {scope['type']}")
            await self.app(scope, receive, send)

    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


class Adds(Plain):
    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        async def adds(message: Any) -> None:
            self.log.append(message["type"])
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-added", b"1")]
            await send(message)

        await self.app(scope, receive, adds)
        self.log.append(f"added to {scope.get('route') and scope['route'].path} {scope.get('path_params')}")


class Shares(Plain):
    """What it sets is seen within, and what is set within is seen by it."""

    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        token = who.set("the class")
        scope.setdefault("state", {})["user"] = "ann"
        task = asyncio.current_task()
        await self.app(scope, receive, send)
        self.log.append(f"{who.get()} {held.get()} {scope['state'].get('answer')} {asyncio.current_task() is task}")
        who.reset(token)


class Copies(Plain):
    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(dict(scope, state={"user": "copy"}), receive, send)
        self.log.append(f"outside: {'route' in scope}")


class Listens(Plain):
    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        async def listens() -> Any:
            message = await receive()
            self.log.append(f"received {len(message.get('body', b''))}")
            return message

        await self.app(scope, listens, send)


class Upper(Plain):
    """Reads all of the body first, and gives it on, changed."""

    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        messages = [{"type": "http.request", "body": body.replace(b"n", b"m"), "more_body": False}]

        async def again() -> Any:
            return messages.pop() if messages else await receive()

        await self.app(scope, again, send)


class Takes(Plain):
    """Takes the body away."""

    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "POST" and scope["path"] == "/items":
            await receive()
            receive = self.nothing
        await self.app(scope, receive, send)

    async def nothing(self) -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}


class Moves(Plain):
    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        scope["path"] = scope["path"].replace("/old", "")
        scope["raw_path"] = scope["path"].encode()
        scope["headers"].append((b"x-let-in", b"1"))
        await self.app(scope, receive, send)


class Refuses(Plain):
    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] in ("/", "/nowhere", "/items/3"):
            await PlainTextResponse("not here", 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class Catches(Plain):
    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except BaseException as error:
            self.log.append(f"caught {error!r}")
            if isinstance(error, KeyError):
                await PlainTextResponse("sorry", 503)(scope, receive, send)
            else:
                raise
        finally:
            self.log.append("finally")


class Waits(Plain):
    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        await self.app(scope, receive, send)
        await asyncio.sleep(0)
        self.log.append("waited")


class WaitsToSend(Plain):
    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        async def slowly(message: Any) -> None:
            await asyncio.sleep(0)
            await send(message)

        await self.app(scope, receive, slowly)
        self.log.append("sent")


class Times(Plain):
    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        async with asyncio.timeout(5):
            await self.app(scope, receive, send)


class Groups(Plain):
    """Runs what is within in another task."""

    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.app(scope, receive, send))
        self.log.append(f"group done {who.get()}")


class Twice(Plain):
    """Asks a second time, and gives the second answer."""

    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        first: list[Any] = []

        async def keeps(message: Any) -> None:
            first.append(message["type"])

        if scope["method"] == "GET":
            await self.app(dict(scope), receive, keeps)
            self.log.append(f"first: {first}")
        await self.app(scope, receive, send)


class Holds(Plain):
    """Sends nothing before all is there, and another length."""

    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        messages: list[Any] = []

        async def holds(message: Any) -> None:
            messages.append(message)

        await self.app(scope, receive, holds)
        start, *parts = messages
        body = b"".join(part.get("body", b"") for part in parts).upper()
        headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


class Breaks(Plain):
    """Does not keep to ASGI."""

    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)
        self.log.append("answered")
        try:
            await send({"type": "http.response.body", "body": b"more"})
        except RuntimeError as error:
            self.log.append(str(error))


class Shortens(Plain):
    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        async def shortens(message: Any) -> None:
            if message["type"] == "http.response.body":
                message["body"] = message.get("body", b"")[:-1]
            try:
                await send(message)
            except RuntimeError as error:
                self.log.append(str(error))
                raise

        await self.app(scope, receive, shortens)


class Silent(Plain):
    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        self.log.append("silent")


class Fails(Plain):
    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("before")


class FailsAfter(Plain):
    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)
        raise ValueError("after")


class Exits(Plain):
    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)
        raise SystemExit(3)


CORS = (CORSMiddleware, {"allow_origins": ["https://a.example"], "expose_headers": ["x-process-time"]})
GZIP = (GZipMiddleware, {"minimum_size": 100})

CLASSES = (
    Adds,
    Shares,
    Copies,
    Listens,
    Upper,
    Takes,
    Moves,
    Refuses,
    Catches,
    Waits,
    WaitsToSend,
    Times,
    Groups,
    Twice,
    Holds,
    Breaks,
    Shortens,
    Silent,
    Fails,
    FailsAfter,
    Exits,
)

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
    "own": (Own,),
    **{cls.__name__: (cls,) for cls in CLASSES},
    "classes": (Catches, Adds, Shares, Listens),
    "class around": (Shares, sets),
    "class within": (sets, Shares),
    "class between": (header, Adds, sets),
    "classes around and within": (Catches, Adds, header, Catches, Shares, header, Adds),
    "gzip and classes": (GZIP, Adds, header, Shares, GZIP),
    "catches around fails": (Catches, fails_after),
    "fails after around": (FailsAfter, header),
    "waits within": (header, Waits),
    "waits around": (Waits, header),
    "upper around": (Upper, reads),
    "upper within": (reads, Upper),
    "takes within": (reads, Takes),
    "twice around": (Twice, header),
    "holds within": (header, Holds),
    "breaks within": (header, Breaks),
    "groups within": (header, Groups),
    "groups around": (Groups, header),
}

CONCURRENT = STACKS["class between"], STACKS["classes around and within"]
"""A class between two functions sends the body while the outer function goes on: the two are tasks, whose turns are nobody's promise."""

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


@pytest.mark.parametrize("functions", STACKS.values(), ids=STACKS)
def test_middleware_stands_before_plans(lanes_of: Ask, begins: str, functions: tuple[Any, ...]) -> None:
    both = lanes_of(*functions)
    assert reasons.of_app(both.app) is None
    for _ in range(2):
        for request in REQUESTS:
            expected, got, wanted, ran = both.ask(*request)
            assert got == expected, request
            if functions in CONCURRENT:
                ran, wanted = sorted(ran), sorted(wanted)
            assert ran == wanted, request
            assert both.lane.support.pending is None, request


FAST = ("/", "/async", "/items/3?q=a", "/state", "/yield", "/yield-async", "/http", "/text", "/nothing")


AT_ONCE = [
    *("header", "sets", "guards", "collects", "catches", "reads", "class", "two", "three", "cors around", "cors within", "gzip within", "gzip around", "all"),
    *("Adds", "Shares", "Copies", "Listens", "Upper", "Catches", "Times", "Holds", "classes", "class around", "class within", "gzip and classes", "Moves", "Refuses"),
]


@pytest.mark.parametrize("name", AT_ONCE)
@pytest.mark.parametrize("begins", ["eager"], indirect=True)
def test_what_does_not_wait_is_answered_at_once(lanes_of: Ask, begins: str, name: str) -> None:
    both = lanes_of(*STACKS[name])
    for target in FAST:
        both.ask("GET", target, [], b"")
    both.ask("POST", "/items", JSON, b'{"name": "n"}')
    assert both.replayed == 0


@pytest.mark.parametrize("functions", [(), (header,)], ids=["alone", "around a function"])
@pytest.mark.parametrize("begins", ["eager"], indirect=True)
def test_an_app_that_builds_its_own_stack_is_within_it(host: FakeHost, begins: str, functions: tuple[Any, ...]) -> None:
    """As OpenTelemetry's instrumentation has it."""

    def make_own() -> Copy:
        copy = make(*functions)
        build = copy.app.build_middleware_stack
        copy.app.build_middleware_stack = lambda: Adds(build(), copy.log)
        return copy

    both = Lanes(host, make_own(), make_own())
    for request in REQUESTS:
        expected, got, wanted, ran = both.ask(*request)
        assert (got, ran) == (expected, wanted), request
        assert ("x-added", "1") in got[1]
    assert both.direct > len(REQUESTS) / 2
    both.close()


@pytest.mark.parametrize("begins", ["eager"], indirect=True)
def test_sessions_are_answered_at_once(host: FakeHost, begins: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda self: 1_700_000_000)

    def make_session() -> Copy:
        app = FastAPI()
        app.add_middleware(SessionMiddleware, secret_key="secret", max_age=None)

        @app.get("/count")
        def count(request: Request) -> int:
            request.session["count"] = request.session.get("count", 0) + 1
            found: int = request.session["count"]
            return found

        @app.get("/forget")
        def forget(request: Request) -> None:
            request.session.clear()

        return Copy(app, [])

    both = Lanes(host, make_session(), make_session())
    cookies: list[tuple[str, str]] = []
    for target, value in (("/count", b"1"), ("/count", b"2"), ("/forget", b"null"), ("/count", b"1")):
        expected, got, _, _ = both.ask("GET", target, cookies, b"")
        assert got == expected
        assert got[2] == value
        cookies = [("cookie", header.split(";")[0]) for name, header in got[1] if name == "set-cookie"]
    assert both.replayed == 0
    both.close()


def test_a_client_that_gives_up_between_the_lanes_leaves_nothing(lanes_of: Ask, begins: str) -> None:
    both = lanes_of(header)
    number = both.lane.numbers[next(place for place, route in enumerate(both.routes) if route.path == "/waits")]
    head = "GET\0/waits\0\0http\x001.1\x00127.0.0.1\x001\0localhost\x008000"
    both.lane.call(77, number, "{}", head, b"")
    expected, got, wanted, ran = both.ask("GET", "/items/1", [], b"")
    assert (got, ran) == (expected, wanted)
