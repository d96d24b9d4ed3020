"""The app behind Starlette's middleware, which the host does in its place."""

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse
from main import install
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
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
