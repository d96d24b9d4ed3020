"""Coroutines that are taken further by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextvars import Context
from types import coroutine
from typing import Any, TypeVar

from .._wasm.calls import EAGER

_T = TypeVar("_T")


def begun(work: Callable[..., Awaitable[Any]], given: tuple[Any, ...], loop: Any, context: Context) -> asyncio.Task[Any]:
    """A task that runs at once until it waits for something. Its outcome is for `outcome_of`."""
    return asyncio.Task(_contained(work, given), loop=loop, context=context, **EAGER)


async def _contained(work: Callable[..., Awaitable[Any]], given: tuple[Any, ...]) -> Any:
    """What `work` gives, or what ends it and is for nobody but its request: of a task, the whole loop would end by it."""
    try:
        return await work(*given)
    except (Exception, asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:
        return _Ended(error)


class _Ended:
    def __init__(self, error: BaseException) -> None:
        self.error = error


async def outcome_of(task: asyncio.Task[Any]) -> Any:
    """What the work of a task gives, or raises. Who is cancelled meanwhile cancels it."""
    outcome = await task
    if isinstance(outcome, _Ended):
        raise outcome.error
    return outcome


async def cut(task: asyncio.Task[Any]) -> None:
    """Ends a task, for one that ends itself. What it raises by that is nobody's."""
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()


def is_well(task: asyncio.Task[Any]) -> bool:
    """Whether the work is done, and raised nothing."""
    return task.done() and not task.cancelled() and task.exception() is None and not isinstance(task.result(), _Ended)


@coroutine
def continued(work: Any, waits_for: Any) -> Generator[Any, Any, Any]:
    """The rest of a coroutine that was begun by hand, and waits for something."""
    while True:
        try:
            value = yield waits_for
        except BaseException as error:
            step, given = work.throw, error
        else:
            step, given = work.send, value
        try:
            waits_for = step(given)
        except StopIteration as returned:
            return returned.value
