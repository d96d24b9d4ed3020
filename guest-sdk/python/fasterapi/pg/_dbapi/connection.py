"""Connections of PEP 249."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

from .. import _codec, _host
from .._errors import PgError
from .._options import Isolation
from .._stream import Blocks
from . import errors
from .cursor import Cursor
from .errors import InterfaceError, ProgrammingError, from_pg, translated
from .stream import Declared, StreamCursor
from .styles import STYLES, Parameters, Paramstyle
from .transaction import Transaction, options


def connect(
    target: str = "default",
    *,
    autocommit: bool = False,
    paramstyle: Paramstyle = "pyformat",
    converters: Mapping[str, _codec.Converter] | None = None,
) -> Connection:
    """A connection to a database that the host lends.

    Args:
        target: an alias, or a `postgres://` URL whose database name selects the grant (as in `PgPool`).
        autocommit: whether each statement is a transaction of its own.
        paramstyle: `"pyformat"`, or `"numeric_dollar"` for `$1`.
        converters: what makes Python values of those kinds (as the README of `fasterapi:postgres` names them), in the place of the
            usual. For `"json"`: a function of the text.

    Raises:
        OperationalError: no such database was granted, or there is no host.
    """
    with translated():
        database = _resolved(target)
    return Connection(database, autocommit, paramstyle, converters or {})


@lru_cache(64)
def _resolved(target: str) -> str:
    _host.require_running()
    database: str = _host.call(_host.client.resolve, target)
    return database


_BATCH = 1000
"""Most sets of parameters in a batch, whose bytes are bounded."""


class Connection:
    """A transaction at a time. It begins with the first statement, and ends with `commit` or `rollback`.

    `isolation`, `read_only` and `deferrable` are those of the next transaction.
    """

    Warning = errors.Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = errors.InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = errors.NotSupportedError

    def __init__(self, database: str, autocommit: bool, paramstyle: Paramstyle, converters: Mapping[str, _codec.Converter]) -> None:
        self._database = database
        self._autocommit = autocommit
        self._style = STYLES[paramstyle]
        self._converters = converters
        self._transaction: Transaction | None = None
        self.isolation: Isolation | None = None
        self.read_only = False
        self.deferrable = False
        self.closed = False

    def cursor(self, *, stream: bool = False) -> Cursor:
        """A cursor. With `stream` the rows of its queries come as they are fetched, instead of all at once."""
        self._check()
        return StreamCursor(self) if stream else Cursor(self)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._transaction is not None

    @property
    def autocommit(self) -> bool:
        """Whether each statement is a transaction of its own. Not to be changed within a transaction."""
        return self._autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        if self.in_transaction and value != self._autocommit:
            raise ProgrammingError("a transaction is open: `commit` or `rollback` first")
        self._autocommit = value

    def commit(self) -> None:
        """Commits what was done since the last `commit` or `rollback`."""
        self._check()
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            with translated():
                self._living(transaction).commit()

    def rollback(self) -> None:
        """Undoes what was done since the last `commit` or `rollback`. Does not fail: a transaction that was lost is rolled back too."""
        self._check()
        transaction, self._transaction = self._transaction, None
        if transaction is not None and transaction.open:
            try:
                transaction.rollback()
            except PgError:
                pass

    def close(self) -> None:
        """Rolls back, and refuses everything from now on."""
        if not self.closed:
            self.rollback()
            self.closed = True

    def __enter__(self) -> Self:
        self._check()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Commits, or rolls back after an exception; and closes."""
        try:
            if kind is None and not self.closed:
                self.commit()
        finally:
            self.close()

    def _query(self, statement: str, parameters: Parameters | None) -> tuple[bytes, Any]:
        """Runs a statement; the result is a block, and what it does not hold."""
        self._check()
        text, values = self._style(statement, parameters)
        try:
            packed = _codec.pack(values)
            if self._autocommit:
                answer: tuple[bytes, Any] = _host.call(_host.client.query, self._database, text, packed, 0)
                return answer
            return self._begun().query(text, packed), None
        except PgError as error:
            raise from_pg(error) from error

    def _batches(self, statement: str, sets: Iterable[Parameters]) -> Iterator[Any]:
        """Runs a statement many times, a batch a round trip."""
        bound = (self._style(statement, parameters) for parameters in sets)
        while batch := list(itertools.islice(bound, _BATCH)):
            try:
                packed = _codec.pack_batch([(batch[0][0], [values for _, values in batch])])
                if self._autocommit:
                    block = _host.call(_host.client.batch, self._database, packed, 0)
                else:
                    block = self._begun().batch(packed)
            except PgError as error:
                raise from_pg(error) from error
            yield from _codec.loads(block)

    def _stream(self, statement: str, parameters: Parameters | None, size: int) -> Blocks | Declared:
        """Runs a query whose rows come in blocks."""
        text, values = self._style(statement, parameters)
        try:
            packed = _codec.pack(values)
            if self._autocommit:
                return Blocks(_host.call(_host.client.stream, self._database, text, packed, 0))
            return Declared(self._begun(), size, text, packed)
        except PgError as error:
            raise from_pg(error) from error

    def _begun(self) -> Transaction:
        if self._transaction is None:
            self._transaction = Transaction(self._database, options(self.isolation, self.read_only, self.deferrable, 0))
        return self._living(self._transaction)

    def _living(self, transaction: Transaction) -> Transaction:
        if not transaction.open:
            raise InterfaceError("the transaction was rolled back: its request ended before it did")
        return transaction

    def _check(self) -> None:
        if self.closed:
            raise InterfaceError("the connection is closed")
