"""Counters in the app's memory: they tell which instance answered, and how often it has."""

import random
import uuid

from fastapi import APIRouter, Request

router = APIRouter(prefix="/instance")
NAME = ""
STARTS = 0
SERVED = 0


def started() -> None:
    global NAME, STARTS
    NAME = uuid.uuid4().hex
    STARTS += 1


def tell(request: Request) -> dict[str, object]:
    global SERVED
    SERVED += 1
    return {"name": NAME, "starts": STARTS, "served": SERVED, "lifespan_number": next(request.state.numbers)}


@router.get("/one")
async def one(request: Request):
    return tell(request)


@router.get("/two")
def two(request: Request):
    return tell(request)


@router.get("/random")
def numbers():
    """Must not repeat from one instance to the next, although all come from one snapshot."""
    return {"random": random.random(), "uuid": uuid.uuid4()}
