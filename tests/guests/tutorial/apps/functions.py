"""Middleware that is a function of the request and of what answers it: as a function, and as a class over Starlette's."""

from contextvars import ContextVar

import ran
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel
from starlette.middleware.base import BaseHTTPMiddleware

app = FastAPI()
caller: ContextVar[str] = ContextVar("caller", default="nobody")

app.add_middleware(GZipMiddleware, minimum_size=200)


class Users(BaseHTTPMiddleware):
    """Says who it is."""

    async def dispatch(self, request: Request, call_next):
        request.state.user = request.headers.get("x-user", "nobody")
        caller.set(request.state.user)
        response = await call_next(request)
        response.headers["x-user"] = caller.get()
        return response


app.add_middleware(Users)


@app.middleware("http")
async def stamp(request: Request, call_next):
    note = ran.note if request.url.path != "/ran" else lambda text: None
    note(f"before {request.method}")
    if "stop" in request.query_params:
        return JSONResponse({"stopped": True}, 403)
    if "rename" in request.query_params:
        request.scope["path"] = "/"
    try:
        response = await call_next(request)
    except RuntimeError as error:
        note(f"caught {error}")
        return JSONResponse({"detail": str(error)}, 503)
    route = request.scope.get("route")
    note(f"after {getattr(route, 'path', None)} {request.path_params}")
    response.headers["x-stamp"] = request.url.path
    return response


class Item(BaseModel):
    name: str


@app.get("/ran", include_in_schema=False)
async def what_ran():
    return ran.taken()


@app.get("/")
def home(request: Request):
    return {"user": request.state.user, "url": str(request.url), "caller": caller.get()}


@app.get("/items/{item_id}")
def item(item_id: int, q: str | None = None):
    ran.note("item")
    if item_id == 0:
        raise HTTPException(404, "no item")
    return {"item_id": item_id, "q": q, "caller": caller.get()}


@app.post("/items")
async def make(item: Item):
    caller.set("the endpoint")
    return item


def session():
    ran.note("open")
    yield 1
    ran.note("close")


@app.get("/session")
def with_session(value: int = Depends(session)):
    return value


@app.get("/background")
def with_background(background: BackgroundTasks):
    background.add_task(ran.note, "background")
    return "soon"


@app.get("/long")
def long():
    return ["long enough"] * 50


@app.get("/stream")
async def stream():
    return StreamingResponse(iter(["a", "b"]))


@app.get("/fails")
def fails():
    raise RuntimeError("boom")


@app.get("/breaks")
def breaks():
    raise KeyError("boom")


@app.delete("/items/{item_id}", status_code=204)
def remove(item_id: int):
    ran.note(f"removed {item_id}")
