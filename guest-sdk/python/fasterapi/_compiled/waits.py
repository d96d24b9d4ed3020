"""Whether an `async def` can wait at all."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

_WAITING = ("GET_AWAITABLE", "GET_AITER", "GET_ANEXT", "BEFORE_ASYNC_WITH", "SEND", "YIELD_FROM")


def may_wait(call: Callable[..., Any]) -> bool:
    """False for a plain coroutine function whose code has no `await`, `async with` or `async for`: calling it is enough."""
    function = call if isinstance(call, (FunctionType, MethodType)) else getattr(type(call), "__call__", None)
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType) or not inspect.iscoroutinefunction(function):
        return True
    return any(instruction.opname in _WAITING for instruction in dis.get_instructions(function))
