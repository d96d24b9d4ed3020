"""Where values come from: path, query, headers, cookies."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Cookie, Header, Path, Query, Request
from pydantic import BaseModel, Field

router = APIRouter(prefix="/params")


class Color(str, Enum):
    red = "red"
    blue = "blue"


class Window(BaseModel):
    model_config = {"extra": "forbid"}

    limit: int = Field(100, gt=0, le=100)
    offset: int = Field(0, ge=0)
    order_by: Literal["created", "updated"] = "created"
    tags: list[str] = []


@router.get("/int/{number}")
def integer(number: Annotated[int, Path(ge=-5, lt=1000)]):
    return {"number": number}


@router.get("/float/{number}")
async def real(number: float):
    return {"number": number}


@router.get("/uuid/{id}")
def identifier(id: UUID):
    return {"id": id, "version": id.version}


@router.get("/enum/{color}")
def enum(color: Color):
    return {"color": color, "is_red": color is Color.red}


@router.get("/client")
def client(request: Request):
    host, port = request.client
    return {"host": host, "port": None if host == "127.0.0.1" else port, "url": str(request.url)}


@router.get("/typed/{number:int}")
def typed(number: int):
    return {"number": number}


@router.get("/rest/{rest:path}")
def rest(rest: str, request: Request):
    return {"rest": rest, "raw": request.scope["raw_path"].decode("latin-1")}


@router.get("/text/{text}")
def text(text: str, request: Request):
    return {"text": text, "path": request.scope["path"], "raw": request.scope["raw_path"].decode("latin-1")}


@router.get("/two/{first}/{second}")
def two(first: str, second: int):
    return {"first": first, "second": second}


@router.get("/query")
def query(
    q: Annotated[str | None, Query(min_length=2, max_length=20, pattern="^[a-z ü]+$")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    flag: bool = False,
    tags: Annotated[list[str], Query()] = [],
    item_query: Annotated[str | None, Query(alias="item-query")] = None,
):
    return {"q": q, "limit": limit, "flag": flag, "tags": tags, "item_query": item_query}


@router.get("/required")
def required(needed: str, number: int):
    return {"needed": needed, "number": number}


@router.get("/query-model")
def query_model(window: Annotated[Window, Query()]):
    return window


@router.get("/times")
def times(day: date | None = None, at: datetime | None = None, clock: time | None = None, length: timedelta | None = None, price: Decimal | None = None):
    return {"day": day, "at": at, "clock": clock, "length": length, "price": price}


@router.get("/headers")
def headers(
    x_token: Annotated[list[str] | None, Header()] = None,
    user_agent: Annotated[str | None, Header()] = None,
    x_number: Annotated[int | None, Header()] = None,
    strange_header: Annotated[str | None, Header(convert_underscores=False)] = None,
):
    return {"x_token": x_token, "user_agent": user_agent, "x_number": x_number, "strange_header": strange_header}


@router.get("/cookies")
def cookies(request: Request, session: Annotated[str | None, Cookie()] = None, number: Annotated[int, Cookie()] = 0):
    return {"session": session, "number": number, "all": request.cookies}


@router.api_route("/scope", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], include_in_schema=False)
def scope(request: Request):
    scope = request.scope
    texts = {key: scope[key] for key in ("type", "method", "path", "root_path", "scheme")}
    raw = {key: scope[key].decode("latin-1") for key in ("raw_path", "query_string")}
    # By name: where `host` stands among them is HTTP/2's and each client's own affair, as is a length of nothing.
    fields = sorted((field for field in scope["headers"] if field != (b"content-length", b"0")), key=lambda field: field[0])
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in fields]
    client, server = scope["client"][0], scope["server"][0]
    return {**texts, **raw, "headers": headers, "client": client, "server": server, "asgi": scope["asgi"]["version"]}


@router.get("/url")
def url(request: Request):
    return {
        "url": str(request.url),
        "base": str(request.base_url),
        "for": str(request.url_for("two", first="ä/b", second=3)),
        "query": list(request.query_params.multi_items()),
    }


@router.get("/state")
def state(request: Request):
    return {"greeting": request.state.greeting, "id": len(request.state.id)}
