"""Coroutines that never wait."""

from __future__ import annotations

from typing import Any


def drive(coroutine: Any) -> Any:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as returned:
        return returned.value
    raise RuntimeError("a coroutine waited where FastAPI's own never does")
