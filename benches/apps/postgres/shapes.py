"""What the routes have in common, whatever they reach Postgres with."""

from collections.abc import Callable, Iterable
from datetime import datetime
from html import escape
from random import randint, sample
from time import perf_counter
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel

ROWS = 10_000

FORTUNES = "SELECT id, message FROM fortune"
READINGS = "SELECT id, name, price, taken, valid FROM reading ORDER BY id"

Queries = Annotated[int, Query(ge=1, le=500)]
First = Annotated[int | None, Query(ge=1, le=ROWS)]
"""Takes the place of chance, so that answers can be compared."""


class World(BaseModel):
    id: int
    randomNumber: int


class Reading(BaseModel):
    id: int
    name: str
    price: float
    taken: datetime
    valid: bool


def world_id(first: int | None) -> int:
    return first or randint(1, ROWS)


def world_ids(count: int, first: int | None) -> list[int]:
    """Different ones and in order, so that two requests that update the same rows do not wait for each other in a circle."""
    return list(range(first, first + count)) if first else sorted(sample(range(1, ROWS + 1), count))


def new_number(first: int | None) -> int:
    return first or randint(1, ROWS)


def fortune_page(rows: Iterable[tuple[int, str]]) -> str:
    fortunes = [*rows, (0, "Additional fortune added at request time.")]
    fortunes.sort(key=lambda fortune: fortune[1])
    lines = "".join([f"<tr><td>{number}</td><td>{escape(message)}</td></tr>" for number, message in fortunes])
    return (
        "<!DOCTYPE html><html><head><title>Fortunes</title></head><body><table>"
        f"<tr><th>id</th><th>message</th></tr>{lines}</table></body></html>"
    )


def microseconds(call: Callable[[int], object], count: int) -> float:
    """How long a call takes that gets the number of a row, after some that are not counted."""
    for number in range(1, 101):
        call(number)
    started = perf_counter()
    for number in range(count):
        call(number * 7919 % ROWS + 1)
    return (perf_counter() - started) / count * 1e6
