"""Query parameters: defaults, requirements, bounds, lists, aliases, validators of one's own, models."""

import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Json
from ran import note

router = APIRouter(prefix="/queries", tags=["queries"])


@router.get("/page")
async def page(skip: int = 0, limit: int = 10):
    return list(range(skip, min(skip + limit, skip + 20)))


@router.get("/mixed/{item_id}")
async def mixed(item_id: str, needy: str, q: str | None = None, short: bool = False, limit: int | None = None):
    note("mixed")
    return {"item_id": item_id, "needy": needy, "q": q, "short": short, "limit": limit}


@router.get("/text")
def text(q: Annotated[str | None, Query(min_length=3, max_length=10, pattern="^fixed")] = None):
    return {"q": q}


@router.get("/old-style")
def old_style(q: str = Query(default="fixed", min_length=3), n: int | None = Query(None, ge=2)):
    return {"q": q, "n": n}


@router.get("/needed")
async def needed(q: Annotated[str, Query(min_length=3)], maybe: Annotated[str | None, Query()]):
    return {"q": q, "maybe": maybe}


@router.get("/lists")
async def lists(
    q: Annotated[list[str] | None, Query()] = None,
    numbers: Annotated[list[int], Query(max_length=3)] = [1, 2],  # noqa: B006
    unique: Annotated[set[str], Query()] = set(),  # noqa: B006
    pair: Annotated[tuple[int, str] | None, Query()] = None,
    anything: Annotated[list, Query()] = [],  # noqa: B006
):
    numbers.append(7)
    return {"q": q, "numbers": numbers, "unique": sorted(unique), "pair": pair, "anything": anything}


@router.get("/described")
def described(
    q: Annotated[
        str | None, Query(alias="item-query", title="A query", description="What to look for", min_length=3, deprecated=True, examples=["abc"])
    ] = None,
    hidden: Annotated[str | None, Query(include_in_schema=False)] = None,
    either: Annotated[str | None, Query(validation_alias="other-name")] = None,
):
    return {"q": q, "hidden": hidden, "either": either}


def known_prefix(value: str) -> str:
    if not value.startswith(("isbn-", "imdb-")):
        raise ValueError("an id begins with isbn- or imdb-")
    return value


@router.get("/validated")
async def validated(
    id: Annotated[str | None, AfterValidator(known_prefix)] = None,
    trimmed: Annotated[str, BeforeValidator(lambda value: value.strip() if isinstance(value, str) else value), Query(min_length=1)] = "x",
):
    return {"id": id, "trimmed": trimmed}


@router.get("/types")
def types(
    on: datetime.date | None = None,
    at: datetime.datetime | None = None,
    length: datetime.timedelta | None = None,
    clock: datetime.time | None = None,
    price: Annotated[Decimal, Query(max_digits=6, decimal_places=2)] = Decimal("1.50"),
    ratio: float = 0.5,
    flag: bool | None = None,
    mode: Literal["fast", "slow"] = "fast",
    either: int | str = 0,
    document: Annotated[Json, Query()] = None,
    raw: bytes = b"none",
):
    return {
        "on": on, "at": at, "length": length, "clock": clock, "price": price, "ratio": ratio, "flag": flag, "mode": mode, "either": either,
        "document": document, "raw": raw,
    }  # fmt: skip


class Filters(BaseModel):
    model_config = ConfigDict(extra="forbid")
    limit: int = Field(100, gt=0, le=100)
    offset: int = Field(0, ge=0)
    order_by: Literal["created_at", "updated_at"] = "created_at"
    tags: list[str] = []


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow", populate_by_name=True)
    q: str = Field("none", alias="query")
    since: datetime.date | None = None


@router.get("/model")
async def model(filters: Annotated[Filters, Query()]):
    return filters


@router.get("/model/loose")
def loose(filters: Annotated[Loose, Query()]) -> Any:
    return filters.model_dump(by_alias=True)


@router.get("/model/optional")
def optional(filters: Annotated[Filters | None, Query()] = None) -> Any:
    return filters
