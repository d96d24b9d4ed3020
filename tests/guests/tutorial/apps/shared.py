"""Dependencies, responses and a response class that a whole app has; ids of its operations; docs elsewhere; no telling inputs from outputs."""

from typing import Annotated

import ran
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel


class Pretty(JSONResponse):
    media_type = "application/vnd.pretty+json"


async def token(x_token: Annotated[str, Header()]):
    ran.note("token")
    if x_token != "fake":
        raise HTTPException(400, "X-Token header invalid")


def key(x_key: Annotated[str, Header()] = "none"):
    ran.note(f"key {x_key}")
    return x_key


def by_name(route: APIRoute) -> str:
    return f"{route.tags[0] if route.tags else 'untagged'}-{route.name}"


app = FastAPI(
    dependencies=[Depends(key)],
    default_response_class=Pretty,
    generate_unique_id_function=by_name,
    separate_input_output_schemas=False,
    docs_url="/documentation",
    redoc_url=None,
    openapi_url="/api/v1/openapi.json",
    swagger_ui_parameters={"syntaxHighlight": {"theme": "obsidian"}, "deepLinking": False},
    responses={404: {"description": "not found"}},
    redirect_slashes=False,
    servers=[{"url": "https://stag.example.org", "description": "Staging"}],
)
guarded = APIRouter(prefix="/guarded", dependencies=[Depends(token)], tags=["guarded"], default_response_class=JSONResponse)
plain = APIRouter(prefix="/plain", tags=["plain"], deprecated=True)


class Item(BaseModel):
    name: str
    description: str | None = None


# It is no part of what is guarded: a mounted app has dependencies of its own.
inside = FastAPI(dependencies=[])


@inside.get("/ran")
async def what_ran():
    return JSONResponse(ran.taken())


@guarded.get("/items")
async def items() -> list[Item]:
    ran.note("items")
    return [Item(name="Portal gun")]


@guarded.post("/items", responses={409: {"model": Item}})
async def make(item: Item):
    return item


@plain.get("/items/{item_id}")
def item(item_id: int, again: Annotated[str, Depends(key)]):
    return {"item_id": item_id, "key": again}


@plain.get("/slash/")
def slash():
    return "slash"


app.include_router(guarded)
app.include_router(plain)
app.include_router(guarded, prefix="/v2", dependencies=[Depends(key, use_cache=False)], tags=["v2"])
app.mount("/", inside)
