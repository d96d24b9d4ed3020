"""Runs a small app of our own while the component is built, so that the first real request finds Python's caches filled (specialised
bytecode, type caches, pydantic's lazily built parts). Nothing of the user's runs."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from .._asgi import scope as scopes
from .._asgi.cycle import Cycle
from .._asgi.types import ASGIApp, Headers
from .._wasm.loop import Loop

_ROUNDS = 12
_HEAD = "\0http\x001.1\x00127.0.0.1\x0050000\x00127.0.0.1\x008000\0host\0localhost:8000\0accept\0*/*\0content-type\0application/json"
_REQUESTS = (
    ("GET\0/plain\0", b""),
    ("GET\0/waits\0", b""),
    ("GET\0/things/42\0q=x", b""),
    ("GET\0/things/x\0", b""),
    ("GET\0/things\0", b""),
    ("GET\0/depends\0token=t", b""),
    ("GET\0/refuses\0", b""),
    ("GET\0/nowhere\0", b""),
    ("POST\0/things\0", b'{"id": 1, "name": "n", "price": 1.5}'),
    ("POST\0/things\0", b'{"id": "x"}'),
)


def up(loop: Loop) -> None:
    """Warms up, if the app has FastAPI."""
    if "fastapi" not in sys.modules:
        return
    app = _app()
    for _ in range(_ROUNDS):
        for head, body in _REQUESTS:
            _request(loop, app, head + _HEAD, body)


class _Nowhere:
    """A sink for responses that nobody reads."""

    def respond(self, status: int, headers: Headers, body: bytes) -> None:
        body.decode("latin-1")

    def open(self, status: int, headers: Headers, first: bytes) -> None:
        """Not used."""

    async def write(self, data: bytes) -> None:
        """Not used."""

    def end(self, whole: bool) -> None:
        """Not used."""

    def fail(self, traceback: str) -> None:
        logging.getLogger("fasterapi.error").warning("warming up failed\n%s", traceback)

    async def finished(self) -> None:
        """Nothing to wait for."""


def _request(loop: Loop, app: ASGIApp, head: str, body: bytes) -> None:
    cycle = Cycle(scopes.from_head(head, {}), body, None, _Nowhere(), [])
    task = asyncio.Task(cycle.run(app), loop=loop)
    loop.poll()
    if not task.done():
        task.cancel()
        loop.poll()


def _app() -> Any:
    from fastapi import Depends, FastAPI, HTTPException
    from pydantic import BaseModel

    app = FastAPI(openapi_url=None)

    class Thing(BaseModel):
        id: int
        name: str
        price: float

    def token(token: str) -> Any:
        yield token

    def nested(value: str = Depends(token)) -> str:
        return value

    def plain() -> dict[str, str]:
        return {"message": "hello"}

    async def waits() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"message": "hello"}

    def one(thing_id: int, q: str | None = None) -> Any:
        return {"thing_id": thing_id, "q": q}

    def many() -> Any:
        return [Thing(id=number, name="n", price=1.5) for number in range(3)]

    def depends(value: str = Depends(nested)) -> str:
        return value

    def refuses() -> None:
        raise HTTPException(403)

    async def make(thing: Thing) -> Thing:
        return thing

    make.__annotations__ = {"thing": Thing, "return": Thing}
    app.get("/plain")(plain)
    app.get("/waits")(waits)
    app.get("/things/{thing_id}")(one)
    app.get("/things", response_model=list[Thing])(many)
    app.get("/depends")(depends)
    app.get("/refuses")(refuses)
    app.post("/things")(make)
    return app
