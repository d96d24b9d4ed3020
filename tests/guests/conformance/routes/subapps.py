"""Apps below a prefix: a FastAPI app, one with middleware, one with a root path, and bare ASGI."""

import asyncio

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware

plain = FastAPI(title="Sub")


@plain.get("/")
def home(request: Request):
    return {"root_path": request.scope["root_path"], "path": request.scope["path"], "url": str(request.url)}


@plain.get("/items/{item_id}")
def item(item_id: int, request: Request):
    return {"item_id": item_id, "self": str(request.url_for("item", item_id=item_id))}


@plain.get("/slash/")
def slash():
    return {"slash": True}


rooted = FastAPI(title="Rooted", root_path="/proxy")


@rooted.get("/")
def rooted_home(request: Request):
    return {"root_path": request.scope["root_path"], "url": str(request.url)}


layered = FastAPI(title="Layered")
layered.add_middleware(GZipMiddleware, minimum_size=500)
layered.add_middleware(
    CORSMiddleware,
    allow_origins=["https://example.org"],
    allow_methods=["GET", "POST"],
    allow_headers=["x-asked"],
    allow_credentials=True,
    expose_headers=["x-count"],
    max_age=60,
)
layered.add_middleware(TrustedHostMiddleware, allowed_hosts=["testserver", "*.example.org"])


@layered.middleware("http")
async def stamp(request: Request, call_next):
    if request.headers.get("x-stop"):
        return PlainTextResponse("stopped", 403)
    response = await call_next(request)
    response.headers["x-stamp"] = request.url.path
    return response


class Reader(BaseHTTPMiddleware):
    """Reads the body before the endpoint does."""

    async def dispatch(self, request: Request, call_next):
        body = await request.body()
        response = await call_next(request)
        response.headers["x-body-length"] = str(len(body))
        return response


layered.add_middleware(Reader)


@layered.get("/short")
def short():
    return {"short": True}


@layered.get("/long")
def long():
    return {"long": "x" * 2000}


@layered.post("/echo")
async def echo(request: Request):
    return PlainTextResponse((await request.body())[::-1])


@layered.get("/stream")
async def stream():
    async def parts():
        for number in range(5):
            yield f"{number} " * 200
            await asyncio.sleep(0)

    return StreamingResponse(parts(), media_type="text/plain")


@layered.get("/raise")
def fail():
    raise RuntimeError("under middleware")


async def bare(scope, receive, send):
    """ASGI without a framework. The path says what to do."""
    assert scope["type"] == "http"
    how = scope["path"].rsplit("/", 1)[-1]
    await CASES.get(how, unknown)(scope, receive, send)


async def respond(send, status=200, headers=(), body=b"", more=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body, "more_body": bool(more)})
    for number, part in enumerate(more, 1):
        await send({"type": "http.response.body", "body": part, "more_body": number < len(more)})


async def unknown(scope, receive, send):
    await respond(send, 404, [(b"content-type", b"text/plain")], b"unknown")


async def minimal(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body"})


async def repeated(scope, receive, send):
    headers = [(b"set-cookie", b"a=1"), (b"x-odd", b"\xe9\xff"), (b"set-cookie", b"b=2"), (b"X-Case", b"kept?"), (b"set-cookie", b"a=3")]
    await respond(send, headers=headers, body=b"repeated")


async def parts(scope, receive, send):
    await respond(send, 206, [(b"content-type", b"application/x-parts")], b"one,", [b"", b"two,", b"three"])


async def silent(scope, receive, send):
    return


async def half(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def wrong_order(scope, receive, send):
    await send({"type": "http.response.body", "body": b"too early"})


async def too_long(scope, receive, send):
    await respond(send, headers=[(b"content-length", b"3")], body=b"four")


async def twice(scope, receive, send):
    await respond(send, body=b"once")
    try:
        await respond(send, body=b"twice")
    except RuntimeError as error:
        print("refused:", error)


async def receives(scope, receive, send):
    messages = []
    while True:
        message = await receive()
        messages.append(message["type"])
        if not message.get("more_body"):
            break
    await respond(send, body=",".join(messages[-1:]).encode())
    assert (await receive())["type"] == "http.disconnect"


async def echo_parts(scope, receive, send):
    """Sends each part back as it comes: a client that waits for one answer before it sends on sees both ways stream.

    Bare, because a Starlette StreamingResponse under uvicorn listens for the disconnect and so takes the parts away."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"ready\n", "more_body": True})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message.get("body", b"").upper(), "more_body": more})


CASES = {
    "echo": echo_parts,
    "minimal": minimal,
    "repeated": repeated,
    "parts": parts,
    "silent": silent,
    "half": half,
    "wrong-order": wrong_order,
    "too-long": too_long,
    "twice": twice,
    "receives": receives,
}


def mount(app: FastAPI) -> None:
    app.mount("/sub", plain)
    app.mount("/rooted", rooted)
    app.mount("/layered", layered)
    app.mount("/bare", bare)
