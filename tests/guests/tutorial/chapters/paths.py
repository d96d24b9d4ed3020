"""Path parameters: types, enumerations, order of definition, numbers with bounds, convertors."""

import enum
import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AfterValidator
from ran import note

router = APIRouter(prefix="/paths", tags=["paths"])


class Season(enum.StrEnum):
    spring = "spring"
    autumn = "autumn"


class Level(enum.IntEnum):
    low = 1
    high = 2


@router.get("/untyped/{name}")
async def untyped(name):
    return {"name": name}


@router.get("/number/{number}")
async def number(number: int):
    note("number")
    return {"number": number}


# The fixed path is defined first, else the parameter would take it.
@router.get("/people/me")
async def myself():
    return {"person": "you"}


@router.get("/people/{person}")
def person(person: str):
    return {"person": person}


@router.get("/twice")
async def first_of_two():
    return ["the first"]


@router.get("/twice")
async def second_of_two():
    return ["never the second"]


@router.get("/seasons/{season}")
async def season(season: Season):
    return {"season": season, "is_spring": season is Season.spring, "value": season.value}


@router.get("/levels/{level}/{side}")
def level(level: Level, side: Literal["left", "right"], exact: bool = False):
    return {"level": level, "side": side, "exact": exact}


@router.get("/files/{file_path:path}")
async def file(file_path: str):
    return {"file_path": file_path}


@router.get("/files/{file_path:path}/raw")
async def never_reached(file_path: str):
    return {"never": file_path}


@router.get("/between/{middle:path}/end")
async def between(middle: str, request_id: str | None = None):
    return {"middle": middle, "request_id": request_id}


@router.get("/pairs/{left}-{right}.txt")
def pair(left: str, right: int):
    return {"left": left, "right": right}


@router.get("/converted/{n:int}")
def converted_int(n: int):
    note("converted")
    return {"n": n}


@router.get("/converted/{x:float}/of/{n:int}")
def converted_both(x: float, n: int, q: Annotated[int, Query(ge=0)] = 1):
    return {"x": x, "n": n, "q": q}


@router.get("/converted/{key:uuid}/key")
def converted_uuid(key: uuid.UUID):
    return {"key": key}


@router.get("/converted/{n:int}/as-text")
def converted_as_text(n: str):
    return {"n": n}


@router.get("/bounds/{item_id}")
async def bounds(
    *,
    item_id: Annotated[int, Path(title="The item's number", ge=1, le=1000)],
    q: str,
    size: Annotated[float, Query(gt=0, lt=10.5)] = 1.0,
):
    return {"item_id": item_id, "q": q, "size": size}


@router.get("/text/{word}")
def text(word: Annotated[str, Path(min_length=2, max_length=8, pattern="^[a-z]+$", description="a word", examples=["abc"])]):
    return word


@router.get("/checked/{word}")
def checked(word: Annotated[str, AfterValidator(str.upper), Path()]) -> str:
    return word


@router.get("/many/{a}/{b}/{c}")
async def many(a: int, b: float, c: bool) -> dict[str, Any]:
    return {"a": a, "b": b, "c": c}


@router.get("/aliased/{item-id}", include_in_schema=False)
def literal_braces():
    return "the braces are no parameter"
