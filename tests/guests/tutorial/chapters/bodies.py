"""JSON bodies: models, several at once, nested, with bounds, examples, every extra type, updates, and the method QUERY."""

import datetime
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, Union

from fastapi import APIRouter, Body, HTTPException
from fastapi.encoders import jsonable_encoder
from pydantic import (
    AnyUrl,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    HttpUrl,
    PlainSerializer,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
    model_validator,
)
from ran import note
from typing_extensions import TypedDict

router = APIRouter(prefix="/bodies", tags=["bodies"])


class Item(BaseModel):
    name: str
    description: str | None = Field(None, title="What it is", max_length=300)
    price: float = Field(gt=0, description="more than nothing")
    tax: float | None = None
    tags: Annotated[set[str], PlainSerializer(sorted)] = set()  # a set of texts has another order in every process

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Foo", "price": 35.4}]})


class Image(BaseModel):
    url: HttpUrl
    name: str


class Offer(BaseModel):
    name: str
    items: list[Item] = []
    images: list[Image] | None = None
    by_size: dict[int, float] = {}


class User(BaseModel):
    username: str
    email: EmailStr | None = None
    password: SecretStr = SecretStr("none")


@router.post("/item")
async def item(item: Item):
    note("item")
    made = item.model_dump()
    if item.tax is not None:
        made["with_tax"] = item.price + item.tax
    return made


@router.put("/item/{item_id}")
async def change(item_id: int, item: Item, q: str | None = None):
    return {"item_id": item_id, **item.model_dump(exclude={"tags"}), "q": q}


@router.put("/several/{item_id}")
async def several(item_id: int, item: Item | None = None, user: User | None = None, importance: Annotated[int, Body(gt=0)] = 1, q: str = ""):
    return {"item_id": item_id, "item": item, "user": user, "importance": importance, "q": q}


@router.post("/embedded")
def embedded(item: Annotated[Item, Body(embed=True)]) -> Item:
    return item


@router.post("/singles")
def singles(a: Annotated[int, Body()], b: Annotated[str, Body(alias="letter-b", min_length=1)] = "b", c: Annotated[list[float], Body()] = [1.5]):  # noqa: B006
    c.append(a)
    return {"a": a, "b": b, "c": c}


@router.post("/offer")
async def offer(offer: Offer) -> Offer:
    return offer


@router.post("/images")
async def images(images: list[Image]):
    return [str(image.url) for image in images]


@router.post("/weights")
async def weights(weights: dict[int, float]) -> dict[int, float]:
    return weights


@router.post("/examples")
def examples(
    item: Annotated[
        Item, Body(examples=[{"name": "A", "price": 1}], openapi_examples={"normal": {"summary": "a normal one", "value": {"name": "B", "price": 2}}})
    ],
):
    return item.name


@router.put("/extra-types/{item_id}")
async def extra_types(
    item_id: uuid.UUID,
    start: Annotated[datetime.datetime, Body()],
    end: Annotated[datetime.datetime, Body()],
    after: Annotated[datetime.timedelta, Body()],
    repeat_at: Annotated[datetime.time | None, Body()] = None,
):
    begins = start + after
    return {"item_id": item_id, "start": start, "end": end, "after": after, "repeat_at": repeat_at, "begins": begins, "lasts": end - begins}


class Everything(BaseModel):
    day: datetime.date = datetime.date(2026, 1, 2)
    amount: Decimal = Field(Decimal("1.10"), max_digits=8, decimal_places=2)
    frozen: frozenset[int] = frozenset()
    data: bytes = b""
    url: AnyUrl | None = None
    pair: tuple[int, str] | None = None
    either: int | str | None = None
    anything: Any = None


@router.post("/everything")
def everything(thing: Everything) -> Everything:
    return thing


class Packed(BaseModel):
    model_config = ConfigDict(val_json_bytes="base64", ser_json_bytes="base64")
    label: str
    data: bytes


@router.post("/base64")
def base64(packed: Packed) -> Packed:
    note(f"{len(packed.data)} bytes")
    return packed


@router.post("/base64-type")
def base64_type(data: Annotated[Base64Bytes, Body(embed=True)]):
    return {"length": len(data)}


# --- models that do something ---


class Booking(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, str_max_length=20)
    guest: str = Field(min_length=1)
    nights: int = Field(1, ge=1, le=30, strict=True)
    kind: Literal["room", "tent"] = "room"

    @field_validator("guest")
    @classmethod
    def no_digits(cls, value: str) -> str:
        if any(character.isdigit() for character in value):
            raise ValueError("a guest has no digits")
        return value.title()

    @model_validator(mode="after")
    def tents_are_short(self) -> "Booking":
        if self.kind == "tent" and self.nights > 7:
            raise ValueError("seven nights in a tent are enough")
        return self

    @computed_field
    @property
    def price(self) -> Decimal:
        return Decimal(self.nights) * Decimal("49.90")

    @field_serializer("kind")
    def loud(self, kind: str) -> str:
        return kind.upper()


@router.post("/booking")
async def booking(booking: Booking) -> Booking:
    return booking


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    bark: float


class Node(BaseModel):
    value: int
    below: list["Node"] = []


@router.post("/pet")
def pet(pet: Annotated[Cat | Dog, Body(discriminator="kind")]) -> Cat | Dog:
    return pet


@router.post("/either")
def either(thing: Union[Item, Image, int, list[str]]):
    return {"kind": type(thing).__name__, "thing": thing}


@router.post("/tree")
def tree(node: Node) -> Node:
    return node


# --- dataclasses and typed dicts ---


@dataclass
class Author:
    name: str
    books: list[str] = field(default_factory=list)


@dataclass
class Shelf:
    owner: Author
    width: float = 0.5


class Point(TypedDict, total=False):
    x: int
    y: int


@router.post("/shelf")
async def shelf(shelf: Shelf) -> Shelf:
    return shelf


@router.post("/authors/{name}", response_model=Author)
async def author(name: str, books: list[str]):
    return {"name": name, "books": books, "more": "is left out"}


@router.post("/point")
def point(point: Point) -> Any:
    return point


# --- anything ---


@router.post("/anything")
def anything(payload: Annotated[Any, Body()]) -> Any:
    note("anything")
    return payload


@router.post("/optional")
def optional(item: Item | None = None):
    return {"given": item is not None}


@router.post("/mapping")
def mapping(payload: dict):
    return sorted(payload)


@router.api_route("/search", methods=["QUERY"])
def search(item: Item, limit: int = 3):
    return {"name": item.name, "limit": limit}


@router.delete("/with-body")
def delete(item: Annotated[Item | None, Body()] = None) -> None:
    note("delete")


# --- updates ---

_stored = {"foo": {"name": "Foo", "price": 50.2}, "bar": {"name": "Bar", "description": "the barkeep", "price": 62.0, "tax": 20.2, "tags": ["b"]}}


class Patch(BaseModel):
    name: str | None = None
    description: str | None = None
    price: float | None = None
    tax: float = 10.5
    tags: list[str] = []


@router.put("/stored/{item_id}", response_model=Patch)
async def replace(item_id: str, item: Patch):
    return jsonable_encoder(item)


@router.patch("/stored/{item_id}", response_model=Patch)
async def update(item_id: str, item: Patch):
    if item_id not in _stored:
        raise HTTPException(404, f"no item {item_id!r}")
    return Patch(**_stored[item_id]).model_copy(update=item.model_dump(exclude_unset=True))
