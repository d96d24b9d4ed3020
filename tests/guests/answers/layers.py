"""The app behind Starlette's middleware, which the host does in its place."""

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from main import install
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.httpsredirect import HTTPSRedirectMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware


def made(*middleware: Middleware) -> FastAPI:
    app = FastAPI(middleware=list(middleware))
    install(app)

    @app.get("/vary")
    def vary():
        return PlainTextResponse("varies", headers={"Vary": "Accept", "Access-Control-Allow-Origin": "https://mine.example"})

    @app.get("/teapot")
    def teapot():
        raise HTTPException(418, headers={"vary": "*"})

    @app.get("/fails")
    def fails():
        raise RuntimeError("boom")

    @app.get("/waits")
    async def waits(request: Request):
        return request.url.path

    @app.options("/options")
    def options():
        return "options"

    @app.post("/allow/{origin}")
    def allow(origin: str):
        origins.append(f"https://{origin}")
        return origins

    @app.api_route("/long/{words}", methods=["GET", "HEAD"], include_in_schema=False)
    def long(words: int):
        return [f"word {number * number % 1009}" for number in range(words)]

    @app.get("/typed/{status}/{kind:path}")
    def typed(status: int, kind: str):
        return Response("typed " * 200, status, {"vary": "Accept", "etag": '"1"'}, kind)

    @app.get("/encoded")
    def encoded():
        return PlainTextResponse("as it is " * 200, headers={"content-encoding": "identity"})

    @app.get("/refused")
    def refused():
        raise HTTPException(409, "no " * 500, {"x-why": "because"})

    @app.get("/stream")
    def stream():
        return StreamingResponse((f"part {number}\n" * 100 for number in range(10)), media_type="text/plain")

    return app


origins = ["https://a.example", "https://b.example:8443", "null"]

explicit = made(
    Middleware(TrustedHostMiddleware, allowed_hosts=["testserver", "127.0.0.1", "*.example.org", "www.other.example"]),
    Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT"],
        allow_headers=["X-One", "x-two"],
        allow_credentials=True,
        expose_headers=["X-Seen", "x-other"],
        max_age=60,
    ),
)
anyone = made(Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], allow_credentials=True, allow_private_network=True))
public = made(Middleware(CORSMiddleware, allow_origins=["*"]))
secure = made(Middleware(HTTPSRedirectMiddleware))
zipped = made(Middleware(GZipMiddleware))
zipped_within = made(
    Middleware(TrustedHostMiddleware, allowed_hosts=["testserver", "a.example"]),
    Middleware(CORSMiddleware, allow_origin_regex=r"^https?://(\w+\.)?b\.example(:\d{2,4})?$", allow_origins=["null"], allow_credentials=True),
    Middleware(GZipMiddleware, minimum_size=1, compresslevel=1),
)
zipped_around = made(
    Middleware(GZipMiddleware, minimum_size=1, compresslevel=6, exclude_content_types=("Text/CSV; charset=utf-8", "image/*")),
    Middleware(TrustedHostMiddleware, allowed_hosts=["testserver", "a.example"]),
    Middleware(CORSMiddleware, allow_origins=["*"], allow_origin_regex=".*", allow_headers=["*"]),
)
