"""Cursors of PEP 249."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from .. import _codec
from .._row import Shape, shape_of
from .._stream import Blocks
from .errors import InterfaceError, ProgrammingError
from .styles import Parameters

if TYPE_CHECKING:
    from .connection import Connection

Description = tuple[tuple[str, int, None, None, None, None, None], ...]
Values = tuple[Any, ...]


class Cursor:
    """Runs statements and holds the rows of the last one."""

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
        """How many rows the statement inserted, updated, deleted or selected."""
        self._rows: list[Values] = []
        self._at = 0
        self._forget_blocks()
        self._convert: list[tuple[int, _codec.Converter]] = []

    @property
    def rownumber(self) -> int | None:
        """The position of the next row."""
        return None if self.description is None else self._at

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
        """
        self._check_rows()
        if mode not in ("relative", "absolute"):
            raise ProgrammingError(f"the mode is `relative` or `absolute`, not `{mode}`")
        target = value + (self._at if mode == "relative" else 0)
        if not 0 <= target < len(self._rows):
            raise IndexError(f"the result has {len(self._rows)} rows: there is none at {target}")
        self._at = target

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
        """Gets more rows, if there can be more than are here."""
        return False

    def _forget_blocks(self) -> None:
        """Ends what gives more rows."""

    def _take(self, block: bytes, rest: Any) -> None:
        self.rowcount, columns, self._rows = _codec.loads(block)
        if rest is not None:
            blocks = Blocks(rest)
            while (rows := blocks.next()) is not None:
                self._rows += rows
            self.rowcount = len(self._rows)
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
