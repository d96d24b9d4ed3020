"""Failures: raised on purpose, handled, unhandled, and what dependencies do then."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

router = APIRouter(prefix="/errors")


class Teapot(Exception):
    """Has a handler."""


async def teapot(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"teapot": str(error), "path": request.url.path}, 418, {"x-teapot": "yes"})


def install(app: FastAPI) -> None:
    app.add_exception_handler(Teapot, teapot)


@router.get("/http/{status}")
def http(status: int):
    raise HTTPException(status, {"reason": "asked for"}, {"X-Reason": "asked", "WWW-Authenticate": "None"})


@router.get("/phrase/{status}")
def phrase(status: int):
    raise HTTPException(status)


@router.get("/teapot")
def handled():
    raise Teapot("short and stout")


@router.get("/raise")
def unhandled(token: str = "none"):
    raise RuntimeError(f"unhandled {token}")


@router.get("/raise-async")
async def unhandled_async():
    raise KeyError("unhandled")


@router.get("/group")
async def group():
    raise ExceptionGroup("several", [ValueError("one"), TypeError("two")])


async def yielding(token: str = ""):
    print(f"{token} open")
    try:
        yield "value"
    except HTTPException:
        print(f"{token} http exception seen")
        raise
    finally:
        print(f"{token} close")


def sync_yielding(value: Annotated[str, Depends(yielding)], token: str = ""):
    print(f"{token} inner open")
    yield value.upper()
    print(f"{token} inner close")


@router.get("/dependencies")
def dependencies(value: Annotated[str, Depends(sync_yielding)], tasks: BackgroundTasks, how: str = "well", token: str = ""):
    tasks.add_task(print, f"{token} background task")
    print(f"{token} endpoint")
    if how == "badly":
        raise HTTPException(409, "badly")
    if how == "worse":
        raise RuntimeError("worse")
    return {"value": value}


def refusing(who: str = "nobody"):
    if who == "nobody":
        raise HTTPException(403, "not you")
    return who


@router.get("/refused", dependencies=[Depends(refusing)])
def refused():
    return {"reached": True}


@router.get("/cached")
def cached(first: Annotated[object, Depends(object)], again: Annotated[object, Depends(object)], fresh: Annotated[object, Depends(object, use_cache=False)]):
    return {"same": first is again, "fresh": first is not fresh}
