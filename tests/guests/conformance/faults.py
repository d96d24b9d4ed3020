"""What only a sandbox can take."""

import asyncio
import json
import os
import random
import socket
import sys
import threading

from fastapi import APIRouter, Request

try:  # as urllib3 does when it is imported: no handle of the build's network may stay
    socket.getaddrinfo("localhost", 80)
    socket.socket(socket.AF_INET6).bind(("::1", 0))
except OSError:
    pass

router = APIRouter(prefix="/faults")
SERVED = 0
KEPT: list[bytes] = []


@router.get("/trap")
def trap(how: str = ""):
    global SERVED
    SERVED += 1
    if how == "json":
        json.loads("[" * 100_000)
    elif how == "nested":
        nested: list = []
        for _ in range(200_000):
            nested = [nested]
        json.dumps(nested)
    elif how == "abort":
        os.abort()
    elif how == "exit":
        os._exit(3)
    elif how == "sys-exit":
        sys.exit(3)
    elif how == "recursion":
        trap_recursion(0)
    return {"served": SERVED}


def trap_recursion(depth: int) -> int:
    return trap_recursion(depth + 1) + 1


@router.get("/spin")
async def spin(how: str = ""):
    while how != "not":
        pass
    return {"spun": False}


@router.get("/sleep")
async def sleep(seconds: float):
    await asyncio.sleep(seconds)
    return {"slept": seconds}


@router.get("/hog")
def hog(mebibytes: int, keep: bool = False):
    try:
        data = bytearray(mebibytes << 20)
    except MemoryError:
        return {"memory_error": True}
    if keep:
        KEPT.append(bytes(data))
    return {"length": len(data)}


@router.get("/hog-unhandled")
def hog_unhandled():
    parts = []
    while True:
        parts.append(bytearray(1 << 20))


@router.get("/hog-small")
def hog_small(size: int, mebibytes: int):
    """Takes memory in many objects of one size, and lets it go."""
    parts = []
    try:
        for number in range((mebibytes << 20) // size):
            parts.append(number.to_bytes(4, "big") * (size // 4))
    except MemoryError:
        held, parts = len(parts), []
        return {"memory_error": True, "held": held}
    intact = all(part == number.to_bytes(4, "big") * (size // 4) for number, part in enumerate(parts))
    return {"count": len(parts), "intact": intact}


@router.get("/churn")
def churn(rounds: int):
    """Makes, grows, shrinks and lets go objects of all small sizes, in an order that is always the same."""
    dice = random.Random(1)
    held: dict[int, tuple[bytes, bytearray, list[int]]] = {}
    wrong = 0
    for number in range(rounds):
        place, size = dice.randrange(500), dice.randrange(700)
        old = held.pop(place, None)
        if old is not None:
            text, grown, numbers = old
            wrong += text != bytes([len(text) % 251]) * len(text)
            wrong += grown != bytes(range(256)) * (len(grown) // 256)
            wrong += numbers != list(range(len(numbers)))
        grown = bytearray()
        for _ in range(size % 4):
            grown += bytes(range(256))
        numbers = []
        for entry in range(size % 60):
            numbers.append(entry)
        del numbers[size % 30 :]
        held[place] = (bytes([size % 251]) * size, grown, numbers)
    return {"wrong": wrong, "held": sum(len(text) for text, _, _ in held.values())}


@router.get("/thread")
def thread():
    try:
        threading.Thread(target=print).start()
    except RuntimeError as error:
        return {"refused": str(error)}
    return {"refused": None}


@router.get("/files")
def files():
    """A sandbox has no file system to read and none to write."""
    results = {}
    for path in ("/etc/passwd", "/proc/self/environ", "main.py", "/"):
        try:
            results[path] = len(os.listdir(path)) if path == "/" else open(path).read(10)
        except OSError as error:
            results[path] = type(error).__name__
    try:
        open("/tmp/written", "w")
        results["write"] = True
    except OSError as error:
        results["write"] = type(error).__name__
    return results


@router.get("/sockets")
async def sockets(port: int):
    import ssl
    import urllib.request

    import _socket

    async def connect():
        await asyncio.open_connection("localhost", port)

    context = ssl.create_default_context()
    ways = {
        "connection": lambda: socket.create_connection(("127.0.0.1", port), timeout=1),
        "name": lambda: socket.gethostbyname("localhost"),
        "url": lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1),
        "tls": lambda: context.wrap_socket(socket.socket()),
        "beneath": lambda: _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM).connect(("127.0.0.1", port)),
    }
    results = {}
    for name, way in ways.items():
        try:
            way()
            results[name] = "connected"
        except OSError as error:
            results[name] = f"{type(error).__name__}: {error}"
    try:
        await connect()
        results["asyncio"] = "connected"
    except OSError as error:
        results["asyncio"] = f"{type(error).__name__}: {error}"
    return results


@router.get("/environment")
def environment():
    return dict(os.environ)


@router.get("/log")
def log(lines: int = 1, token: str = ""):
    import logging

    for number in range(lines):
        print(f"{token} printed {number}")
    print(f"{token} on standard error", file=sys.stderr)
    logging.getLogger("conformance").warning("%s through logging", token)
    print(f"{token} forged\nINFO forged: \x1b[31mred")
    return {"lines": lines}


@router.post("/work")
async def work(request: Request):
    """An ordinary request of some weight, for tests that make thousands."""
    body = await request.json()
    return {"keys": sorted(body), "text": json.dumps(body)[:50]}
