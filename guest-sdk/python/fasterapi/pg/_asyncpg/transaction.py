"""Transactions, in asyncpg's words."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from .._aio import AsyncPg, AsyncTx
from .._options import Isolation
from .._errors import PgUsageError


class Transaction:
    """A transaction, or a savepoint within the one that is open: `async with connection.transaction(): …`, or `start` and `commit` or
    `rollback`."""

    def __init__(self, handle: AsyncPg, isolation: Isolation | None, readonly: bool, deferrable: bool) -> None:
        self._handle = handle
        self._options = (isolation, readonly, deferrable)
        self._tx: AsyncTx | None = None

    async def start(self) -> None:
        """Begins it."""
        if self._tx is not None:
            raise PgUsageError("the transaction was started already")
        isolation, read_only, deferrable = self._options
        tx = self._handle.tx(isolation=isolation, read_only=read_only, deferrable=deferrable)
        await tx.__aenter__()
        self._tx = tx

    async def commit(self) -> None:
        """Commits."""
        await self._started().commit()

    async def rollback(self) -> None:
        """Rolls back."""
        await self._started().rollback()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self._started().__aexit__(kind, error, traceback)

    def _started(self) -> AsyncTx:
        if self._tx is None:
            raise PgUsageError("the transaction is not started")
        return self._tx
