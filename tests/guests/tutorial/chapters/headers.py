"""Headers and cookies as parameters and as models."""

from typing import Annotated

from fastapi import APIRouter, Cookie, Header
from pydantic import BaseModel, ConfigDict, Field

router = APIRouter(prefix="/headers", tags=["headers"])


@router.get("/agent")
async def agent(user_agent: Annotated[str | None, Header()] = None):
    return {"agent": user_agent}


@router.get("/many")
def many(x_token: Annotated[list[str] | None, Header()] = None, x_numbers: Annotated[list[int], Header()] = []):  # noqa: B006
    return {"tokens": x_token, "numbers": x_numbers}


@router.get("/plain-name")
async def plain_name(strange_header: Annotated[str | None, Header(convert_underscores=False)] = None):
    return {"strange": strange_header}


@router.get("/needed")
def needed(x_count: Annotated[int, Header(ge=1)], x_name: Annotated[str, Header(alias="X-Other-Name", max_length=5)] = "none"):
    return {"count": x_count, "name": x_name}


class Common(BaseModel):
    model_config = ConfigDict(extra="ignore")
    save_data: bool
    if_modified_since: str | None = None
    traceparent: str | None = None
    x_tag: list[str] = []


@router.get("/model")
async def model(headers: Annotated[Common, Header()]):
    return headers


@router.get("/model/as-named")
async def as_named(headers: Annotated[Common, Header(convert_underscores=False)]):
    return headers


@router.get("/cookies")
async def cookies(ads_id: Annotated[str | None, Cookie()] = None, visits: Annotated[int, Cookie(ge=0)] = 0):
    return {"ads_id": ads_id, "visits": visits}


class Jar(BaseModel):
    model_config = ConfigDict(extra="forbid")
    session_id: str
    tracker: str | None = Field(None, alias="trackerId")


@router.get("/jar")
async def jar(cookies: Annotated[Jar, Cookie()]):
    return cookies
