"""A Litestar app as its author left it: parameters, msgspec Structs and dataclasses in and out, a dependency, a guard, exceptions,
middleware, a stream, a background task, the OpenAPI document."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Litestar, Request, Response, Router, delete, get, patch, post
from litestar.background_tasks import BackgroundTask
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie, State
from litestar.di import Provide
from litestar.dto import DTOConfig, DTOData, MsgspecDTO
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException, NotAuthorizedException, NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.params import Body, Parameter
from litestar.response import Redirect, Stream
from msgspec import Meta, Struct


class Book(Struct):
    id: UUID
    title: Annotated[str, Meta(min_length=1, max_length=40)]
    pages: Annotated[int, Meta(gt=0)]
    price: float = 9.5
    tags: list[str] = []
    published: date | None = None


class BookInDTO(MsgspecDTO[Book]):
    config = DTOConfig(exclude={"id"}, rename_strategy="camel")


@dataclass
class Page:
    number: int
    size: int


@dataclass
class Visitor:
    name: str
    age: int | None = None


class OutOfStock(Exception):
    def __init__(self, title: str) -> None:
        self.title = title


FIRST = UUID("11111111-2222-3333-4444-555555555555")
books: dict[UUID, Book] = {FIRST: Book(FIRST, "Dune", 412, 7.25, ["sf"], date(1965, 8, 1))}


def page(number: Annotated[int, Parameter(ge=1)] = 1, size: Annotated[int, Parameter(ge=1, le=50)] = 10) -> Page:
    return Page(number, size)


async def book(book_id: UUID) -> Book:
    if book_id not in books:
        raise NotFoundException(f"there is no book {book_id}")
    return books[book_id]


def needs_a_key(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    if connection.headers.get("x-key") != "open":
        raise NotAuthorizedException("no key")


class Books(Controller):
    path = "/books"
    dependencies = {"book": Provide(book)}

    @get("/", dependencies={"page": Provide(page, sync_to_thread=False)}, sync_to_thread=False)
    def listed(self, page: Page, tag: list[str] | None = None) -> dict[str, Any]:
        found = [each for each in books.values() if not tag or set(tag) <= set(each.tags)]
        return {"page": page, "books": found}

    @get("/{book_id:uuid}")
    async def shown(self, book: Book) -> Book:
        return book

    @post("/", dto=BookInDTO, return_dto=None)
    async def checked(self, data: DTOData[Book]) -> Book:
        return data.create_instance(id=FIRST)

    @patch("/{book_id:uuid}")
    async def changed(self, book: Book, data: dict[str, int]) -> dict[str, Any]:
        return {"title": book.title, **data}

    @delete("/{book_id:uuid}", guards=[needs_a_key])
    async def removed(self, book: Book) -> None:
        raise OutOfStock(book.title)


@get("/", sync_to_thread=False)
def index(name: str = "world") -> str:
    return f"Hello, {name}!"


@get("/threads", sync_to_thread=True)
def in_a_thread() -> dict[str, bool]:
    return {"ran": True}


@get("/numbers/{number:int}/{rest:path}")
async def numbers(number: int, rest: str, ratio: float, agent: Annotated[str, Parameter(header="x-agent")] = "none") -> dict[str, Any]:
    return {"number": number, "rest": rest, "ratio": ratio, "agent": agent}


@post("/visitors")
async def visitor(data: Visitor) -> Visitor:
    return data


@post("/form")
async def form(data: Annotated[Visitor, Body(media_type=RequestEncodingType.URL_ENCODED)]) -> Visitor:
    return data


@get("/headers")
async def headers(request: Request[Any, Any, State]) -> Response[dict[str, Any]]:
    seen = {"path": request.url.path, "query": dict(request.query_params), "cookies": request.cookies}
    return Response(seen, status_code=202, headers={"x-seen": "yes"}, cookies=[Cookie(key="seen", value="1", max_age=60)])


@get("/stream", sync_to_thread=False)
def stream() -> Stream:
    async def lines() -> AsyncIterator[str]:
        for number in range(50):
            yield f"{number}\n"

    return Stream(lines(), media_type="text/plain")


@get("/old")
async def old() -> Redirect:
    return Redirect("/", status_code=307)


@get("/later")
async def later() -> Response[str]:
    return Response("soon", background=BackgroundTask(remember, "later"))


async def remember(word: str) -> None:
    print("done", word)


@get("/raises/{kind:str}")
async def raises(kind: str) -> Iterator[int]:
    if kind == "http":
        raise HTTPException("teapot", status_code=418, extra={"tea": "green"}, headers={"x-tea": "green"})
    raise KeyError(kind)


def out_of_stock(_: Request[Any, Any, State], error: OutOfStock) -> Response[dict[str, str]]:
    return Response({"sold": error.title}, status_code=409)


api = Router("/api", route_handlers=[visitor, form, headers])
app = Litestar(
    [Books, api, index, in_a_thread, numbers, stream, old, later, raises],
    exception_handlers={OutOfStock: out_of_stock},
)
