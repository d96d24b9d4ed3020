"""Prepared statements, in asyncpg's words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .._row import Row

if TYPE_CHECKING:
    from .._aio import AsyncStream
    from .connection import Connection


class PreparedStatement:
    """A statement, to be run many times. It is prepared with its first run, and then kept by the host."""

    def __init__(self, connection: Connection, query: str) -> None:
        self._connection = connection
        self._query = query

    def get_query(self) -> str:
        """Its text."""
        return self._query

    async def fetch(self, *args: Any, timeout: float | None = None) -> list[Row]:
        """All rows."""
        return await self._connection.fetch(self._query, *args, timeout=timeout)

    async def fetchrow(self, *args: Any, timeout: float | None = None) -> Row | None:
        """The first row."""
        return await self._connection.fetchrow(self._query, *args, timeout=timeout)

    async def fetchval(self, *args: Any, column: int = 0, timeout: float | None = None) -> Any:
        """A value of the first row."""
        return await self._connection.fetchval(self._query, *args, column=column, timeout=timeout)

    async def executemany(self, args: Iterable[Sequence[Any]], *, timeout: float | None = None) -> None:
        """Runs it once for each of the arguments: all of it happens, or nothing."""
        await self._connection.executemany(self._query, args, timeout=timeout)

    def cursor(self, *args: Any, timeout: float | None = None) -> AsyncStream:
        """Its rows as they come."""
        return self._connection.cursor(self._query, *args, timeout=timeout)
