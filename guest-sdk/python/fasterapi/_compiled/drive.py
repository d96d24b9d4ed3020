"""Coroutines that never wait."""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import coroutine
from typing import Any


def drive(coroutine: Any) -> Any:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as returned:
        return returned.value
    raise RuntimeError("a coroutine waited where FastAPI's own never does")


def driver() -> Callable[[Any], Any]:
    """A function as `drive`, for coroutines that cannot wait, without an exception for each result. What a coroutine raises ends it."""
    send: Callable[[Any], Any] = _driven().send
    send(None)
    return send


@coroutine
def _driven() -> Generator[Any, Any, None]:
    given = yield
    while True:
        given = yield (yield from given)
