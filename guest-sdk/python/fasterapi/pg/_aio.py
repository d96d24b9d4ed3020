"""The same for `async def`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from . import _codec, _hooks, _host, _options
from ._copy import CopyIn, CopyOut
from ._listen import Listener
from ._options import Isolation
from ._result import Result
from ._session import Pg, PgPool, Statement, Tx
from ._stream import Stream

if TYPE_CHECKING:
    from ._transactions import Options

_T = TypeVar("_T")


class AsyncPgPool(PgPool):
    """A `PgPool` whose handles are awaited."""

    def get(self) -> AsyncPg:  # type: ignore[override]
        """A handle for one request."""
        return super().get().aio


class AsyncPg:
    """A `Pg` whose statements are awaited. While one of them runs, the app's other tasks go on; cancelling its task cancels it on the
    server. Where the app has nothing else to do the call takes the short way, and waits in the host.

    A statement within a transaction, and the next rows of a stream, always do.
    """

    __slots__ = ("_pg",)

    def __init__(self, pg: Pg) -> None:
        self._pg = pg

    async def exec(self, statement: str, *parameters: Any, timeout: float | None = None) -> Result:
        """See `Pg.exec`."""
        pg = self._pg
        if pg._open or _host.may_block():
            return pg.exec(statement, *parameters, timeout=timeout)
        statement, block, limit = _options.text(statement, "a statement"), _codec.pack(parameters), _options.milliseconds(timeout)
        ticket = _host.ticket()
        try:
            return Result(*await _host.acall(_host.client.query_async, ticket, pg._database, statement, block, limit))
        except asyncio.CancelledError:
            _host.client.cancel(ticket)
            raise

    async def executemany(self, statement: str, parameters: Iterable[Sequence[Any]], *, timeout: float | None = None) -> Result:
        """See `Pg.executemany`."""
        return self._pg.executemany(statement, parameters, timeout=timeout)

    async def batch(self, statements: Iterable[Statement], *, timeout: float | None = None) -> list[Result]:
        """See `Pg.batch`."""
        return self._pg.batch(statements, timeout=timeout)

    def stream(self, statement: str, *parameters: Any, timeout: float | None = None) -> Stream:
        """See `Pg.stream`: `async for row in pg.stream(…)`."""
        return self._pg.stream(statement, *parameters, timeout=timeout)

    def copy_in(self, statement: str) -> CopyIn:
        """See `Pg.copy_in`."""
        return self._pg.copy_in(statement)

    def copy_out(self, statement: str) -> CopyOut:
        """See `Pg.copy_out`: `async for chunk in pg.copy_out(…)`."""
        return self._pg.copy_out(statement)

    def listen(self, *channels: str) -> Listener:
        """See `Pg.listen`."""
        return self._pg.listen(*channels)

    def tx(self, *, isolation: Isolation | None = None, read_only: bool = False, deferrable: bool = False, retries: int = 0) -> AsyncTx:
        """See `Pg.tx`: `async with pg.tx() as tx: await tx.exec(…)`."""
        return AsyncTx(self._pg.tx(isolation=isolation, read_only=read_only, deferrable=deferrable, retries=retries))

    async def run_in_tx(self, function: Callable[[AsyncTx], Awaitable[_T]], *, retries: int = 3, **options: Unpack[Options]) -> _T:
        """See `fasterapi.pg.run_in_tx`."""
        from ._transactions import run_in_tx

        return await run_in_tx(self, function, retries=retries, **options)

    def after_commit(self, function: _hooks.Hook) -> _hooks.Hook:
        """See `Pg.after_commit`."""
        return self._pg.after_commit(function)


class AsyncTx(AsyncPg):
    """A `Tx` whose statements are awaited."""

    __slots__ = ("_tx",)

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx._pg)
        self._tx = tx

    async def __aenter__(self) -> Self:
        self._tx.__enter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._tx.__exit__(kind, error, traceback)

    def after_commit(self, function: _hooks.Hook) -> _hooks.Hook:
        """See `Tx.after_commit`."""
        return self._tx.after_commit(function)

    async def commit(self) -> None:
        """See `Tx.commit`."""
        self._tx.commit()

    async def rollback(self) -> None:
        """See `Tx.rollback`."""
        self._tx.rollback()
