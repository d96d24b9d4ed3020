"""An app that keeps its state in module globals and says so, with start-up hooks in the old style."""

import asyncio
import time
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect
from fasterapi import App

app = App(isolation="app", compression=True, enable_h2=False)
events: list[str] = []
notes: dict[str, str] = {}
last: dict[str, Any] = {}


@app.on_event("startup")
def first():
    events.append("first")


@app.on_event("startup")
async def second():
    await asyncio.sleep(0)
    events.append("second")


@app.on_event("shutdown")
def end():
    print(f"shut down with {len(notes)} notes")


@app.get("/events")
def read_events():
    return events


@app.put("/notes/{name}")
def write(name: str, text: str):
    notes[name] = text
    return {"count": len(notes)}


@app.get("/notes")
async def read():
    return notes


@app.get("/loop-in-a-loop")
def loop_in_a_loop():
    async def work():
        await asyncio.sleep(0.01)
        return "ran"

    time.sleep(0.01)
    return asyncio.run(work())


@app.websocket("/echo")
async def echo(websocket):
    await websocket.accept()
    message = await websocket.receive()
    while message["type"] == "websocket.receive":
        await websocket.send_text(message["text"])
        message = await websocket.receive()
    last["echo"] = message


@app.websocket("/last")
async def show_last(websocket: WebSocket):
    await websocket.accept()
    await websocket.send_json(last)
    await websocket.close()


@app.websocket("/ticks")
async def ticks(websocket: WebSocket):
    """Says something of itself, and never listens."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text("tick")
            await asyncio.sleep(0.01)
    except WebSocketDisconnect as left:
        last["ticks"] = left.code


@app.websocket("/flood")
async def flood(websocket: WebSocket):
    await websocket.accept()
    sent = 0
    while True:
        await websocket.send_bytes(bytes(100_000))
        sent += 1
        last["flood"] = sent
