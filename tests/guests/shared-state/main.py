"""An app that keeps its state in module globals and says so, with start-up hooks in the old style."""

import asyncio
import time

from fasterapi import App

app = App(isolation="app", compression=True, enable_h2=False)
events: list[str] = []
notes: dict[str, str] = {}


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
