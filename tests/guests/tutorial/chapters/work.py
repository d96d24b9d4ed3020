"""What goes on beside the answer: background tasks, streams of JSON lines and of events, state that start-up left, settings."""

import asyncio
import os
from collections.abc import AsyncIterable, Iterable
from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, Request
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel
from ran import note
from starlette.background import BackgroundTask

router = APIRouter(prefix="/work", tags=["work"])


def write(message: str, email: str = "") -> None:
    note(f"sync task {message} {email}")


async def write_later(message: str) -> None:
    note(f"async task {message}")


@router.post("/notify/{email}")
async def notify(email: str, background_tasks: BackgroundTasks):
    background_tasks.add_task(write, "some notification", email=email)
    return {"message": "sent in the background"}


def logs_query(background_tasks: BackgroundTasks, q: str | None = None) -> str | None:
    if q:
        background_tasks.add_task(write, f"found query: {q}")
    return q


@router.post("/notify/{email}/with-query")
def notify_with_query(email: str, background_tasks: BackgroundTasks, q: Annotated[str | None, Depends(logs_query)]):
    background_tasks.add_task(write_later, email)
    return {"q": q}


@router.get("/own-task")
def own_task(request: Request):
    return JSONResponse({"own": True}, background=BackgroundTask(write, "own"))


class Item(BaseModel):
    name: str
    price: float | None = None


ITEMS = [Item(name="Plumbus", price=32.99), Item(name="Portal gun"), Item(name="Ä", price=1e-7)]


@router.get("/lines")
async def lines() -> AsyncIterable[Item]:
    for item in ITEMS:
        note(item.name)
        yield item


@router.get("/lines/sync")
def lines_sync(count: int = 2) -> Iterable[Item]:
    yield from ITEMS[:count]


@router.get("/lines/untyped")
def lines_untyped():
    for item in ITEMS:
        yield {"name": item.name, "nan": float("nan")}


@router.post("/lines/from")
async def lines_from(items: list[Item]) -> AsyncIterable[Item]:
    for item in reversed(items):
        yield item


@router.get("/events", response_class=EventSourceResponse)
async def events() -> AsyncIterable[Item]:
    for item in ITEMS:
        yield item


@router.get("/events/own", response_class=EventSourceResponse)
async def own_events(last: int = 0):
    yield ServerSentEvent(comment="begins")
    for number in range(last, last + 2):
        yield ServerSentEvent(data={"n": number}, event="tick", id=str(number), retry=500)
    yield ServerSentEvent(raw_data="[DONE]\nreally")


@router.post("/events/sync", response_class=EventSourceResponse)
def events_sync(item: Item) -> Iterable[Item]:
    yield item


@router.get("/waits")
async def waits(n: int = 1):
    for _ in range(min(n, 5)):
        await asyncio.sleep(0)
    note("waited")
    return {"waited": n}


@router.get("/waits/stream")
async def waits_stream():
    async def parts():
        for part in ("a", "b"):
            await asyncio.sleep(0)
            yield part

    return StreamingResponse(parts())


@router.get("/together")
async def together(q: Annotated[list[str], Depends(lambda: ["x", "y"])]):
    async def one(word: str) -> str:
        await asyncio.sleep(0)
        return word.upper()

    return await asyncio.gather(*(one(word) for word in q))


@router.get("/state")
async def state(request: Request):
    return {"answer": request.state.answer, "model": request.app.state.model}


class Settings(BaseModel):
    app_name: str = "Awesome API"
    admin_email: str = os.environ.get("TUTORIAL_ADMIN", "nobody@example.org")
    items_per_user: int = 50


@lru_cache
def get_settings() -> Settings:
    return Settings()


@router.get("/settings")
async def settings(settings: Annotated[Settings, Depends(get_settings)]) -> Any:
    return settings
