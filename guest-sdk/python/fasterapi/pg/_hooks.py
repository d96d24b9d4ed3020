"""What waits for a commit."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from ._errors import PgUsageError

logger = logging.getLogger("fasterapi.error")

Hook = Callable[[], Any]
"""A function without arguments, sync or async."""

_tasks: set[asyncio.Task[None]] = set()  # the loop itself holds a task only weakly


def checked(hook: Hook) -> Hook:
    """Refuses now what could not be run after the commit."""
    if not callable(hook):
        raise PgUsageError(f"a function is called after the commit, not a `{type(hook).__name__}`")
    if inspect.iscoroutinefunction(hook) and not _in_loop():
        raise PgUsageError("an async function after the commit needs a running event loop")
    return hook


def run(hooks: Iterable[Hook]) -> None:
    """Calls them in their order. From the first that must be awaited on they go on as a task."""
    rest = iter(hooks)
    for hook in rest:
        result = _called(hook)
        if inspect.isawaitable(result):
            task = asyncio.get_running_loop().create_task(_go_on(hook, result, rest))
            _tasks.add(task)
            task.add_done_callback(_tasks.discard)
            return


async def _go_on(hook: Hook, result: Awaitable[Any], rest: Iterator[Hook]) -> None:
    await _awaited(hook, result)
    for other in rest:
        result = _called(other)
        if inspect.isawaitable(result):
            await _awaited(other, result)


def _called(hook: Hook) -> Any:
    try:
        return hook()
    except Exception:
        _log(hook)


async def _awaited(hook: Hook, result: Awaitable[Any]) -> None:
    try:
        await result
    except Exception:
        _log(hook)


def _log(hook: Hook) -> None:
    logger.exception("`%s`, called after a commit, failed; the commit stands", getattr(hook, "__qualname__", repr(hook)))


def _in_loop() -> bool:
    return asyncio._get_running_loop() is not None
