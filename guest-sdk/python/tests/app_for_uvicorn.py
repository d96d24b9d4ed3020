"""The app of test_like_uvicorn.py."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI, Form, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

fast = FastAPI()


@fast.api_route("/echo/{rest:path}", methods=["GET", "POST", "HEAD"], include_in_schema=False)
async def echo(request: Request, rest: str) -> Any:
    return {"rest": rest, "body": (await request.body()).hex(), "query": request.query_params.multi_items(), "url": str(request.url)}


@fast.get("/cookies")
def cookies(response: Response) -> None:
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")


@fast.get("/stream")
def stream() -> StreamingResponse:
    return StreamingResponse((f"{number}\n" for number in range(20)), media_type="text/plain")


@fast.get("/nothing", status_code=204)
def nothing() -> None:
    pass


@fast.post("/form")
def form(a: int = Form(), b: str = Form("x")) -> Any:
    return {"a": a, "b": b}


@fast.get("/boom")
def boom() -> None:
    raise RuntimeError("boom")


def as_text(value: Any) -> Any:
    if isinstance(value, bytes):
        return "bytes:" + value.decode("latin-1")
    if isinstance(value, (list, tuple)):
        return [as_text(item) for item in value]
    if isinstance(value, dict):
        return {key: as_text(item) for key, item in value.items()}
    return value


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http" and scope["path"].startswith("/scope"):
        body = json.dumps(as_text({**scope, "client": scope["client"][0]})).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"application/json"), (b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})
    else:
        await fast(scope, receive, send)
