"""Connections, in asyncpg's words."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal, Self

from .. import _host
from .._aio import AsyncPg, AsyncStream
from .._errors import PgUsageError
from .._options import Isolation
from .._session import PgPool
from .executor import Executor
from .prepared import PreparedStatement
from .transaction import Transaction

_Isolation = Literal["read_committed", "repeatable_read", "serializable"]


async def connect(dsn: str | None = None, *, database: str | None = None, **_connection: Any) -> Connection:
    """A connection to a granted database: named by a DSN, an alias, or `database`. Hosts, users and passwords mean nothing here."""
    return Connection(pool_of(dsn, database).get().aio)


def pool_of(dsn: str | None, database: str | None) -> PgPool:
    """The granted database that is meant."""
    if dsn is None and database is not None:
        dsn = f"postgres:///{database}"
    return PgPool(dsn or "default")


class Connection(Executor):
    """Runs statements: each on its own, or within the transaction that is open on it."""

    def __init__(self, handle: AsyncPg) -> None:
        self._pg = handle
        self._closed = False

    def transaction(self, *, isolation: _Isolation | None = None, readonly: bool = False, deferrable: bool = False) -> Transaction:
        """A transaction, or a savepoint within the one that is open."""
        level: Isolation | None = None if isolation is None else isolation.replace("_", " ")  # type: ignore[assignment]
        return Transaction(self._handle(), level, readonly, deferrable)

    def is_in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return bool(self._pg._pg._open)

    def cursor(self, query: str, *args: Any, timeout: float | None = None) -> AsyncStream:
        """The rows of a query as they come: `async for row in connection.cursor(…)`. It needs no transaction."""
        return self._handle().stream(query, *args, timeout=timeout)

    async def prepare(self, query: str) -> PreparedStatement:
        """A statement to be run many times."""
        self._handle()
        return PreparedStatement(self, query)

    async def reset(self) -> None:
        """Does nothing: a connection keeps nothing."""

    def is_closed(self) -> bool:
        """Whether it was closed, or given back."""
        return self._closed

    async def close(self, *, timeout: float | None = None) -> None:
        """Ends it. A transaction that is open on it is rolled back."""
        self._closed = True
        while self._pg._pg._open:
            await _host.arun(self._pg._pg._open[-1]._ending("rollback"))

    def terminate(self) -> None:
        """Ends it. A transaction that is open on it is rolled back."""
        self._closed = True
        while self._pg._pg._open:
            self._pg._pg._open[-1].rollback()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()

    def _handle(self) -> AsyncPg:
        if self._closed:
            raise PgUsageError("the connection is closed")
        return self._pg
