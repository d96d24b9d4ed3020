"""An app with everything that the compiled lane models, and some that it leaves to the ASGI lane. `log` tells what ran, in order."""

# No `from __future__ import annotations`: the routes are local functions, and FastAPI reads their annotations.

import asyncio
import datetime
import decimal
import enum
import uuid
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from typing import Annotated, Any, Literal

import anyio
import anyio.abc
from fastapi import APIRouter, BackgroundTasks, Body, Cookie, Depends, FastAPI, File, Form, Header, HTTPException, Query, Request, Response, Security, UploadFile, status
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from fastapi.security import APIKeyHeader, HTTPBearer, OAuth2PasswordBearer, OAuth2PasswordRequestForm, SecurityScopes
from pydantic import BaseModel, ConfigDict, Field, field_validator

from fasterapi._wasm.calls import holdings

log: list[str] = []
seen: ContextVar[str] = ContextVar("seen", default="nothing")


class Color(enum.StrEnum):
    red = "red"
    blue = "blue"


class Item(BaseModel):
    id: int
    name: str = Field(min_length=1, max_length=20)
    price: float = 1.5
    tags: list[str] = []
    when: datetime.datetime | None = None

    @field_validator("name")
    @classmethod
    def no_shout(cls, value: str) -> str:
        if value.isupper():
            raise ValueError("do not shout")
        return value


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    item_id: int = Field(alias="itemId")
    secret: str = "s"
    note: str | None = None


class Filter(BaseModel):
    model_config = ConfigDict(extra="forbid")
    limit: int = Field(10, gt=0, le=100)
    order: Literal["a", "b"] = "a"
    tags: list[str] = []


class Teapot(Exception):
    pass


class Custom(JSONResponse):
    media_type = "application/vnd.custom+json"


class Loud(PlainTextResponse):
    def render(self, content: Any) -> bytes:
        return str(content).upper().encode()


def first(q: str = "q") -> str:
    log.append("first")
    seen.set("first was here")
    return q


def second(value: Annotated[str, Depends(first)], n: int = 1) -> str:
    log.append("second")
    return value * n


def generator(token: str = "anon") -> Iterator[dict[str, str]]:
    log.append("enter generator")
    try:
        yield {"token": token}
    except Teapot:
        log.append("saw the teapot")
        raise
    finally:
        log.append("leave generator")


def outer(inner: Annotated[dict[str, str], Depends(generator)]) -> Iterator[str]:
    log.append("enter outer")
    yield inner["token"] + "!"
    log.append("leave outer")


def swallows() -> Iterator[int]:
    try:
        yield 1
    except Exception:
        log.append("swallowed")


def raises_late() -> Iterator[int]:
    yield 1
    raise RuntimeError("too late")


def changes_error() -> Iterator[int]:
    try:
        yield 1
    except HTTPException as error:
        raise HTTPException(418, "changed") from error


async def quick(q: str = "quick") -> str:
    log.append("quick")
    seen.set("quick")
    return q


async def slow(q: str = "slow") -> str:
    log.append("slow")
    async with asyncio.timeout(5):
        await asyncio.sleep(0.01)
    return q


async def async_generator() -> AsyncIterator[int]:
    log.append("enter async generator")
    try:
        yield 7
    except HTTPException as error:
        log.append(f"saw {error.status_code}")
        raise
    finally:
        log.append("leave async generator")


async def slow_to_leave(value: Annotated[int, Depends(async_generator)], other: Annotated[Any, Depends(generator)]) -> AsyncIterator[int]:
    yield value
    await asyncio.sleep(0.01)
    log.append("left slowly")


async def async_raises_late() -> AsyncIterator[int]:
    yield 1
    raise RuntimeError("too late")


async def tenant(q: str = "t") -> AsyncIterator[str]:
    token = seen.set(q)
    try:
        yield q
    finally:
        log.append(f"left in {seen.get()}")
        seen.reset(token)
        log.append(f"reset to {seen.get()}")


async def group() -> AsyncIterator[anyio.abc.TaskGroup]:
    """What is entered and left in one task, or raises."""
    async with anyio.create_task_group() as group:
        yield group
    log.append("left the group")


async def sees() -> None:
    log.append(f"behind: {seen.get()}")


async def seen_words() -> AsyncIterator[str]:
    yield f"in the stream: {seen.get()}"


