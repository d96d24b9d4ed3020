"""What goes back: response models, status codes, headers and cookies, responses made by hand, response classes."""

import datetime
import io
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response, status
from fastapi.encoders import jsonable_encoder
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, EmailStr, Field
from ran import note

router = APIRouter(prefix="/responses", tags=["responses"])


class Item(BaseModel):
    name: str
    description: str | None = None
    price: float
    tax: float = 10.5
    tags: list[str] = []


class BaseUser(BaseModel):
    username: str
    email: EmailStr
    full_name: str | None = None


class UserIn(BaseUser):
    password: str


class Car(BaseModel):
    kind: str = "car"


class Plane(BaseModel):
    kind: str = "plane"
    size: int


ITEMS: dict[str, dict[str, Any]] = {
    "foo": {"name": "Foo", "price": 50.2},
    "bar": {"name": "Bar", "description": "The fighters", "price": 62, "tax": 20.2},
    "baz": {"name": "Baz", "description": None, "price": 50.2, "tax": 10.5, "tags": []},
}


@router.post("/user", response_model=BaseUser)
async def user(user: UserIn) -> Any:
    note("user")
    return user


@router.post("/user-by-type")
async def user_by_type(user: UserIn) -> BaseUser:
    return user


@router.get("/item/{name}", response_model=Item, response_model_exclude_unset=True)
async def item(name: str):
    return ITEMS[name] if name in ITEMS else JSONResponse({"no": name}, 404)


@router.get("/item/{name}/name", response_model=Item, response_model_include=["name", "description"])
async def included(name: str):
    return ITEMS.get(name, ITEMS["foo"])


@router.get("/item/{name}/public", response_model=Item, response_model_exclude={"tax"}, response_model_exclude_defaults=True)
def excluded(name: str):
    return ITEMS.get(name, ITEMS["bar"])


@router.get("/item/{name}/short", response_model=Item, response_model_exclude_none=True)
def short(name: str):
    return ITEMS.get(name, ITEMS["baz"])


@router.get("/union/{name}", response_model=Plane | Car)
async def union(name: str):
    return {"kind": "plane", "size": 5} if name == "plane" else {"kind": name}


@router.get("/list", response_model=list[Item])
async def many():
    return list(ITEMS.values())


@router.get("/mapping")
async def mapping() -> dict[str, float]:
    return {"foo": 2.3, "bar": 1}


@router.get("/portal")
async def portal(teleport: bool = False) -> Response:
    return RedirectResponse("https://example.org/elsewhere") if teleport else JSONResponse({"message": "here"})


@router.get("/no-model", response_model=None)
async def no_model(teleport: bool = False) -> Response | dict[str, str]:
    return RedirectResponse("/elsewhere") if teleport else {"message": "here"}


class Aliased(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    item_id: int = Field(validation_alias="itemId", serialization_alias="item-id")
    price: Decimal = Decimal("9.99")
    at: datetime.datetime = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


@router.get("/aliased")
def aliased() -> Aliased:
    return Aliased(item_id=3)


@router.get("/aliased/by-name", response_model=Aliased, response_model_by_alias=False)
def aliased_by_name():
    return {"itemId": 3}


@router.get("/broken", response_model=Item)
def broken(how: str = "missing"):
    return {"missing": {}, "wrong": {"name": "x", "price": "much"}, "fine": ITEMS["foo"]}.get(how)


# --- status codes ---


@router.post("/created", status_code=201)
async def created(name: str):
    return {"name": name}


@router.delete("/gone", status_code=status.HTTP_204_NO_CONTENT)
async def gone() -> None:
    note("gone")


@router.get("/not-modified", status_code=304)
def not_modified():
    return None


@router.put("/upsert/{name}")
async def upsert(name: str, size: Annotated[int | None, Body()] = None, title: Annotated[str, Body()] = "untitled"):
    if name in ITEMS:
        return {"title": title, "size": size}
    return JSONResponse({"title": title, "size": size}, status.HTTP_201_CREATED)


@router.put("/get-or-create/{name}", status_code=200)
def get_or_create(name: str, response: Response):
    if name not in ITEMS:
        response.status_code = status.HTTP_201_CREATED
    return name


# --- headers and cookies ---


@router.get("/headers")
async def headers(response: Response):
    response.headers["X-Cat-Dog"] = "alone in the world"
    response.headers.append("x-many", "1")
    response.headers.append("x-many", "2")
    return {"message": "hello"}


@router.post("/cookies")
def cookies(response: Response, name: str = "fakesession"):
    response.set_cookie(name, "fake cookie value", max_age=60, httponly=True, secure=True, samesite="strict", path="/x", domain="example.org")
    response.delete_cookie("old")
    return {"message": "a cookie"}


@router.get("/direct")
async def direct():
    response = JSONResponse({"title": "direct", "at": jsonable_encoder(datetime.datetime(2026, 1, 2))}, 202, {"X-Direct": "yes"})
    response.set_cookie("direct", "1")
    return response


@router.get("/xml")
def xml():
    return Response("<?xml version='1.0'?><shampoo/>", media_type="application/xml")


# --- response classes ---


class Loud(PlainTextResponse):
    media_type = "text/loud"

    def render(self, content: Any) -> bytes:
        return f"{content}!".upper().encode()


@router.get("/html", response_class=HTMLResponse)
async def html():
    return "<html><body><h1>Look, ma!</h1></body></html>"


@router.get("/html/direct")
def html_direct():
    return HTMLResponse("<b>b</b>", status_code=203)


@router.get("/text", response_class=PlainTextResponse)
async def text():
    return "Hello, Wörld"


@router.get("/loud", response_class=Loud, status_code=203)
def loud(word: str = "hi"):
    return word


@router.get("/redirect")
async def redirect():
    return RedirectResponse("https://example.org/?q=ä b")


@router.get("/redirect/class", response_class=RedirectResponse, status_code=302)
def redirect_class():
    return "/responses/text"


@router.get("/bare", response_class=Response)
def bare():
    return "bare"


def numbers() -> Iterator[str]:
    for number in range(10):
        yield f"{number}\n"


async def words() -> AsyncIterator[bytes]:
    for word in (b"some ", b"fake ", b"video"):
        yield word


@router.get("/stream")
async def stream():
    return StreamingResponse(words(), media_type="video/mp4")


@router.get("/stream/sync")
def stream_sync():
    return StreamingResponse(numbers(), 202, {"x-stream": "1"}, "text/plain")


@router.get("/stream/file")
def stream_file():
    return StreamingResponse(io.BytesIO(b"line one\nline two\n"), media_type="application/octet-stream")


class PNG(StreamingResponse):
    media_type = "image/png"


@router.get("/stream/yields", response_class=PNG)
def stream_yields(size: int = 2):
    for part in range(size):
        note(f"part {part}")
        yield bytes([part])


@router.get("/stream/yields/async", response_class=StreamingResponse)
async def stream_yields_async(response: Response) -> AsyncIterator[str]:
    response.headers["x-before"] = "set"
    yield "one "
    yield "two"


@router.get("/nothing")
async def nothing():
    pass


@router.get("/nan")
def nan(what: str = "nan") -> Any:
    return {"nan": float("nan"), "inf": [float("inf")], "fine": 1.5}.get(what)


@router.get("/big")
def big(n: Annotated[int, Body()] = 0, size: int = 10):
    return "x" * min(size, 600_000)
