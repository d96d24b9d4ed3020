"""Objects that were made when the app was imported, and their ends."""

import gc
import sys
import weakref
from collections.abc import Iterator

from fastapi import FastAPI

app = FastAPI()
ended: list[str] = []


class Plain:
    pass


class Finalized:
    def __del__(self) -> None:
        ended.append("finalized")


def generator() -> Iterator[int]:
    try:
        yield 1
    finally:
        ended.append("generator")


begun = generator()
next(begun)
held: dict[str, object] = {
    "plain": Plain(),
    "finalized": Finalized(),
    "inside": [{"it": Finalized()}],
    "generator": begun,
    "observed": Plain(),
    "value": Plain(),
}
del begun
observer = weakref.ref(held["observed"], lambda gone: ended.append("observed"))
values = weakref.WeakValueDictionary({"value": held["value"]})
lasting = {"text": "a text of this module", "function": generator, "class": Plain, "plain": held["plain"], "dict": held}


@app.get("/drop")
def drop(name: str) -> dict[str, object]:
    """Lets one go."""
    thing = held.pop(name, None)
    if name == "inside" and thing:
        thing[0].clear()  # type: ignore[index] # the list and the dict are no matter
    del thing
    gc.collect()
    return {"ended": ended, "observed": observer() is not None, "values": list(values)}


@app.get("/immortal")
def immortal() -> dict[str, bool]:
    """What counts no references (CPython 3.14 on)."""
    things = {**lasting, "finalized": held["finalized"], "observed": held["observed"], "new": Plain()}
    return {name: sys._is_immortal(thing) for name, thing in things.items()}
