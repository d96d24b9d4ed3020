"""What connections and pools alike run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from .._aio import AsyncPg
from .._result import Result
from .._row import Row
from . import copying

_WORDS = re.compile(r"(?:\s+|--[^\n]*\n|/\*.*?\*/)*([a-z]+)(?:\s+([a-z]+))?", re.IGNORECASE | re.DOTALL)
_COUNTED = frozenset(("SELECT", "UPDATE", "DELETE", "MERGE", "FETCH", "MOVE", "VALUES", "TABLE", "WITH"))
_OF_OBJECTS = frozenset(("CREATE", "ALTER", "DROP", "REFRESH", "TRUNCATE", "COMMENT"))


class Executor:
    """Statements, in asyncpg's words."""

    def _handle(self) -> AsyncPg:
        raise NotImplementedError

    async def fetch(self, query: str, *args: Any, timeout: float | None = None) -> list[Row]:
        """All rows."""
        return (await self._run(query, args, timeout)).all()

    async def fetchrow(self, query: str, *args: Any, timeout: float | None = None) -> Row | None:
        """The first row."""
        return (await self._run(query, args, timeout)).first()

    async def fetchval(self, query: str, *args: Any, column: int = 0, timeout: float | None = None) -> Any:
        """A value of the first row."""
        row = await self.fetchrow(query, *args, timeout=timeout)
        return None if row is None else row[column]

    async def fetchmany(self, query: str, args: Iterable[Sequence[Any]], *, timeout: float | None = None) -> list[Row]:
        """The rows of a statement run once for each of the arguments: all of it happens, or nothing."""
        return (await self._handle().executemany(query, args, timeout=timeout)).all()

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Runs a statement, and says what it did: `"INSERT 0 1"`."""
        return _status(query, (await self._run(query, args, timeout)).affected)

    async def executemany(self, command: str, args: Iterable[Sequence[Any]], *, timeout: float | None = None) -> None:
        """Runs a statement once for each of the arguments: all of it happens, or nothing."""
        await self._handle().executemany(command, args, timeout=timeout)

    async def copy_from_query(self, query: str, *args: Any, output: copying.Output, **options: Any) -> str:
        """Writes what a query gives to a file, a path, or a coroutine function of the data. The query takes no arguments: COPY has none."""
        return await copying.out(self._handle(), f"({query})", args, output, options)

    async def copy_from_table(
        self, table_name: str, *, output: copying.Output, columns: Sequence[str] | None = None, schema_name: str | None = None, **options: Any
    ) -> str:
        """Writes a table's rows to a file, a path, or a coroutine function of the data."""
        return await copying.out(self._handle(), copying.table(table_name, columns, schema_name), (), output, options)

    async def copy_to_table(
        self, table_name: str, *, source: copying.Source, columns: Sequence[str] | None = None, schema_name: str | None = None, **options: Any
    ) -> str:
        """Stores what a file, a path, or an (asynchronous) iterable of data holds."""
        return await copying.into(self._handle(), copying.table(table_name, columns, schema_name), source, options)

    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: copying.Records,
        columns: Sequence[str] | None = None,
        schema_name: str | None = None,
        where: str | None = None,
    ) -> str:
        """Stores rows of Python values."""
        return await copying.records(self._handle(), copying.table(table_name, columns, schema_name), records, where)

    async def _run(self, query: str, args: Sequence[Any], timeout: float | None) -> Result:
        return await self._handle().exec(query, *args, timeout=timeout)


def _status(query: str, affected: int) -> str:
    found = _WORDS.match(query)
    if found is None:
        return ""
    verb, second = found[1].upper(), (found[2] or "").upper()
    if verb == "INSERT":
        return f"INSERT 0 {affected}"
    if verb in _COUNTED:
        return f"{'SELECT' if verb in ('VALUES', 'TABLE', 'WITH') else verb} {affected}"
    return f"{verb} {second}".rstrip() if verb in _OF_OBJECTS else verb
