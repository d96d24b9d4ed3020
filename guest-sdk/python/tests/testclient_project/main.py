"""An app that is tested on both backends."""

from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Cookie, FastAPI, File, Header, HTTPException, Response, UploadFile
from fastapi.responses import RedirectResponse, StreamingResponse
from pydantic import BaseModel

started = []


@asynccontextmanager
async def lifespan(_: FastAPI):
    started.append(True)
    yield


app = FastAPI(lifespan=lifespan)


class Item(BaseModel):
    name: str
    price: float


@app.get("/started")
def was_started() -> bool:
    return bool(started)


@app.post("/items", status_code=201)
def create(item: Item) -> Item:
    return item


@app.get("/items/{item_id}")
def read(item_id: int, x_token: Annotated[str | None, Header()] = None) -> dict[str, int | str | None]:
    if item_id == 0:
        raise HTTPException(404, "no such item")
    return {"id": item_id, "token": x_token}


@app.get("/old")
def old() -> RedirectResponse:
    return RedirectResponse("/items/1")


@app.get("/login")
def login(response: Response) -> None:
    response.set_cookie("session", "abc")


@app.get("/me")
def me(session: Annotated[str | None, Cookie()] = None) -> str | None:
    return session


@app.post("/upload")
def upload(file: Annotated[UploadFile, File()]) -> dict[str, str | int | None]:
    return {"name": file.filename, "size": len(file.file.read())}


@app.get("/stream")
def stream() -> StreamingResponse:
    return StreamingResponse(iter([b"a", b"b"]))


@app.get("/boom")
def boom() -> None:
    raise RuntimeError("boom")
