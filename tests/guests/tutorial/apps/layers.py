"""Middleware of one's own, as a function and as classes, beside Starlette's."""

from contextvars import ContextVar

import ran
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser, requires
from starlette.middleware.authentication import AuthenticationMiddleware

app = FastAPI()
request_id: ContextVar[str] = ContextVar("request_id", default="-")


class RequestId:
    """Its value is known wherever the request's code runs."""

    def __init__(self, app) -> None:
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        token = request_id.set(dict(scope["headers"]).get(b"x-request-id", b"none").decode())
        try:
            await self.app(scope, receive, send)
        finally:
            request_id.reset(token)


class Users(AuthenticationBackend):
    async def authenticate(self, conn):
        if name := conn.headers.get("x-user"):
            return AuthCredentials(["authenticated"]), SimpleUser(name)
        return None


class Sums:
    """Reads the body before anybody else does."""

    def __init__(self, app) -> None:
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self.app(scope, receive, send)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        ran.note(f"sum {sum(body)}")
        given = False

        async def again():
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)


class Counter:
    """Pure ASGI."""

    def __init__(self, app, header: str) -> None:
        self.app, self.header = app, header.encode()

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["path"] == "/ran":
            return await self.app(scope, receive, send)
        scope["state"]["counted"] = "counted"
        sent = 0

        async def counted(message):
            nonlocal sent
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (self.header, b"1")]}
            else:
                sent += len(message.get("body", b""))
            await send(message)

        await self.app(scope, receive, counted)
        ran.note(f"sent {sent}")


app.add_middleware(Sums)
app.add_middleware(Counter, header="x-counted")
app.add_middleware(AuthenticationMiddleware, backend=Users())
app.add_middleware(RequestId)
app.add_middleware(CORSMiddleware, allow_origins=["https://example.org"], allow_methods=["*"])


@app.middleware("http")
async def stamp(request: Request, call_next):
    if request.url.path != "/ran":
        ran.note("before")
    if "stop" in request.query_params:
        return JSONResponse({"stopped": True}, 403)
    response = await call_next(request)
    response.headers["x-stamp"] = request.url.path
    if request.url.path != "/ran":
        ran.note("after")
    return response


class Item(BaseModel):
    name: str


@app.get("/ran", include_in_schema=False)
async def what_ran():
    return ran.taken()


@app.get("/")
def home(request: Request):
    return {"counted": request.state.counted, "url": str(request.url)}


@app.get("/items/{item_id}")
def item(item_id: int, q: str | None = None):
    ran.note("item")
    if item_id == 0:
        raise HTTPException(404, "no item")
    return {"item_id": item_id, "q": q}


@app.post("/items")
async def make(item: Item):
    return item


@app.get("/me")
@requires("authenticated")
async def me(request: Request):
    return {"user": request.user.display_name, "id": request_id.get()}


def session():
    ran.note("open")
    yield 1
    ran.note("close")


async def scoped():
    ran.note(f"open for {request_id.get()}")
    yield request_id.get()
    ran.note(f"close for {request_id.get()}")


@app.get("/scoped")
async def with_scope(value: str = Depends(scoped)):
    return value


@app.get("/session")
def with_session(background: BackgroundTasks, value: int = Depends(session)):
    background.add_task(ran.note, "background")
    return value


@app.get("/stream")
async def stream():
    return StreamingResponse(iter(["a", "b"]))


@app.get("/fails")
def fails():
    raise RuntimeError("boom")
