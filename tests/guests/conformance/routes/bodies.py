"""Request bodies: models and their errors, forms, uploads, raw bytes."""

import hashlib
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, Body, File, Form, Request, UploadFile
from pydantic import BaseModel, ConfigDict, EmailStr, Field, HttpUrl, computed_field, field_validator, model_validator

router = APIRouter(prefix="/bodies")
T = TypeVar("T")


class Size(BaseModel):
    width: float = Field(gt=0)
    height: float = Field(gt=0)


class Item(BaseModel):
    name: str = Field(min_length=2, max_length=20)
    price: float = Field(gt=0)
    tags: list[str] = Field([], max_length=3)
    size: Size | None = None
    when: datetime | None = None

    @field_validator("name")
    @classmethod
    def no_digits(cls, name: str) -> str:
        if any(c.isdigit() for c in name):
            raise ValueError("a name has no digits")
        return name


class Made(Item):
    id: int
    secret: str = Field("hidden", exclude=True)

    @computed_field
    @property
    def with_tax(self) -> float:
        return round(self.price * 1.2, 2)


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    bark: float


class Owner(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    email: EmailStr
    site: HttpUrl | None = None
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    low: int = 1
    high: int = 2

    @model_validator(mode="after")
    def ordered(self):
        if self.low > self.high:
            raise ValueError("low is over high")
        return self


class Page(BaseModel, Generic[T]):
    items: list[T]
    total: int


class Wide(BaseModel):
    decimal: Decimal
    moment: datetime
    day: date
    clock: time
    length: timedelta
    id: UUID
    data: bytes
    unique: set[int]
    pair: tuple[int, str]
    mapping: dict[int, float]
    anything: Any


class Login(BaseModel):
    name: str
    password: str = Field(min_length=4)


@router.post("/model", status_code=201)
async def model(item: Item) -> Made:
    return Made(id=7, **item.model_dump())


@router.post("/partial", response_model=Item, response_model_exclude_unset=True)
def partial(item: Item):
    return item


@router.put("/two")
def two(item: Item, size: Size, importance: Annotated[int, Body(gt=0)]):
    return {"item": item, "size": size, "importance": importance}


@router.post("/embedded")
def embedded(item: Annotated[Item, Body(embed=True)]):
    return item


@router.post("/list")
def many(items: list[Size]) -> list[Size]:
    return items


@router.post("/page")
def page(owner: Owner) -> Page[Owner]:
    return Page[Owner](items=[owner], total=1)


@router.post("/wide")
def wide(wide: Wide) -> Wide:
    return wide


@router.post("/wide-as-dict")
def wide_as_dict(wide: Wide):
    return wide.model_dump()


@router.post("/optional")
def optional(item: Item | None = None):
    return {"item": item}


@router.post("/any")
def anything(value: Any = Body()):
    return {"value": value}


@router.post("/json")
async def json(request: Request):
    return {"value": await request.json()}


@router.post("/raw")
async def raw(request: Request):
    body = await request.body()
    return {"length": len(body), "sha256": hashlib.sha256(body).hexdigest(), "type": request.headers.get("content-type")}


@router.get("/unread")
@router.post("/unread")
def unread():
    return {"read": False}


@router.post("/form")
def form(name: Annotated[str, Form()], number: Annotated[int, Form(ge=0)] = 3, tags: Annotated[list[str], Form()] = []):
    return {"name": name, "number": number, "tags": tags}


@router.post("/form-model")
def form_model(login: Annotated[Login, Form()]):
    return login


@router.post("/file")
def file(data: Annotated[bytes, File()]):
    return {"length": len(data)}


@router.post("/upload")
async def upload(upload: UploadFile, note: Annotated[str, Form()] = ""):
    digest, length = hashlib.sha256(), 0
    while part := await upload.read(64 * 1024):
        digest.update(part)
        length += len(part)
    return {
        "filename": upload.filename,
        "type": upload.content_type,
        "length": length,
        "size": upload.size,
        "sha256": digest.hexdigest(),
        "note": note,
    }


@router.post("/uploads")
async def uploads(files: list[UploadFile]):
    return [{"filename": file.filename, "text": (await file.read()).decode()} for file in files]