def end_in(how: str, tasks: BackgroundTasks) -> Any:
    """Ends a request in one of the ways that are not a value."""
    if how == "http":
        raise HTTPException(409)
    if how == "teapot":
        raise Teapot
    if how == "boom":
        raise RuntimeError("boom")
    if how == "background":
        tasks.add_task(sees)
    return StreamingResponse(seen_words()) if how == "stream" else {"seen": seen.get()}


class Held:
    """Something that must not outlive its request, as an open transaction must not."""

    def __init__(self) -> None:
        log.append("hold")
        holdings().add(self)

    def abandon(self) -> None:
        log.append("abandon")


class Checker:
    def __init__(self, fixed: str) -> None:
        self.fixed = fixed

    def __call__(self, q: str = "") -> bool:
        log.append("checker")
        return self.fixed in q


def scopes(security: SecurityScopes, token: Annotated[str, Depends(OAuth2PasswordBearer("token"))]) -> list[str]:
    return [*security.scopes, token]


async def background_work(word: str) -> None:
    log.append(f"background {word}")


def make(*layers: Any) -> FastAPI:
    app = FastAPI(middleware=layers)
    router = APIRouter(prefix="/sub", dependencies=[Depends(first)])

    @app.get("/", response_model=None)
    def root() -> Any:
        log.append("root")
        return {"message": "hello", "loop": _has_loop(), "seen": seen.get()}

    @app.get("/async")
    async def root_async() -> Any:
        return {"message": "hello", "loop": _has_loop()}

    @app.get("/context", response_model=None)
    async def context(q: Annotated[str, Depends(quick)], f: Annotated[str, Depends(first)]) -> Any:
        return {"seen": seen.get(), "q": q, "f": f}

    @app.get("/context-sync")
    def context_sync(f: Annotated[str, Depends(first)]) -> Any:
        return {"seen": seen.get(), "f": f}

    @app.get("/items/{item_id}", response_model=None)
    async def item(item_id: int, q: str | None = None, many: Annotated[list[int] | None, Query()] = None, flag: bool = False) -> Any:
        log.append("item")
        return {"item_id": item_id, "q": q, "many": many, "flag": flag}

    @app.get("/types/{color}", response_model=None)
    def types(
        color: Color,
        when: datetime.date,
        id: uuid.UUID | None = None,
        ratio: Annotated[float, Query(gt=0, lt=10)] = 0.5,
        amount: decimal.Decimal = decimal.Decimal("1.10"),
        word: Annotated[str, Query(alias="Word-Of", pattern="^a+$")] = "a",
        strict: Annotated[int | None, Query(strict=True)] = None,
        words: Annotated[list[str], Query()] = ["x", "y"],  # noqa: B006
        made: Annotated[list[int], Query(default_factory=list)] = ...,  # type: ignore[assignment]
    ) -> Any:
        made.append(1)
        words.append("z")
        return {"color": color, "when": when, "id": id, "ratio": ratio, "amount": amount, "word": word, "strict": strict, "words": words, "made": made}

    @app.options("/options")
    def options() -> Any:
        log.append("options")
        return {"options": True}

    @app.get("/files/{rest:path}")
    def files(rest: str) -> Any:
        return {"rest": rest}

    @app.get("/numbers/{n:int}")
    def numbers(n: int) -> Any:
        return {"n": n}

    @app.get("/undeclared/{a}/{b}")
    def undeclared(request: Request, a: str) -> Any:
        return {"a": a, "all": request.path_params}

    @app.post("/items", status_code=201)
    async def create(item: Item) -> Item:
        log.append("create")
        return item

    @app.put("/items/{item_id}", response_model=Item, response_model_exclude_unset=True)
    def replace(item_id: int, item: Item, user: Annotated[str, Body()], importance: Annotated[int, Body(gt=0)] = 3) -> Any:
        return item.model_copy(update={"id": item_id + importance, "name": user})

    @app.post("/embedded")
    def embedded(item: Annotated[Item, Body(embed=True)]) -> Any:
        return item

    @app.post("/any")
    def anything(payload: Annotated[Any, Body()]) -> Any:
        return payload

    @app.post("/echo", response_model=None)
    def echo(payload: Annotated[Any, Body()]) -> Any:
        return payload

    @app.post("/optional")
    def optional(payload: dict[str, float] | None = None) -> Any:
        return payload

    @app.post("/strict")
    def strict(payload: Annotated[datetime.date, Body(strict=True)]) -> Any:
        return payload

    @app.get("/list")
    def many() -> list[Item]:
        return [Item(id=n, name="n", price=n / 3) for n in range(3)]

    @app.get("/aliased", response_model=Aliased, response_model_exclude={"secret"})
    async def aliased() -> Any:
        return {"itemId": 1, "secret": "x", "note": None}

    @app.get("/aliased-not", response_model=Aliased, response_model_by_alias=False, response_model_exclude_none=True)
    async def aliased_not() -> Any:
        return Aliased(itemId=3)

    @app.get("/invalid-response", response_model=Item)
    def invalid_response(token: Annotated[Any, Depends(generator)]) -> Any:
        return {"id": "no"}

    @app.get("/plain/{kind}", response_model=None)
    def plain(kind: str) -> Any:
        return {
            "float": {"a": 1e-7, "b": 1e22, "c": 0.1, "d": -0.0, "e": 100000000000000000.0},
            "small": [0.0001, 0.00011, 123456789.123, -1e-5],
            "when": [datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), datetime.timedelta(seconds=90), decimal.Decimal("1.50"), uuid.UUID(int=5)],
            "keys": {1: "int", None: "none", True: "true", "_sa_hidden": 1, "ä": "ü\u2028</script>"},
            "nan": float("nan") if kind == "nan" else 1.0,
            "surrogate": "\ud800" if kind == "surrogate" else "fine",
            "model": Item(id=1, name="x"),
            "set": {1},
            "tuple": (1, [2, (3, {})]),
            "enum": Color.red,
            "bytes": b"abc",
            "deep": deep(50),
            "big": 2**70,
        }[kind]

    @app.get("/headers")
    def headers(user_agent: Annotated[str | None, Header()] = None, x_many: Annotated[list[str] | None, Header()] = None, x_number: Annotated[int, Header()] = 3) -> Any:
        return {"user_agent": user_agent, "many": x_many, "number": x_number}

    @app.get("/header-host")
    def header_host(host: Annotated[str, Header()], accept_language: Annotated[str, Header(convert_underscores=False)] = "none") -> Any:
        return [host, accept_language]

    @app.get("/cookies")
    async def cookies(session: Annotated[str, Cookie()], n: Annotated[int, Cookie(alias="N")] = 1) -> Any:
        return {"session": session, "n": n}

    @app.get("/filter")
    def filtered(query: Annotated[Filter, Query()]) -> Any:
        return query

    @app.get("/request")
    async def request(request: Request, x: int = 0) -> Any:
        scope = dict(request.scope)
        body = await request.body()
        return {"method": request.method, "url": str(request.url), "client": request.client, "body": body.decode(), "query": request.query_params.multi_items(), "keys": sorted(scope["path_params"]), "route": scope["route"].path, "endpoint": scope["endpoint"].__name__, "app": scope["app"] is app, "state": dict(request.state._state)}

    @app.post("/request-body")
    async def request_body(request: Request, item: Item) -> Any:
        return {"again": (await request.json())["name"], "id": item.id}

    @app.get("/response")
    def response(response: Response, code: int | None = None) -> Any:
        response.headers["x-one"] = "1"
        response.set_cookie("a", "b")
        response.set_cookie("c", "d")
        if code is not None:
            response.status_code = code
        return {"a": 1}

    @app.get("/responses/{kind}", response_model=None)
    def responses(kind: str) -> Any:
        answers: dict[str, Any] = {
            "json": lambda: JSONResponse({"a": "ä"}, 202, {"X-Y": "z"}),
            "html": lambda: HTMLResponse("<b>ü</b>"),
            "text": lambda: PlainTextResponse("text"),
            "redirect": lambda: RedirectResponse("/elsewhere?ä"),
            "bytes": lambda: Response(b"\xff\xfe\0", media_type="application/octet-stream"),
            "empty": lambda: Response(status_code=204),
            "stream": lambda: StreamingResponse(iter([b"a", b"b"]), media_type="text/plain"),
            "large": lambda: Response("x" * 400_000),
            "loud": lambda: Loud("loud"),
        }
        return answers[kind]()

    @app.post("/form")
    def form(name: Annotated[str, Form(min_length=1)], many: Annotated[list[int], Form()] = [], flag: Annotated[bool, Form()] = False) -> Any:  # noqa: B006
        return {"name": name, "many": many, "flag": flag}

    @app.post("/form-model")
    async def form_model(item: Annotated[Item, Form()]) -> Any:
        return item

    @app.post("/files-form")
    async def files_form(raw: Annotated[bytes, File()], upload: UploadFile, note: Annotated[str, Form()] = "none") -> Any:
        kept.append(upload)
        return {"raw": len(raw), "name": upload.filename, "type": upload.content_type, "text": (await upload.read()).decode(), "note": note}

    @app.post("/login")
    async def login(form: Annotated[OAuth2PasswordRequestForm, Depends()], fail: bool = False) -> Any:
        if fail:
            raise HTTPException(401, form.username)
        return {"user": form.username, "scopes": form.scopes}

    @app.get("/custom", response_class=Custom)
    def custom() -> Any:
        return {"when": datetime.date(2026, 1, 2)}

    @app.get("/html", response_class=HTMLResponse)
    async def html() -> Any:
        return "<p>"

    @app.get("/no-content", status_code=status.HTTP_204_NO_CONTENT)
    def no_content() -> None:
        log.append("no content")

    @app.get("/deps", response_model=None)
    def deps(a: Annotated[str, Depends(second)], b: Annotated[str, Depends(first)], c: Annotated[str, Depends(first, use_cache=False)]) -> Any:
        log.append("deps")
        return [a, b, c]

    @app.get("/generators")
    def generators(value: Annotated[str, Depends(outer)]) -> Any:
        log.append("generators")
        return {"value": value}

    @app.get("/generators-fail/{how}")
    def generators_fail(how: str, value: Annotated[str, Depends(outer)]) -> Any:
        log.append("fail")
        if how == "http":
            raise HTTPException(409, {"a": ["b"]}, {"X-Why": "because"})
        if how == "teapot":
            raise Teapot
        if how == "no-body":
            raise HTTPException(304)
        raise RuntimeError("boom")

    @app.get("/swallows")
    def swallow(value: Annotated[int, Depends(swallows)], how: str = "http") -> Any:
        raise HTTPException(400) if how == "http" else RuntimeError("gone")

    @app.get("/late")
    def late(value: Annotated[int, Depends(raises_late)], other: Annotated[Any, Depends(generator)]) -> Any:
        return value

    @app.get("/changes")
    def changes(value: Annotated[int, Depends(changes_error)]) -> Any:
        raise HTTPException(400, "original")

    @app.get("/raise/{kind}")
    async def raise_(kind: str, q: Annotated[str, Depends(quick)]) -> Any:
        log.append("raise")
        if kind == "http":
            raise HTTPException(404, "no such thing")
        if kind == "teapot":
            raise Teapot
        if kind == "key":
            raise KeyError("x")
        if kind == "cancelled":
            raise asyncio.CancelledError
        if kind == "detail":
            raise HTTPException(400, object())
        raise SystemExit(3)

    @app.get("/security", dependencies=[Security(Checker("x"))])
    def security(found: Annotated[list[str], Security(scopes, scopes=["a", "b"])]) -> Any:
        return found

    @app.get("/bearer")
    async def bearer(token: Annotated[Any, Depends(HTTPBearer())], key: Annotated[str, Depends(APIKeyHeader(name="X-Key"))]) -> Any:
        return {"scheme": token.scheme, "credentials": token.credentials, "key": key}

    @app.get("/background")
    async def background(tasks: BackgroundTasks, response: Response) -> Any:
        tasks.add_task(background_work, "one")
        response.headers["x-b"] = "1"
        return {"ok": True}

    @app.get("/waits")
    async def waits(q: Annotated[str, Depends(slow)], g: Annotated[Any, Depends(generator)]) -> Any:
        await asyncio.gather(asyncio.sleep(0.01), asyncio.sleep(0.02))
        log.append("waited")
        return {"q": q, "task": asyncio.current_task() is not None}

    @app.get("/waits/{kind}")
    async def waits_then(kind: str, request: Request, g: Annotated[Any, Depends(generator)]) -> Any:
        await asyncio.sleep(0.01)
        if kind == "raise":
            raise HTTPException(402, "pay")
        if kind == "boom":
            raise RuntimeError("boom")
        if kind == "detail":
            raise HTTPException(400, object())
        if kind == "stream":
            return StreamingResponse(iter([b"a", b"b"]))
        if kind == "response":
            return PlainTextResponse("ok")
        return {"kind": kind, "body": (await request.body()).decode()}

    @app.get("/leaves", response_model=None)
    async def leaves() -> Any:
        tasks.append(asyncio.get_running_loop().create_task(background_work("left behind")))
        return {"left": True}

    @app.get("/lingers")
    async def lingers() -> Any:
        async def later() -> None:
            await asyncio.sleep(1)
            log.append("lingered")

        tasks.append(asyncio.get_running_loop().create_task(later()))
        return {"left": True}

    @app.get("/holds/{how}")
    def holds(how: str, held: Annotated[Any, Depends(Held)]) -> Any:
        if how == "raise":
            raise RuntimeError("boom")
        return {"held": True}

    @app.get("/holds-and-waits")
    async def holds_and_waits() -> Any:
        Held()
        await asyncio.sleep(0.01)
        log.append("waited")
        return {"held": True}

    @app.get("/holds-later")
    async def holds_later() -> Any:
        async def later() -> None:
            Held()

        tasks.append(asyncio.get_running_loop().create_task(later()))
        await asyncio.sleep(0)
        return {"held": True}

    @app.get("/disconnected")
    async def disconnected(request: Request) -> Any:
        found = []
        for _ in range(3):
            found.append(await request.is_disconnected())
            await asyncio.sleep(0.01)
        return found

    @app.get("/until-gone")
    async def until_gone(request: Request) -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(0.01)
        log.append("the client left")

    @app.get("/async-generator")
    async def async_gen(value: Annotated[int, Depends(async_generator)]) -> Any:
        return value

    @app.get("/async-generator/{kind}")
    def async_gen_sync(kind: str, value: Annotated[int, Depends(async_generator)], other: Annotated[Any, Depends(generator)]) -> Any:
        if kind == "http":
            raise HTTPException(418)
        if kind == "boom":
            raise RuntimeError("boom")
        return PlainTextResponse("plain") if kind == "response" else StreamingResponse(iter([b"a"])) if kind == "stream" else value

    @app.get("/tenant", response_model=None)
    async def of_tenant(tenant: Annotated[str, Depends(tenant)]) -> Any:
        return {"seen": seen.get()}

    @app.get("/tenant/{how}", response_model=None)
    async def of_tenant_how(how: str, tenant: Annotated[str, Depends(tenant)], tasks: BackgroundTasks) -> Any:
        return end_in(how, tasks)

    @app.get("/tenant-waits/{how}", response_model=None)
    async def of_tenant_waits(how: str, tenant: Annotated[str, Depends(tenant)], tasks: BackgroundTasks) -> Any:
        await asyncio.sleep(0)
        return end_in(how, tasks)

    @app.get("/group/{how}", response_model=None)
    async def in_group(how: str, group: Annotated[Any, Depends(group)], tasks: BackgroundTasks) -> Any:
        return end_in(how, tasks)

    @app.get("/set/{how}", response_model=None)
    async def set_how(how: str, q: Annotated[str, Depends(quick)], tasks: BackgroundTasks) -> Any:
        return end_in(how, tasks)

    @app.get("/slow-to-leave")
    async def leaves_slowly(value: Annotated[int, Depends(slow_to_leave)]) -> Any:
        return value

    @app.get("/async-late")
    async def async_late(value: Annotated[int, Depends(async_raises_late)], other: Annotated[Any, Depends(generator)]) -> Any:
        return value

    @app.get("/function-scope")
    def function_scope(value: Annotated[Any, Depends(generator, scope="function")]) -> Any:
        return value

    @router.get("/included/{x}", status_code=203)
    def included(x: str, n: int = 1) -> Any:
        log.append("included")
        return {"x": x, "n": n}

    @app.exception_handler(Teapot)
    async def teapot(request: Request, error: Teapot) -> Response:
        return PlainTextResponse(f"teapot at {request.url.path} {sorted(request.path_params)}, seen {seen.get()}", 418)

    app.include_router(router)
    app.include_router(router, prefix="/twice")
    return app


tasks: list[Any] = []
kept: list[UploadFile] = []


def deep(levels: int) -> Any:
    return {"d": deep(levels - 1)} if levels else []


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

