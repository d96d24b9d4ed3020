"""Cursors whose rows stay with the server until they are fetched."""

from __future__ import annotations

import itertools
from typing import Any, Self

from .. import _codec
from .._errors import PgError
from .cursor import Cursor, Values
from .errors import NotSupportedError
from .styles import Parameters
from .transaction import Transaction

_numbers = itertools.count(1)


class Declared:
    """A cursor of the server, within a transaction: `DECLARE`, `FETCH`, `CLOSE`."""

    def __init__(self, transaction: Transaction, size: int, statement: str, parameters: str) -> None:
        self._transaction = transaction
        self._name = f"fasterapi_{next(_numbers)}"
        self._fetch = f"FETCH FORWARD {size} FROM {self._name}"
        transaction.query(f"DECLARE {self._name} NO SCROLL CURSOR FOR {statement}", parameters)
        self._columns, self._first = self._next()

    def columns(self) -> Any:
        """Its columns."""
        return self._columns

    def next(self) -> list[Values] | None:
        """The next rows, none at the end."""
        first, self._first = self._first, None
        return first or self._next()[1]

    def close(self) -> None:
        """Closes it, if its transaction can still do so: it goes with that otherwise."""
        if self._transaction.open:
            try:
                self._transaction.query(f"CLOSE {self._name}", _NO_PARAMETERS)
            except PgError:
                pass  # the transaction is aborted, and the cursor with it

    def _next(self) -> tuple[Any, list[Values] | None]:
        _, columns, rows = _codec.loads(self._transaction.query(self._fetch, _NO_PARAMETERS))
        return columns, rows or None


_NO_PARAMETERS = _codec.pack(())


class StreamCursor(Cursor):
    """Runs queries whose rows come as they are fetched: only those not fetched yet, and at most `itersize` ahead, are in memory.

    Within a transaction it takes SELECT, VALUES, TABLE, and WITH over these. `rowcount` is not known.
    """

    itersize = 1000
    """How many rows come at a time, within a transaction."""

    def execute(self, operation: str, parameters: Parameters | None = None) -> Self:
        """Runs a query."""
        self._check()
        self._clear()
        self._blocks = blocks = self.connection._stream(operation, parameters, self.itersize)
        self._describe(blocks.columns())
        return self

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Not for rows that come one after the other."""
        raise NotSupportedError("a cursor that streams does not scroll")
