"""Errors that are raised: HTTPException with its headers, an exception of one's own with its handler."""

from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from ran import note
from starlette.exceptions import HTTPException as StarletteHTTPException

router = APIRouter(prefix="/errors", tags=["errors"])


class Unicorn(Exception):
    def __init__(self, name: str) -> None:
        self.name = name


class Winged(Unicorn):
    pass


def install(app: FastAPI) -> None:
    @app.exception_handler(Unicorn)
    async def unicorn(request: Request, error: Unicorn):
        note("unicorn handler")
        return JSONResponse({"message": f"{error.name} did something at {request.url.path}", "kind": type(error).__name__}, 418)

    @app.exception_handler(ZeroDivisionError)
    def division(request: Request, error: ZeroDivisionError):
        note("division handler")
        return JSONResponse({"message": "divided", "query": str(request.query_params)}, 400, {"x-handler": "sync"})

    @app.exception_handler(451)
    async def legal(request: Request, error: StarletteHTTPException):
        return JSONResponse({"legal": error.detail}, 451)


@router.get("/item/{name}")
async def item(name: str):
    if name != "foo":
        note("refused")
        raise HTTPException(404, "Item not found", {"X-Error": "There goes my error"})
    return {"name": name}


@router.get("/detail/{kind}")
def detail(kind: str):
    details = {"dict": {"a": [1, None]}, "list": ["a"], "none": None, "number": 5, "text": "ä"}
    raise HTTPException(400, details.get(kind, kind))


@router.get("/status/{status}")
def status(status: int):
    raise HTTPException(status if status in (204, 304, 400, 401, 403, 404, 405, 418, 422, 451, 500, 503) else 409)


@router.get("/starlette")
def starlette():
    raise StarletteHTTPException(410, "gone", {"x-gone": "1"})


@router.get("/unicorn/{name}")
async def unicorn(name: str, winged: bool = False):
    note("unicorn")
    raise (Winged if winged else Unicorn)(name)


@router.get("/divide/{by}")
def divide(by: int):
    return 6 / by


def refuses(token: str = "none"):
    note("dependency")
    if token != "secret":
        raise Unicorn(token)
    return token


@router.get("/dependency")
def dependency(token: Annotated[str, Depends(refuses)]):
    return token


@router.get("/group")
def group(how: str = "plain"):
    if how == "group":
        raise ExceptionGroup("several", [ValueError("one")])
    if how == "assert":
        raise AssertionError("no")
    if how == "key":
        return {}["missing"]
    return how
