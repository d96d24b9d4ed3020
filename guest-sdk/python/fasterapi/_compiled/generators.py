"""Generator dependencies: their beginning, their end, and their end with an exception, as FastAPI's stack of contexts has it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from contextvars import copy_context
from functools import partial
from inspect import isasyncgen
from typing import Any

from fastapi.exceptions import FastAPIError

from .._wasm.loop import outside_loop

logger = logging.getLogger("fasterapi.error")

NOT_AWAITED = (
    "Response not awaited. There's a high chance that the application code is raising an exception and a dependency with yield has a block with a bare "
    "except, or a block with except Exception, and is not raising the exception again. Read more about it in the docs: "
    "https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/#dependencies-with-yield-and-except"
)


def thread(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Calls a function as a worker thread would."""
    return copy_context().run(outside_loop, partial(function, *args, **kwargs))


def enter(generators: list[Any], runner: Callable[..., Any], generator: Any) -> Any:
    """The value that a generator dependency yields."""
    try:
        value = runner(next, generator)
    except StopIteration:
        raise RuntimeError("generator didn't yield") from None
    generators.append(generator)
    return value


async def enter_async(generators: list[Any], generator: Any) -> Any:
    """The value that an async generator dependency yields."""
    try:
        value = await anext(generator)
    except StopAsyncIteration:
        raise RuntimeError("generator didn't yield") from None
    generators.append(generator)
    return value


def end(generator: Any) -> None:
    """Ends a generator that has yielded."""
    try:
        next(generator)
    except StopIteration:
        return
    try:
        raise RuntimeError("generator didn't stop")
    finally:
        generator.close()


def leave(generators: list[Any]) -> None:
    """Ends generators in reverse order. It is too late for what they raise: it is logged."""
    try:
        while generators:
            generator = generators.pop()
            try:
                thread(end, generator)
            except Exception as error:
                unwind(generators, (), error)
    except BaseException as error:
        logger.error("Exception in ASGI application\n", exc_info=error)


async def leave_async(generators: list[Any]) -> None:
    """The same for generators of both kinds."""
    try:
        async with AsyncExitStack() as stack:
            push(stack, generators)
    except BaseException as error:
        logger.error("Exception in ASGI application\n", exc_info=error)


def push(stack: AsyncExitStack, generators: Iterable[Any]) -> None:
    """Has `stack` end generators that have yielded."""
    for generator in generators:
        if isasyncgen(generator):
            stack.push_async_exit(asynccontextmanager(_itself(generator))())
        else:
            stack.push(exit_of(generator))


def _itself(generator: Any) -> Callable[[], Any]:
    return lambda: generator


def leave_functions(functions: list[Any]) -> None:
    """Ends dependencies that end before the response is sent. What they raise is the request's error."""
    ending, functions[:] = functions[:], []
    with ExitStack() as stack:
        for generator in ending:
            stack.push(exit_of(generator))


async def leave_functions_async(functions: list[Any]) -> None:
    """The same for generators of both kinds."""
    ending, functions[:] = functions[:], []
    async with AsyncExitStack() as stack:
        push(stack, ending)


def unwind(generators: Iterable[Any], functions: Iterable[Any], error: BaseException) -> None:
    """Ends dependencies in reverse order while `error` is on its way, as FastAPI's two stacks do. Raises what comes out."""
    with ExitStack() as stack:
        for generator in generators:
            stack.push(exit_of(generator))
        with ExitStack() as inner:
            for generator in functions:
                inner.push(exit_of(generator))
            response = _raises(error)
        response.send()  # a dependency swallowed the error: FastAPI then has no `response` either
    raise FastAPIError(NOT_AWAITED)


def _raises(error: BaseException) -> Any:
    raise error


def exit_of(generator: Any) -> Callable[..., Any]:
    """The `__exit__` of a generator that has yielded. Like FastAPI's, it is for exceptions only, not for `SystemExit` and its like."""
    manager = contextmanager(_itself(generator))()

    def leave(kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool | None:
        if error is not None and not isinstance(error, Exception):
            return False
        outcome: bool | None = thread(manager.__exit__, kind, error, trace)
        return outcome

    return leave
