"""Transactions as functions, which run again when the server could not serialise them with others.

Such a function must do nothing that a rollback does not undo. What else it wants done (mail, a queue) waits in `after_commit`.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, TypedDict, TypeVar, Unpack, overload

from . import _host
from ._errors import PgDeadlock, PgSerializationError, PgUsageError
from ._aio import AsyncPg, AsyncTx
from ._options import Isolation
from ._session import Pg, Tx

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., Any])

_FIRST_WAIT, _LONGEST_WAIT = 0.004, 0.25


class Options(TypedDict, total=False):
    """What `Pg.tx` takes."""

    isolation: Isolation | None
    read_only: bool
    deferrable: bool


@overload
def run_in_tx(pg: Pg, function: Callable[[Tx], _T], *, retries: int = 3, **options: Unpack[Options]) -> _T: ...
@overload
def run_in_tx(pg: AsyncPg, function: Callable[[AsyncTx], Awaitable[_T]], *, retries: int = 3, **options: Unpack[Options]) -> Awaitable[_T]: ...
def run_in_tx(pg: Pg | AsyncPg, function: Callable[[Any], Any], *, retries: int = 3, **options: Unpack[Options]) -> Any:
    """Runs `function(tx)` in a transaction, and again in a new one each time the server could not serialise it with others.

    Within an open transaction of the handle it is a savepoint, takes no options, and is run once: such a failure ends the whole
    transaction, so whoever began that must run it again. It is not run again either once it has ended the transaction by hand.

    Args:
        pg: a handle.
        function: committed when it returns, rolled back when it raises. Of an async function, and with a handle that is awaited, the result
            is to be awaited.
        retries: how often it may run again.
        options: as for `Pg.tx`.

    Raises:
        PgSerializationError, PgDeadlock: the last failure, when there are no retries left.
    """
    awaited = inspect.iscoroutinefunction(function) or isinstance(pg, AsyncPg)
    return (_await if awaited else _call)(function, _tries(pg, True, retries, options))


@overload
def transactional(function: _F, /) -> _F: ...
@overload
def transactional(*, retries: int = 3, **options: Unpack[Options]) -> Callable[[_F], _F]: ...
def transactional(function: Any = None, /, *, retries: int = 3, **options: Unpack[Options]) -> Any:
    """Makes each call of a function, sync or async, a transaction on the first handle among its arguments, as `run_in_tx` does.

        @transactional
        def buy(pg: Pg, item: int) -> None:
            pg.exec("UPDATE items SET stock = stock - 1 WHERE id = $1", item)

        @transactional(isolation="serializable", retries=5)
        async def close(day: date, pg: Pg = Depends(pool.get)) -> None: ...

    What the function runs on that handle is in the transaction.
    """
    if function is None:
        return functools.partial(transactional, retries=retries, **options)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise PgUsageError(f"`{function.__qualname__}` yields, so it cannot be run again")
    awaited = inspect.iscoroutinefunction(function)
    run: Callable[..., Any] = _await if awaited else _call

    def call(*args: Any, **kwargs: Any) -> Any:
        pg = _handle_of(function, (*args, *kwargs.values()))
        return run(functools.partial(function, *args, **kwargs), _tries(pg, False, retries, options))

    async def acall(*args: Any, **kwargs: Any) -> Any:
        return await call(*args, **kwargs)

    return functools.wraps(function)(acall if awaited else call)


def _handle_of(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Pg | AsyncPg:
    for argument in arguments:
        if isinstance(argument, (Pg, AsyncPg)):
            return argument
        if isinstance(argument, Tx):
            return argument._pg
    raise PgUsageError(f"`{function.__qualname__}` is transactional, but none of its arguments is a `Pg`")


class _Try:
    """One run in a transaction of its own."""

    def __init__(self, pg: Pg | AsyncPg, takes_tx: bool, options: Options) -> None:
        made = pg.tx(**options)
        self.arguments = (made,) if takes_tx else ()
        self.tx = made if isinstance(made, Tx) else made._tx
        self.undone = True
        """Whether nothing of what it did is left."""

    def __enter__(self) -> None:
        _host.run(self.tx._entering())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        _host.run(self._exiting(kind))

    async def __aenter__(self) -> None:
        await _host.arun(self.tx._entering())

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await _host.arun(self._exiting(kind))

    def _exiting(self, kind: type[BaseException] | None) -> _host.Steps[None]:
        self.undone = kind is None or self.tx._state == "open"
        yield from self.tx._exiting(kind)


def _tries(pg: Pg | AsyncPg, takes_tx: bool, retries: int, options: Options) -> Iterator[tuple[_Try, float | None]]:
    """Each try, with the seconds to wait when it fails; None: it is the last. Within a transaction there is one.

    The wait is drawn from a range that doubles, so that transactions that met do not meet again.
    """
    if retries < 0:
        raise PgUsageError(f"a transaction is retried 0 times or more, not {retries}")
    handle = pg if isinstance(pg, Pg) else pg._pg
    for attempt in range(0 if handle._open else retries):
        yield _Try(pg, takes_tx, options), random.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**attempt))
    yield _Try(pg, takes_tx, options), None


def _call(function: Callable[..., Any], tries: Iterator[tuple[_Try, float | None]]) -> Any:
    for one, wait in tries:
        try:
            with one:
                return _no_awaitable(function(*one.arguments))
        except (PgSerializationError, PgDeadlock):
            if wait is None or not one.undone:
                raise
        time.sleep(wait)


async def _await(function: Callable[..., Any], tries: Iterator[tuple[_Try, float | None]]) -> Any:
    for one, wait in tries:
        try:
            async with one:
                result = function(*one.arguments)
                return await result if inspect.isawaitable(result) else result
        except (PgSerializationError, PgDeadlock):
            if wait is None or not one.undone:
                raise
        await asyncio.sleep(wait)


def _no_awaitable(result: Any) -> Any:
    if inspect.isawaitable(result):
        with suppress(AttributeError):
            result.close()  # type: ignore[attr-defined]
        raise PgUsageError("the function of a transaction gave an awaitable, which would run after the commit: make it an `async def`")
    return result
