"""Cursors of PEP 249."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from .. import _codec
from .._errors import PgError
from .._row import Shape, shape_of
from .._stream import Blocks
from .errors import InterfaceError, NotSupportedError, ProgrammingError, from_pg
from .styles import Parameters

if TYPE_CHECKING:
    from .connection import Connection

Description = tuple[tuple[str, int, None, None, None, None, None], ...]
Values = tuple[Any, ...]


class Source(Protocol):
    """What gives more rows of a statement."""

    def columns(self) -> Any:
        """The columns, packed."""

    def next(self) -> list[Values] | None:
        """The next rows, none at the end."""

    def close(self) -> None:
        """Ends it."""


class Cursor:
    """Runs statements and holds the rows of the last one. Of a large result outside of a transaction it holds those that come next: the
    others come as they are fetched."""

    _blocks: Source | None = None

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        self.lastrowid: None = None
        self.closed = False
        self._clear()

    def _clear(self) -> None:
        self.description: Description | None = None
        """Name and type (its OID, to be compared with `STRING`, `NUMBER`, …) of each column; `None` if there are no rows."""
        self.rowcount = -1
        """How many rows the statement inserted, updated, deleted or selected. Of a large result outside of a transaction, -1 until its
        last row was fetched."""
        self._rows: list[Values] = []
        self._at = 0
        self._gone = 0
        """How many rows were fetched and forgotten."""
        self._forget_blocks()
        self._convert: list[tuple[int, _codec.Converter]] = []

    @property
    def rownumber(self) -> int | None:
        """The position of the next row."""
        return None if self.description is None else self._gone + self._at

    def execute(self, operation: str, parameters: Parameters | None = None) -> Self:
        """Runs a statement."""
        self._check()
        self._clear()
        self._take(*self.connection._query(operation, parameters))
        return self

    def executemany(self, operation: str, seq_of_parameters: Iterable[Parameters]) -> Self:
        """Runs a statement once for each of the parameters, in few round trips. `rowcount` is the sum; rows are not kept."""
        self._check()
        self._clear()
        self.rowcount = sum(affected for affected, _, _ in self.connection._batches(operation, seq_of_parameters))
        return self

    def fetchone(self) -> Values | None:
        """The next row."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[Values]:
        """The next rows, `arraysize` of them if it is not said how many."""
        self._check_rows()
        size = self.arraysize if size is None else size
        while self._at + size > len(self._rows) and self._more():
            pass
        rows = self._rows[self._at : self._at + size]
        self._at += len(rows)
        return self._converted(rows)

    def fetchall(self) -> list[Values]:
        """The rows that are left."""
        self._check_rows()
        while self._more():
            pass
        rows = self._rows[self._at :] if self._at else self._rows
        self._at += len(rows)
        return self._converted(rows)

    def __iter__(self) -> Iterator[Values]:
        return iter(self.fetchone, None)

    def __next__(self) -> Values:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Moves to another row of the result.

        Raises:
            IndexError: there is no such row; the cursor stays where it was.
            NotSupportedError: of a large result outside of a transaction, rows that were fetched are not kept.
        """
        self._check_rows()
        if mode not in ("relative", "absolute"):
            raise ProgrammingError(f"the mode is `relative` or `absolute`, not `{mode}`")
        target = value + (self._gone + self._at if mode == "relative" else 0)
        if 0 <= target < self._gone:
            raise NotSupportedError(f"the first {self._gone} rows of the result were fetched, and are not kept")
        while target >= self._gone + len(self._rows) and self._append():
            pass
        end = self._gone + len(self._rows)
        if not 0 <= target < end:
            raise IndexError(f"the result has {end} rows: there is none at {target}")
        self._at = target - self._gone

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Does nothing: the server knows the types."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing: a value comes whole."""

    def close(self) -> None:
        """Forgets the rows, and refuses everything from now on."""
        self._clear()
        self.closed = True

    def __enter__(self) -> Self:
        self._check()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _more(self) -> bool:
        """Gets more rows, if there can be more than are here. Those that were fetched are let go."""
        if self._blocks is None:
            return False
        del self._rows[: self._at]
        self._gone += self._at
        self._at = 0
        return self._append()

    def _append(self) -> bool:
        try:
            rows = None if self._blocks is None else self._blocks.next()
        except PgError as error:
            self._blocks = None
            raise from_pg(error) from error
        if rows is None:
            if self._blocks is not None:
                self.rowcount = self._gone + len(self._rows)
            self._forget_blocks()
            return False
        self._rows = self._rows + rows if self._rows else rows
        return True

    def _forget_blocks(self) -> None:
        """Ends what gives more rows."""
        blocks, self._blocks = self._blocks, None
        if blocks is not None:
            blocks.close()

    def _take(self, block: bytes, rest: Any) -> None:
        self.rowcount, columns, self._rows = _codec.loads(block)
        if rest is not None:
            self._blocks = Blocks(rest)
            self.rowcount = -1
        if columns:
            self._describe(columns)

    def _describe(self, columns: Any) -> None:
        shape = shape_of(columns)
        self.description = tuple([(column.name, column.type_oid, None, None, None, None, None) for column in shape.columns])
        self._convert = shape.converters
        if self.connection._converters:
            self._convert = self._with_users(shape)

    def _with_users(self, shape: Shape) -> list[tuple[int, _codec.Converter]]:
        users = self.connection._converters
        found = {position: users[column.kind] for position, column in enumerate(shape.columns) if column.kind in users}
        return list({**dict(shape.converters), **found}.items())

    def _converted(self, rows: list[Values]) -> list[Values]:
        if not self._convert:
            return list(rows)
        return [self._converted_row(row) for row in rows]

    def _converted_row(self, row: Values) -> Values:
        values = list(row)
        for position, convert in self._convert:
            if values[position] is not None:
                values[position] = convert(values[position])
        return tuple(values)

    def _check(self) -> None:
        if self.closed:
            raise InterfaceError("the cursor is closed")
        self.connection._check()

    def _check_rows(self) -> None:
        self._check()
        if self.description is None:
            raise ProgrammingError("there are no rows: the last statement gave none, or none was run")
