"""Bodies in parts, both ways."""

import asyncio
import hashlib

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

router = APIRouter(prefix="/streams")


@router.get("/count/{to}")
async def count(to: int):
    async def numbers():
        for number in range(to):
            yield f"{number}\n"
            if number % 100 == 0:
                await asyncio.sleep(0)

    return StreamingResponse(numbers(), media_type="text/plain")


@router.get("/sync/{to}")
def sync(to: int):
    return StreamingResponse((f"{number}\n" for number in range(to)), media_type="text/csv")


@router.get("/slow/{to}")
async def slow(to: int):
    async def numbers():
        for number in range(to):
            await asyncio.sleep(0.01)
            yield f"{number};".encode()

    return StreamingResponse(numbers(), headers={"x-slow": "yes"})


@router.get("/empty")
async def empty():
    async def nothing():
        for part in (b"", b"", b""):
            yield part

    return StreamingResponse(nothing())


@router.get("/gaps")
async def gaps():
    async def parts():
        for part in (b"", b"a", b"", b"b" * 100_000, b"", b"c"):
            yield part

    return StreamingResponse(parts())


@router.get("/own-length")
async def own_length():
    async def parts():
        for part in (b"123", b"45"):
            await asyncio.sleep(0)
            yield part

    return StreamingResponse(parts(), headers={"content-length": "5"})


@router.api_route("/head", methods=["GET", "HEAD"], include_in_schema=False)
async def head():
    async def parts():
        yield b"one"
        await asyncio.sleep(0)
        yield b"two"

    return StreamingResponse(parts(), media_type="text/plain")


@router.get("/big")
async def big(parts: int, size: int = 65536, token: str = ""):
    """Many parts, each of its own byte. Prints how far it is every 16 parts, for tests of backpressure."""

    async def produce():
        for number in range(parts):
            yield bytes([number % 251]) * size
            if token and number % 16 == 0:
                print(f"{token} at part {number}")

    return StreamingResponse(produce(), media_type="application/octet-stream")


@router.post("/digest")
async def digest(request: Request):
    """Reads a body of any size in parts, and keeps none."""
    seen, length = hashlib.sha256(), 0
    async for part in request.stream():
        seen.update(part)
        length += len(part)
    return {"length": length, "sha256": seen.hexdigest()}


@router.get("/events")
async def events(request: Request):
    async def produce():
        for number in range(3):
            yield f"event: tick\ndata: {number}\n\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(produce(), media_type="text/event-stream", headers={"cache-control": "no-cache"})


@router.get("/forever")
async def forever(token: str):
    async def produce():
        try:
            while True:
                yield b"tick\n"
                await asyncio.sleep(0.01)
        finally:
            print(f"{token} stopped")

    return StreamingResponse(produce(), media_type="text/plain")


@router.get("/broken")
async def broken():
    async def produce():
        yield b"the beginning"
        await asyncio.sleep(0)
        raise RuntimeError("broken in the middle")

    return StreamingResponse(produce(), media_type="text/plain")


@router.get("/watch")
async def watch(request: Request, token: str):
    """Works on a long answer, and looks whether anybody still wants it."""
    print(f"{token} began")
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    print(f"{token} saw the client leave")
    return {"left": True}


@router.post("/cut")
async def cut(request: Request, token: str):
    """Tells in the log how a body ended."""
    length = 0
    try:
        async for part in request.stream():
            if not length:
                print(f"{token} began")
            length += len(part)
    except ClientDisconnect:
        print(f"{token} was cut after {length} bytes")
        raise
    print(f"{token} was whole with {length} bytes")
    return {"length": length}
