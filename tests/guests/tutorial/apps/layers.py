"""Middleware of one's own, as a function and as a class, beside Starlette's."""

import ran
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

app = FastAPI()


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


app.add_middleware(Counter, header="x-counted")
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


def session():
    ran.note("open")
    yield 1
    ran.note("close")


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
